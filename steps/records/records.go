// Package records says which DNS records the mail of a domain needs, and compares
// them with those that are there.
package records

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// ForDomain returns all DNS records that a domain's mail needs, in the order in
// which one explains them: the host (with the primary domain only), who
// receives, who may send, who signed, what to do with the rest.
func ForDomain(h spec.Host, d spec.Domain, keys []keyring.Key) []state.Record {
	var rrs []state.Record
	add := func(name, typ, value string) {
		rrs = append(rrs, state.Record{Name: name + ".", Type: typ, TTL: d.TTL, Value: value})
	}
	primary := d.Name == h.Domain
	for _, a := range h.Addresses {
		if primary {
			add(h.Hostname, addressType(a), a.String())
		}
	}
	if d.Receive {
		add(d.Name, "MX", "10 "+h.Hostname+".")
	}
	add(d.Name, "TXT", SPF(h, d))
	if primary && h.Hostname != d.Name {
		add(h.Hostname, "TXT", heloSPF(h, d))
	}
	if s := (spec.Spec{Host: h}); Delegates(s, d) {
		for _, ns := range NameServers(s, d) {
			add(dnsname.KeyZone(d.Name), "NS", ns+".")
		}
	}
	for _, k := range keys {
		switch {
		case k.Stage == keyring.Gone, k.SlotZone != "":
		case k.Stage == keyring.Revoked:
			rrs = append(rrs, k.RevokedRecord(d.Name, d.TTL))
		default:
			rrs = append(rrs, k.Record(d.Name, d.TTL))
		}
	}
	if s := (spec.Spec{Host: h}); len(SlotZones(s, d, keys)) > 0 {
		slots := Slots(s, d)
		rrs = append(append(rrs, slots.Aliases(d.Name, keys, d.TTL)...), slots.Records(d.Name, keys, d.TTL)...)
	}
	add(dnsname.Policy(d.Name), "TXT", DMARC(d))
	return rrs
}

// Planned returns the addresses and mail exchangers among the records of all domains:
// existing SPF records may name them before they are served.
func Planned(s spec.Spec) []state.Record {
	var rrs []state.Record
	for _, d := range s.Domains {
		if d.Receive || d.Name == s.Host.Domain { // the others have texts only
			rrs = append(rrs, ForDomain(s.Host, d, nil)...)
		}
	}
	return slices.DeleteFunc(rrs, func(r state.Record) bool { return r.Type == "TXT" })
}

// Of returns the records of one domain of the spec. A host with the name of another
// domain uses the SPF record of that one: two are a permanent error. Only the primary
// domain has the records of the host. For a run about keys alone it returns key records
// only.
func Of(in step.Input, d spec.Domain) []state.Record {
	host := in.Spec.Host.Hostname
	rrs := ForDomain(in.Spec.Host, d, in.Ledger[d.Name])
	if in.KeysOnly {
		return slices.DeleteFunc(rrs, func(r state.Record) bool { return KindOf(d, r) != AboutKey })
	}
	if d.Name == host || d.Name != in.Spec.Host.Domain || !in.Spec.Has(host) {
		return rrs
	}
	return slices.DeleteFunc(rrs, func(r state.Record) bool { return r.Name == host+"." && r.Type == "TXT" })
}

func addressType(a netip.Addr) string {
	if a.Is4() {
		return "A"
	}
	return "AAAA"
}

// SPF returns the policy of RFC 7208 for mail of the domain: this host's addresses,
// the mail exchangers where we receive, third parties, and what the rest is; or
// the name of the domain whose record says all that. The addresses come first:
// receivers give up at the third name without an address of the sender's family
// (section 4.6.4), and the hosts of an mx are such names.
func SPF(h spec.Host, d spec.Domain) string {
	if !d.Sends() {
		return nobodySends
	}
	if d.SPF.Redirect != "" {
		return "v=spf1 redirect=" + d.SPF.Redirect
	}
	terms := append([]string{"v=spf1"}, ipTerms(h.Addresses)...)
	if d.Receive {
		terms = append(terms, "mx")
	}
	for _, i := range d.SPF.Include {
		terms = append(terms, "include:"+i)
	}
	return strings.Join(append(terms, qualifier(d.SPF.All)+"all"), " ")
}

// nobodySends is the SPF record of a domain that sends no mail.
const nobodySends = "v=spf1 -all"

// heloSPF returns the policy for the HELO identity (RFC 7208 section 2.3), which is all
// that can be checked when a bounce leaves with an empty envelope sender.
func heloSPF(h spec.Host, d spec.Domain) string {
	terms := append([]string{"v=spf1"}, ipTerms(h.Addresses)...)
	return strings.Join(append(terms, qualifier(d.SPF.All)+"all"), " ")
}

func ipTerms(addrs []netip.Addr) []string {
	terms := make([]string, 0, len(addrs))
	for _, a := range addrs {
		if a.Is4() {
			terms = append(terms, "ip4:"+a.String())
		} else {
			terms = append(terms, "ip6:"+a.String())
		}
	}
	return terms
}

func qualifier(all string) string {
	switch all {
	case "fail":
		return "-"
	case "neutral":
		return "?"
	default:
		return "~"
	}
}

// dmarcPolicy returns p=: mail of a domain that sends none is refused.
func dmarcPolicy(d spec.Domain) string {
	if d.Role == spec.Parked {
		return "reject"
	}
	return d.DMARC.Policy
}

// DMARC returns the policy record of RFC 9989. The policy comes right after the
// version, where readers of the older RFC 7489 expect it.
func DMARC(d spec.Domain) string {
	tags := []string{"v=DMARC1", "p=" + dmarcPolicy(d)}
	if d.DMARC.SubdomainPolicy != "" {
		tags = append(tags, "sp="+d.DMARC.SubdomainPolicy)
	}
	if d.DMARC.ADKIM != "" {
		tags = append(tags, "adkim="+d.DMARC.ADKIM[:1])
	}
	if d.DMARC.ASPF != "" {
		tags = append(tags, "aspf="+d.DMARC.ASPF[:1])
	}
	if len(d.DMARC.RUA) > 0 {
		tags = append(tags, "rua="+strings.Join(d.DMARC.RUA, ","))
	}
	if len(d.DMARC.RUF) > 0 {
		tags = append(tags, "ruf="+strings.Join(d.DMARC.RUF, ","))
	}
	return strings.Join(tags, "; ")
}
