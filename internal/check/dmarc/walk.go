package dmarc

import (
	"context"
	"strings"

	"golang.org/x/net/publicsuffix"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
)

// maxQueries is how many names a walk asks for at most (RFC 9989 section 4.10).
const maxQueries = 8

// published is the policy that a domain publishes itself.
type published struct {
	domain string
	policy.DMARC
}

// walk is the DNS Tree Walk of RFC 9989 section 4.10 from a domain up.
type walk struct {
	from  string
	found []published // from the longest name to the shortest
	err   error       // why the walk ended early, so that no other verdict than on found is possible
}

// walkUp asks the resolver.
func walkUp(ctx context.Context, dns *dnsclient.Client, from string) walk {
	w := walk{from: from}
	for _, domain := range steps(from) {
		records, _, err := dns.Lookup(ctx, dnsname.Policy(domain)+".", "TXT")
		if err != nil {
			w.err = err
			return w
		}
		var valid []string
		for _, r := range records {
			if r.Type == "TXT" && policy.IsPolicyRecord(r.Value) {
				valid = append(valid, r.Value)
			}
		}
		if len(valid) != 1 {
			continue
		}
		d, _ := policy.ReadDMARC(valid[0])
		w.found = append(w.found, published{domain, d})
		if psd, _ := d.Get("psd"); strings.EqualFold(psd, "n") || strings.EqualFold(psd, "y") {
			break
		}
	}
	return w
}

// steps are the domains of which a walk asks.
func steps(from string) []string {
	list := []string{from}
	labels := strings.Split(from, ".")
	if len(labels) >= maxQueries {
		labels = labels[len(labels)-maxQueries+1:]
	} else {
		labels = labels[1:]
	}
	for ; len(labels) > 0; labels = labels[1:] {
		list = append(list, strings.Join(labels, "."))
	}
	return list
}

// organization returns the Organizational Domain (RFC 9989 section 4.10.2).
func (w walk) organization() string {
	for _, p := range w.found {
		psd, _ := p.Get("psd")
		switch {
		case strings.EqualFold(psd, "n"):
			return p.domain
		case strings.EqualFold(psd, "y") && p.domain != w.from:
			return oneBelow(w.from, p.domain)
		}
	}
	if n := len(w.found); n > 0 {
		return w.found[n-1].domain
	}
	return w.from
}

// oneBelow returns the name on the way from a domain up to another one that is a label
// longer than that.
func oneBelow(domain, above string) string {
	rest := strings.TrimSuffix(domain, "."+above)
	return rest[strings.LastIndexByte(rest, '.')+1:] + "." + above
}

// policyFor returns the policy that applies to mail from the domain of the walk (RFC
// 9989 section 4.10.1): its own, that of its organization, or of its public suffix.
func (w walk) policyFor() (published, bool) {
	organization := w.organization()
	for _, of := range []string{w.from, organization, dnsname.TrimDot(dnsname.Parent(organization + "."))} {
		for _, p := range w.found {
			if p.domain == of && of != "" {
				return p, true
			}
		}
	}
	return published{}, false
}

// listed returns the organizational domain by the Public Suffix List, as receivers
// before RFC 9989 have it (OpenDMARC 1.4); "" if the list does not have the top level.
func listed(domain string) string {
	suffix, official := publicsuffix.PublicSuffix(domain)
	if !official && !strings.Contains(suffix, ".") {
		return ""
	}
	organization, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	return organization
}
