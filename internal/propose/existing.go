package propose

import (
	"cmp"
	"slices"
	"strconv"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
)

// Source says from which record an answer comes, in words that follow a proposal; "" if
// there is no record.
type Source struct{ SPF, DMARC string }

// FromRecords completes the answers about a new domain from its existing SPF and DMARC
// records, in its zone here or in DNS: defaults are for what is new. What the spec
// cannot express stays in the record. Of records that mailsetup itself made nothing else
// may tell what was asked for, once the package was purged.
func FromRecords(a spec.Answers, f state.Facts, domain string) (spec.Answers, Source) {
	var why Source
	zone, _ := f.Zones.Closest(domain + ".")
	texts := func(name string, is func(string) bool) []string {
		list := records.TXTRecords(f, name, is)
		for _, r := range zone.OurRecords {
			if r.Type == "TXT" && dnsname.Same(r.Name, name+".") && is(r.Value) {
				fillEmpty(&a.TTL, strconv.FormatUint(uint64(r.TTL), 10))
				if !slices.Contains(list, r.Value) {
					list = append(list, r.Value)
				}
			}
		}
		return list
	}
	if list := texts(domain, policy.IsSPF); len(list) == 1 {
		if s, err := policy.ParseSPF(list[0]); err == nil {
			fromSPF(&a, s, domain)
			why.SPF = "the SPF record of " + domain + " says so"
		}
	}
	if list := texts(dnsname.Policy(domain), policy.IsDMARC); len(list) == 1 {
		if r, err := policy.ParseDMARC(list[0]); err == nil {
			fromDMARC(&a, r)
			why.DMARC = "the DMARC record of " + domain + " says so"
		}
	}
	return a, why
}

// fromSPF completes answers from an SPF record. It ignores an include of the domain
// itself, a loop that the record's author has to remove.
func fromSPF(a *spec.Answers, s policy.SPF, domain string) {
	all := s.All()
	if all == "pass" {
		all = records.OpenAll
	}
	fillEmpty(&a.SPFAll, all)
	if len(a.SPFInclude) == 0 {
		for _, i := range s.Includes() {
			if name, err := syntax.SPFInclude(i); err == nil && name != domain && !slices.Contains(a.SPFInclude, name) {
				a.SPFInclude = append(a.SPFInclude, name)
			}
		}
	}
}

func fromDMARC(a *spec.Answers, r policy.DMARC) {
	known := func(policy string) string {
		p, _ := spec.DMARCPolicy(policy)
		return p
	}
	fillEmpty(&a.DMARC, known(r.Policy()))
	if _, ok := r.Get("sp"); ok {
		fillEmpty(&a.DMARCSP, known(r.SubdomainPolicy()))
	}
	if _, ok := r.Get("adkim"); ok {
		fillEmpty(&a.ADKIM, r.Alignment("adkim"))
	}
	if _, ok := r.Get("aspf"); ok {
		fillEmpty(&a.ASPF, r.Alignment("aspf"))
	}
	if len(a.RUA) == 0 {
		// Without addresses the domain would get the default one, and the record
		// a change that nobody asked for.
		if a.RUA = reportAddresses(r.URIs("rua")); len(a.RUA) == 0 {
			a.RUA = []string{"none"}
		}
	}
	if len(a.RUF) == 0 {
		a.RUF = reportAddresses(r.URIs("ruf"))
	}
}

func fillEmpty(answer *string, value string) { *answer = cmp.Or(*answer, value) }

// reportAddresses returns the URIs that the spec can express.
func reportAddresses(uris []string) []string {
	var list []string
	for _, u := range uris {
		if uri, err := syntax.Report(records.WithoutSizeLimit(u)); err == nil && !slices.Contains(list, uri) {
			list = append(list, uri)
		}
	}
	return list
}
