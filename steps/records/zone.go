package records

import (
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// OtherNameServer refuses to publish in BIND where another name server has the port.
func OtherNameServer(in step.Input) error {
	if in.Facts.DNS == state.NoDNSServer || in.Facts.DNS == state.BIND {
		return nil
	}
	return step.Refuse("--dns manual prints the records in its form", "%s answers DNS here, not BIND", in.Facts.DNS.Title())
}

// AliasAt returns the CNAME at a name of a zone.
func AliasAt(z state.Zone, name string) (state.Record, bool) {
	for _, x := range z.Records {
		if x.Type == "CNAME" && dnsname.Same(x.Name, name) {
			return x, true
		}
	}
	return state.Record{}, false
}

// TXTRecords returns the TXT records of a name with one purpose: those of its zone
// here, else those in DNS, behind an alias as well.
func TXTRecords(f state.Facts, name string, serve func(string) bool) []string {
	var list []string
	zone, here := f.Zones.Closest(name + ".")
	if here = here && zone.Problem == "" && len(zone.Records) > 0; here {
		for _, r := range zone.Records {
			switch at := dnsname.Same(r.Name, name+"."); {
			case at && r.Type == "CNAME":
				here = false
			case at && r.Type == "TXT":
				list = append(list, r.Value)
			}
		}
	}
	if !here {
		list = slices.Clone(f.Live[strings.ToLower(name)].TXT)
	}
	return slices.DeleteFunc(list, func(t string) bool { return !serve(t) })
}
