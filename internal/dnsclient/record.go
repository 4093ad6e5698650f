package dnsclient

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unique"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// FromRR returns a record in the form of state.Record: canonical owner name,
// rdata in presentation form with lower-case names; the strings of a TXT
// unescaped and joined without a separator (RFC 6376 section 3.6.2.2, RFC 7208
// section 3.3).
func FromRR(rr dns.RR) state.Record {
	h := rr.Header()
	return state.Record{
		Name:  dns.CanonicalName(h.Name),
		Type:  dns.TypeToString[h.Rrtype],
		TTL:   h.Ttl,
		Value: value(rr),
	}
}

func value(rr dns.RR) string {
	switch v := rr.(type) {
	case *dns.TXT:
		return unique.Make(zonefile.Unescape(strings.Join(v.Txt, ""))).Value() // many zones have the same
	case *dns.MX:
		return strconv.Itoa(int(v.Preference)) + " " + dns.CanonicalName(v.Mx)
	case *dns.NS:
		return dns.CanonicalName(v.Ns)
	case *dns.CNAME:
		return dns.CanonicalName(v.Target)
	case *dns.PTR:
		return dns.CanonicalName(v.Ptr)
	default:
		return strings.TrimPrefix(rr.String(), rr.Header().String())
	}
}

// ToRR is the inverse of FromRR. The value of a TXT is cut into strings of 255
// octets, in which the library wants backslash, quote and unprintable octets
// escaped as in a zone file.
func ToRR(r state.Record) (dns.RR, error) {
	t, ok := dns.StringToType[r.Type]
	if !ok {
		return nil, fmt.Errorf("%s: unknown record type %q", r.Name, r.Type)
	}
	head := dns.RR_Header{Name: dns.CanonicalName(r.Name), Rrtype: t, Class: dns.ClassINET, Ttl: r.TTL}
	if t == dns.TypeTXT {
		rr := &dns.TXT{Hdr: head}
		for _, s := range zonefile.SplitTXT(r.Value) {
			rr.Txt = append(rr.Txt, zonefile.Escape(s))
		}
		return rr, nil
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s %d IN %s %s", head.Name, r.TTL, r.Type, r.Value))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Name, r.Type, err)
	}
	return rr, nil
}

func FromRRs(rrs []dns.RR) []state.Record {
	list := make([]state.Record, 0, len(rrs))
	for _, rr := range rrs {
		list = append(list, FromRR(rr))
	}
	return list
}

func Distinct(rrs []dns.RR) []dns.RR {
	var list []dns.RR
	for _, rr := range rrs {
		if !slices.ContainsFunc(list, func(x dns.RR) bool { return dns.IsDuplicate(x, rr) }) {
			list = append(list, rr)
		}
	}
	return list
}

// Same reports whether two records are equal except for the TTL, in canonical form.
func Same(a, b state.Record) bool {
	return strings.EqualFold(a.Type, b.Type) &&
		dns.CanonicalName(a.Name) == dns.CanonicalName(b.Name) &&
		canonical(a.Type, a.Value) == canonical(b.Type, b.Value)
}

func canonical(rtype, v string) string {
	switch strings.ToUpper(rtype) {
	case "TXT":
		return v
	case "A", "AAAA":
		if a, err := netip.ParseAddr(v); err == nil {
			return a.String()
		}
		return v
	case "MX", "NS", "CNAME", "PTR":
		fields := strings.Fields(strings.ToLower(v))
		if n := len(fields) - 1; n >= 0 {
			fields[n] = dns.Fqdn(fields[n])
		}
		return strings.Join(fields, " ")
	default:
		return strings.Join(strings.Fields(strings.ToLower(v)), " ")
	}
}
