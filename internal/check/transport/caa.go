package transport

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// caNames are the names of authorities in CAA records, by a part of the organization
// that their certificates give. Of others it is not known what they obey.
var caNames = []struct {
	organization string
	names        []string
}{
	{"let's encrypt", []string{"letsencrypt.org"}},
	{"zerossl", []string{"sectigo.com", "zerossl.com"}},
	{"sectigo", []string{"sectigo.com", "comodoca.com", "comodo.com", "usertrust.com", "trust-provider.com"}},
	{"digicert", []string{"digicert.com", "digicert.ne.jp", "symantec.com", "geotrust.com", "rapidssl.com", "thawte.com", "quovadisglobal.com"}},
	{"google trust services", []string{"pki.goog"}},
	{"globalsign", []string{"globalsign.com"}},
	{"buypass", []string{"buypass.com", "buypass.no"}},
	{"actalis", []string{"actalis.it"}},
	{"godaddy", []string{"godaddy.com", "starfieldtech.com"}},
	{"ssl corp", []string{"ssl.com"}},
	{"harica", []string{"harica.gr"}},
	{"hellenic academic", []string{"harica.gr"}},
	{"d-trust", []string{"d-trust.net", "dtrust.de"}},
	{"swisssign", []string{"swisssign.com", "swisssign.net"}},
}

// caNamesOf returns the names of the authority that issued a certificate, nil if it is
// not known.
func caNamesOf(c *x509.Certificate) []string {
	for _, o := range c.Issuer.Organization {
		for _, ca := range caNames {
			if strings.Contains(strings.ToLower(o), ca.organization) {
				return ca.names
			}
		}
	}
	return nil
}

// caa judges whether CAA records let the authority of the certificate in use renew it
// (RFC 8659).
func (c *checker) caa(ctx context.Context, h mxHost) []finding.Finding {
	i := slices.IndexFunc(h.sessions, func(s session) bool { return s.secure() && len(s.chain) > 0 && caNamesOf(s.chain[0]) != nil })
	if i < 0 {
		return nil
	}
	names := caNamesOf(h.sessions[i].chain[0])
	f := finding.Finding{ID: "caa", Subject: h.name, Severity: finding.OK, Expected: `issue "` + names[0] + `"`}
	owner, records, err := c.lookUpCAA(ctx, h.name)
	switch allowed, limited := issuers(records); {
	case err != nil:
		f.Severity, f.Seen = finding.Unknown, clip(err.Error())
	case !limited:
		f.Seen = "every authority may issue certificates"
	case slices.ContainsFunc(allowed, func(a string) bool { return slices.Contains(names, a) }):
		f.Seen = owner + " allows " + clip(strings.Join(allowed, ", "))
	default:
		f.Severity = finding.Warning
		f.Seen = owner + " does not allow " + names[0] + ", which issued the certificate in use: it cannot be renewed"
		f.Remedy = owner + `. CAA 0 issue "` + names[0] + `"`
	}
	return []finding.Finding{f}
}

// lookUpCAA returns the records of the closest name at or above the host that has some
// (RFC 8659 section 3).
func (c *checker) lookUpCAA(ctx context.Context, host string) (owner string, values []string, err error) {
	for at := dnsname.Absolute(host); at != "."; at = dnsname.Parent(at) {
		records, status, err := c.dns.Lookup(ctx, at, "CAA")
		if status == dnsclient.Unknown {
			return "", nil, err
		}
		if status != dnsclient.Found {
			continue
		}
		records = slices.DeleteFunc(slices.Clone(records), func(r state.Record) bool { return r.Type != "CAA" })
		for _, r := range records[:min(len(records), 30)] {
			values = append(values, r.Value)
		}
		return dnsname.TrimDot(at), values, nil
	}
	return "", nil, nil
}

// issuers returns the authorities that CAA records allow; limited is false if they
// allow all.
func issuers(records []string) (allowed []string, limited bool) {
	for _, r := range records {
		f := strings.SplitN(r, " ", 3)
		if len(f) != 3 || !strings.EqualFold(f[1], "issue") {
			continue
		}
		limited = true
		name, _, _ := strings.Cut(strings.Trim(f[2], `"`), ";")
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			allowed = append(allowed, name)
		}
	}
	return allowed, limited
}
