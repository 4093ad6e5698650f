package dns

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// retained returns the records of our fragment that stay unchanged: those outside the
// run's scope, and keys of removed domains whose mail may still be in a queue.
func retained(in step.Input, zone state.Zone) []state.Record {
	return slices.DeleteFunc(withoutCopies(zone), func(r state.Record) bool {
		return !isRetained(in, r) || zone.IncludeLost && !publishedHere(in, r)
	})
}

// publishedHere reports whether a record of a fragment that its zone no longer includes
// is still needed: its domain is published by the BIND of this machine, or it is a key
// whose mail may still be in a queue.
func publishedHere(in step.Input, r state.Record) bool {
	name := dnsname.TrimDot(r.Name)
	if _, domain, isSlot := records.SplitSlot(in, name); isSlot {
		return records.SlotMode(in.Spec) == spec.DNSBind || !in.Has(domain)
	}
	if about, _, isConsent := dnsname.SplitReportConsent(name); isConsent {
		name = about
	}
	if name == in.Spec.Host.Hostname && !in.Has(name) {
		name = in.Spec.Host.Domain
	}
	for ; name != ""; _, name, _ = strings.Cut(name, ".") {
		if i, ok := slices.BinarySearchFunc(in.Spec.Domains, name, func(d spec.Domain, name string) int { return cmp.Compare(d.Name, name) }); ok {
			return in.Spec.DNSOf(in.Spec.Domains[i]) == spec.DNSBind || records.IsDelegated(in.Spec, in.Spec.Domains[i], r)
		}
		if len(in.Ledger[name]) > 0 {
			return true
		}
	}
	return false
}

// notCompared returns our records that this run keeps without comparing them: the
// retained ones, and those of domains that are published in another way now.
func notCompared(in step.Input, z state.Zone, others publishedElsewhere) []state.Record {
	keep := retained(in, z)
	if z.IncludeLost {
		return keep
	}
	for _, r := range withoutCopies(z) {
		if _, found := others.domainOf(r); found {
			keep = append(keep, r)
		}
	}
	return keep
}

// publishedElsewhere are domains with their records, by the name of the record.
type publishedElsewhere map[string][]domainRecord

type domainRecord struct {
	domain string
	record state.Record
}

// notPublishedBy returns the records of the domains of this run that are published
// in another way than the mode, with their domains.
func notPublishedBy(in step.Input, mode spec.DNSMode) publishedElsewhere {
	all := publishedElsewhere{}
	for d := range in.Scope.Domains(in.Spec) {
		if own := in.Spec.DNSOf(d); (own == mode || mode == spec.DNSUpdate && own.Updates()) && !records.UsesSlots(in, d) {
			continue
		}
		here, list := contentSet(records.By(in, d, mode)), records.Of(in, d)
		list = slices.DeleteFunc(list, func(r state.Record) bool { return here[canonical(r)] })
		if !records.ConsentsHere(in, d) {
			list = append(list, records.PossibleReportConsents(in, d)...)
		}
		for _, r := range list {
			name := strings.ToLower(r.Name)
			all[name] = append(all[name], domainRecord{d.Name, r})
		}
	}
	return all
}

// domainOf returns the domain that has a record at the place of another record.
func (o publishedElsewhere) domainOf(r state.Record) (domain string, found bool) {
	list := o[strings.ToLower(r.Name)]
	i := slices.IndexFunc(list, func(x domainRecord) bool { return records.Conflict(x.record, r) })
	if i < 0 {
		return "", false
	}
	return list[i].domain, true
}

// ourRecords returns what earlier runs put into a zone.
func ourRecords(zone state.Zone) []state.Record {
	if zone.Update != nil {
		return slices.Clone(zone.Update.OurRecords)
	}
	return slices.Clone(zone.OurRecords)
}

// withoutCopies returns our records in a zone without the copies of wildcards.
func withoutCopies(zone state.Zone) []state.Record {
	all := ourRecords(zone)
	if len(zone.Copies) == 0 {
		return all
	}
	copies := contentSet(zone.Copies)
	return slices.DeleteFunc(all, func(r state.Record) bool { return copies[canonical(r)] })
}

