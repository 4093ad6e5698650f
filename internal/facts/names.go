package facts

import (
	"slices"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// zoneNames returns the names whose zones get records, sorted.
func (r Request) zoneNames() []string {
	if r.Steps != nil {
		return r.keyZoneNames()
	}
	var names []string
	if r.Scope.WholeHost() {
		names = append(names, r.Spec.Host.Domain)
	}
	if r.Scope.Includes(r.Spec.Host.Domain) { // whose records are those of the host, too
		names = append(names, r.Spec.Host.Hostname)
	}
	for d := range r.Scope.Domains(r.Spec) {
		names = append(append(names, d.Name), records.ReportConsentNames(d)...)
	}
	for _, d := range r.Removed {
		names = append(append(names, d.Name), records.ReportConsentNames(d)...)
	}
	if r.Scope.WholeHost() { // which takes out the records of those whose file is gone
		names = append(names, step.WithoutFile(r.Ledger, r.Spec)...)
	}
	names = append(names, r.slotZones()...)
	return sortedUnique(append(names, r.Scope.Selection()...)) // and those that the spec no longer has
}

// keyZoneNames returns the domains of a rotation whose zones here get or lose keys.
func (r Request) keyZoneNames() []string {
	if !publishes(r.Steps) {
		return nil
	}
	elsewhere := map[string]bool{}
	for _, d := range r.Spec.Domains {
		elsewhere[d.Name] = r.Spec.ByHand(d) && !records.Delegates(r.Spec, d)
	}
	names := slices.DeleteFunc(r.Scope.Selection(), func(name string) bool { return elsewhere[name] })
	return sortedUnique(append(names, r.slotZones()...))
}

// slotZones returns the slot zones of the domains that the request is about.
func (r Request) slotZones() []string {
	var names []string
	add := func(d spec.Domain) {
		for _, zone := range records.SlotZones(r.Spec, d, r.Ledger[d.Name]) {
			if !slices.Contains(names, zone) {
				names = append(names, zone)
			}
		}
	}
	for d := range r.Scope.Domains(r.Spec) {
		add(d)
	}
	for _, d := range r.Removed {
		add(d)
	}
	for _, name := range r.Scope.Selection() {
		add(spec.Domain{Name: name, DNS: spec.DNSManual})
	}
	return names
}

// publishes reports whether a step is about records; nil means all steps.
func publishes(list []step.Step) bool {
	return list == nil || slices.ContainsFunc(list, func(st step.Step) bool { return st.DNS })
}

// namesToResolve returns the names to look up: of the domains, of the host and of its
// addresses. Without an answer about the host, they are those of this machine.
func (r Request) namesToResolve(fqdn string) []string {
	var names []string
	known := map[string]bool{"": true}
	add := func(name string) {
		if !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	h := r.Spec.Host
	add(h.Hostname)
	if r.Scope.WholeHost() {
		add(h.Domain)
		if h.Hostname == "" && fqdn != "" {
			add(fqdn)
			add(mailDomain(fqdn))
		}
		for _, a := range h.Addresses {
			add(a.String())
		}
	}
	for d := range r.Scope.Domains(r.Spec) {
		add(d.Name)
		add(d.SPF.Redirect)
	}
	return names
}

// mailDomains returns the domains that others may send mail to.
func (r Request) mailDomains() []string {
	names := []string{r.Spec.Host.Domain}
	for d := range r.Scope.Domains(r.Spec) {
		names = append(names, d.Name)
	}
	return sortedUnique(names)
}

// mailDomain returns the probable mail domain of a host name: its parent, unless that
// is a top-level domain.
func mailDomain(host string) string {
	_, rest, _ := strings.Cut(host, ".")
	if !strings.Contains(rest, ".") {
		return host
	}
	return rest
}

// sortedUnique returns the names that are not empty, sorted and each once.
func sortedUnique(names []string) []string {
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	slices.Sort(names)
	return slices.Compact(names)
}
