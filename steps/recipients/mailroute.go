package recipients

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// MailRoutes returns a function that says where DNS routes mail for a domain (RFC 5321
// section 5.1): by the zones of this machine, else by resolvers, and by what this run
// publishes if there is nothing yet.
func MailRoutes(in step.Input) func(domain string) state.MailRoute {
	planned := map[string][]state.Record{} // by name, in lower case
	for _, r := range records.Planned(in.Spec) {
		name := strings.ToLower(dnsname.TrimDot(r.Name))
		planned[name] = append(planned[name], r)
	}
	return func(domain string) state.MailRoute { return mailRoute(in, strings.ToLower(domain), planned) }
}

func mailRoute(in step.Input, domain string, planned map[string][]state.Record) state.MailRoute {
	mx := exchangersOf(in, domain)
	if len(mx) == 0 {
		mx = ofType(planned[domain], domain, "MX")
	}
	switch {
	case len(mx) > 0 && dnsname.TrimDot(mxHost(mx[0])) == "":
		return state.RouteNull
	case len(mx) > 0 && isThisHost(in, dnsname.TrimDot(mxHost(mx[0])), planned):
		return state.RouteHere
	case len(mx) > 0:
		return state.RouteElsewhere
	}
	addrs, known := addressesOf(in, domain, planned[domain])
	switch {
	case slices.ContainsFunc(addrs, func(a netip.Addr) bool { return isOwnAddress(in, a) }):
		return state.RouteHere
	case len(addrs) > 0:
		return state.RouteElsewhere
	case known:
		return state.RouteNone
	}
	return state.RouteUnknown
}

// exchangersOf returns the MX records of a domain, by preference.
func exchangersOf(in step.Input, domain string) []string {
	zone, here := in.Facts.Zones.Closest(domain + ".")
	if here && zone.Problem == "" && !zone.NotLoaded {
		mx := ofType(slices.Concat(zone.Records, zone.OurRecords), domain, "MX")
		slices.SortStableFunc(mx, byPreference)
		return mx
	}
	var mx []string
	for _, host := range in.Facts.Live[domain].MX {
		mx = append(mx, "0 "+host)
	}
	return mx
}

func byPreference(a, b string) int {
	number := func(s string) string {
		n, _, _ := strings.Cut(s, " ")
		return strings.Repeat("0", max(0, 5-len(n))) + n
	}
	return strings.Compare(number(a), number(b))
}

// mxHost returns the host in an MX record's data.
func mxHost(value string) string {
	return strings.ToLower(value[strings.LastIndexByte(value, ' ')+1:])
}

// addressesOf returns the addresses of a name; known reports that there are no others.
func addressesOf(in step.Input, name string, planned []state.Record) (addrs []netip.Addr, known bool) {
	zone, here := in.Facts.Zones.Closest(name + ".")
	here = here && zone.Problem == "" && !zone.NotLoaded
	values := append(ofType(planned, name, "A"), ofType(planned, name, "AAAA")...)
	if here {
		held := slices.Concat(zone.Records, zone.OurRecords)
		values = slices.Concat(values, ofType(held, name, "A"), ofType(held, name, "AAAA"))
		known = !slices.ContainsFunc(held, func(r state.Record) bool { // CNAME, or a wildcard above the name
			return dnsname.Same(r.Name, name+".") && r.Type == "CNAME" || strings.HasPrefix(r.Name, "*.") && dnsname.Within(name+".", strings.ToLower(r.Name[2:]))
		})
	} else {
		addrs, known = slices.Clone(in.Facts.Live[name].Addresses), in.Facts.Live[name].Asked
	}
	for _, v := range values {
		if a, err := netip.ParseAddr(v); err == nil {
			addrs = append(addrs, a)
		}
	}
	made := slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool { return d.NewZone && dnsname.Within(name, d.Name) })
	return addrs, known || made
}

func ofType(rrs []state.Record, name, kind string) []string {
	var values []string
	for _, r := range rrs {
		if r.Type == kind && dnsname.Same(r.Name, name+".") {
			values = append(values, r.Value)
		}
	}
	return values
}

// isThisHost reports whether a mail exchanger is this server.
func isThisHost(in step.Input, name string, planned map[string][]state.Record) bool {
	if slices.Contains(postfix.OwnNames(in), name) {
		return true
	}
	addrs, _ := addressesOf(in, name, planned[name])
	return slices.ContainsFunc(addrs, func(a netip.Addr) bool { return isOwnAddress(in, a) })
}

func isOwnAddress(in step.Input, a netip.Addr) bool {
	return slices.Contains(in.Spec.Host.Addresses, a) || slices.Contains(in.Facts.Addresses, a) || a.IsLoopback()
}
