package spfcheck

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	spf "blitiri.com.ar/go/spf"
	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/policy"
)

// receiver is the DNS of one evaluation as strict receivers use it (pyspf, which is
// Debian's policyd-spf, and Mail::SPF). go/spf itself would query addresses of both
// families, would not count the hosts of an mx without any, and would stop at the term
// that matches, before a syntax error after it. It implements spf.DNSResolver.
type receiver struct {
	names    *resolvedNames
	families []string // A, AAAA: the types that are asked for
	void     int      // how many look-ups may bring nothing

	voids  int
	exists []*regexp.Regexp // names that exists: may ask for, which is always A
	fault  error            // why the evaluation is a permanent error
}

// found returns go/spf's error for the status of an answer, and counts void look-ups.
func (r *receiver) found(name string, status dnsclient.Status) error {
	if status == dnsclient.NoData || status == dnsclient.NXDomain {
		if r.voids++; r.voids > r.void && r.fault == nil {
			r.fault = spf.ErrVoidLookupLimitReached
		}
	}
	if r.fault != nil {
		return r.fault
	}
	return absent(name, status)
}

func absent(name string, status dnsclient.Status) error {
	if status == dnsclient.Found {
		return nil
	}
	return &net.DNSError{Err: status.String(), Name: name, IsNotFound: status != dnsclient.Unknown, IsTemporary: status == dnsclient.Unknown}
}

// LookupTXT implements spf.DNSResolver. It checks the whole record: a syntax error
// anywhere is a permerror (RFC 7208 section 4.6).
func (r *receiver) LookupTXT(ctx context.Context, name string) ([]string, error) {
	values, status := r.names.ask(ctx, name, "TXT")
	for _, text := range values {
		if !policy.IsSPF(text) {
			continue
		}
		rec, err := policy.ParseSPF(text)
		if err != nil {
			r.fault = err
			return nil, err
		}
		for _, t := range rec.Terms() {
			if t.Name == "exists" {
				r.exists = append(r.exists, anyExpansion(t.Value))
			}
		}
	}
	return withoutMapped(values), absent(name, status)
}

// mapped reports whether a term is an ip6 with an IPv4-mapped address, which no
// client matches (RFC 7208 section 5.6). go/spf lets it match IPv4 clients.
func mapped(term string) bool {
	name, value, _ := strings.Cut(strings.TrimLeft(term, "-+?~"), ":")
	addr, _, _ := strings.Cut(value, "/")
	a, err := netip.ParseAddr(addr)
	return strings.EqualFold(name, "ip6") && err == nil && a.Is4In6()
}

// withoutMapped takes such terms out of SPF records.
func withoutMapped(texts []string) []string {
	texts = slices.Clone(texts)
	for i, text := range texts {
		if policy.IsSPF(text) {
			texts[i] = strings.Join(slices.DeleteFunc(strings.Split(text, " "), mapped), " ")
		}
	}
	return texts
}

var macro = regexp.MustCompile(`%(?:[%_-]|\{[^}]*\})`)

// anyExpansion matches all possible expansions of a domain-spec.
func anyExpansion(spec string) *regexp.Regexp {
	parts := macro.Split(strings.TrimSuffix(spec, "."), -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile(`(?i)^` + strings.Join(parts, `.*`) + `\.?$`)
}

// LookupMX implements spf.DNSResolver. A null MX (RFC 7505) names no host.
func (r *receiver) LookupMX(ctx context.Context, name string) ([]*net.MX, error) {
	values, status := r.names.ask(ctx, name, "MX")
	var list []*net.MX
	for _, v := range values {
		p, host, _ := strings.Cut(v, " ")
		pref, _ := strconv.ParseUint(p, 10, 16)
		if host != "." {
			list = append(list, &net.MX{Host: host, Pref: uint16(pref)})
		}
	}
	return list, r.found(name, status)
}

// LookupIPAddr implements spf.DNSResolver.
func (r *receiver) LookupIPAddr(ctx context.Context, name string) ([]net.IPAddr, error) {
	families := r.families
	for _, e := range r.exists {
		if e.MatchString(name) {
			families = []string{"A"} // RFC 7208 section 5.7
		}
	}
	var list []net.IPAddr
	status := dnsclient.NoData
	for _, rtype := range families {
		values, s := r.names.ask(ctx, name, rtype)
		if s == dnsclient.Unknown || s == dnsclient.Found && status != dnsclient.Unknown {
			status = s
		}
		for _, v := range values {
			list = append(list, net.IPAddr{IP: net.ParseIP(v)})
		}
	}
	return list, r.found(name, status)
}

// LookupAddr implements spf.DNSResolver.
func (r *receiver) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return nil, err
	}
	name, _ := dns.ReverseAddr(a.String())
	values, status := r.names.ask(ctx, name, "PTR")
	return values, r.found(name, status)
}