// isRetained reports whether a record of our fragment stays, since the run does not
// decide about it.
func isRetained(in step.Input, r state.Record) bool {
	name := dnsname.TrimDot(r.Name)
	selector, domain, isKey := records.SplitKey(in, name)
	if !isKey {
		return in.KeysOnly || !in.Scope.Complete() && !isRemade(in, name, r.Type)
	}
	i := keyring.Index(in.Ledger[domain], selector)
	switch {
	case i >= 0 && in.Ledger[domain][i].Stage == keyring.Gone && records.InSlot(domain, r) && records.HasSlots(in, domain): // a slot stays
	case i >= 0 && in.Ledger[domain][i].Stage == keyring.Gone:
		return false
	case i >= 0 && !in.Has(domain):
		return true
	}
	return !in.Scope.Includes(domain)
}

// isRemade reports whether a record is about a domain of this run, or about the host of
// such a run: then the run generates it again, or drops it.
func isRemade(in step.Input, name, typ string) bool {
	if about, _, isConsent := dnsname.SplitReportConsent(name); isConsent {
		return in.Scope.Includes(about)
	}
	if domain, isPolicy := dnsname.SplitPolicy(name); isPolicy {
		return in.Scope.Includes(domain)
	}
	if (typ == "MX" || typ == "TXT") && in.Scope.Includes(name) {
		return true
	}
	return name == in.Spec.Host.Hostname && in.Scope.Includes(in.Spec.Host.Domain)
}

// canonical returns a record for comparisons: lower case, without TTL.
func canonical(r state.Record) state.Record {
	r.Name, r.TTL = strings.ToLower(r.Name), 0
	if r.Type != "TXT" {
		r.Value = strings.ToLower(r.Value)
	}
	return r
}

func contentSet(list []state.Record) map[state.Record]bool {
	all := make(map[state.Record]bool, len(list))
	for _, r := range list {
		all[canonical(r)] = true
	}
	return all
}

// addLeaving adds the zones from which records of leaving domains have to be removed.
func addLeaving(in step.Input, parts map[string]*zoneChange) error {
	var names []string
	for _, name := range in.Leaving() {
		names = append(names, name+".")
		for _, k := range in.Ledger[name] {
			names = append(names, k.RecordName(name)+".")
		}
	}
	for domain, selectors := range in.Keys.Withdraw {
		for _, selector := range selectors {
			names = append(names, recordOf(in, domain, selector)+".")
		}
	}
	for _, d := range in.Removed {
		if z, ok := in.Facts.Zones.Closest(d.Name + "."); ok && z.Problem != "" && in.Spec.DNSOf(d) == spec.DNSBind {
			return step.Refuse(fmt.Sprintf("mend that, or set dns = %q in %s; then run it again", spec.DNSManual, spec.DomainFile(d.Name)),
				"%s", z.Trouble())
		}
		for _, r := range append(records.Of(in, d), records.PossibleReportConsents(in, d)...) {
			names = append(names, r.Name)
		}
	}
	if err := unreadable(in); err != nil {
		return err
	}
	for _, name := range names {
		zone, ok := in.Facts.Zones.Closest(name)
		goes := func(r state.Record) bool { return !isRetained(in, r) }
		if p := (&zoneChange{zone: zone}); ok && parts[zone.Origin] == nil && p.included() && slices.ContainsFunc(zone.OurRecords, goes) {
			parts[zone.Origin] = p
		}
	}
	return nil
}

// recordOf returns the name of the record of a key, without final dot.
func recordOf(in step.Input, domain, selector string) string {
	if i := keyring.Index(in.Ledger[domain], selector); i >= 0 {
		return in.Ledger[domain][i].RecordName(domain)
	}
	return dnsname.Key(selector, domain)
}

// unreadable returns the error of domains whose keys are to leave zones here, where
// nobody can tell which zones there are.
func unreadable(in step.Input) error {
	failed := state.DomainErrors{}
	for _, d := range in.Spec.Domains {
		zone, ok := in.Facts.Zones.Closest(d.Name + ".")
		if ok && zone.Origin == "." && len(in.Keys.Withdraw[d.Name]) > 0 && in.Spec.DNSOf(d) == spec.DNSBind {
			failed[d.Name] = refuseUnusable(zone)
		}
	}
	return failed.Err()
}
