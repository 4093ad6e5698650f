package transport

import (
	"context"
	"crypto/x509"
	"net/url"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// caNames are names of authorities in CAA records, by a part of the organization that
// their certificates give. They get others over the years, and of most authorities it is
// not known here which: what is on no list is no mistake therefore.
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

// caa judges whether CAA records let the authorities of the certificates in use renew
// them (RFC 8659).
func (c *checker) caa(ctx context.Context, h mxHost) []finding.Finding {
	var list []finding.Finding
	for _, chain := range h.chains() {
		if caNamesOf(chain[0]) != nil || verify(chain, c.o.Roots, chain[0].NotBefore.Add(time.Minute)) == nil {
			list = append(list, c.caaOf(ctx, h, chain[0]))
		} // else it is of one that obeys nobody
	}
	f, found := worst(list)
	if !found {
		return nil
	}
	return []finding.Finding{f}
}

// caaOf judges one certificate. That its authority is forbidden is certain only if nobody
// is allowed, or those alone of whom it is known that they are others.
func (c *checker) caaOf(ctx context.Context, h mxHost, cert *x509.Certificate) finding.Finding {
	f := finding.Finding{ID: "caa", Subject: h.name, Severity: finding.OK}
	names := caNamesOf(cert)
	if len(names) > 0 {
		f.Expected = `issue "` + names[0] + `"`
	}
	issuer := clip(strings.Join(cert.Issuer.Organization, ", "))
	owner, records, err := c.lookUpCAA(ctx, h.name)
	allowed, limited := issuers(records)
	switch {
	case err != nil:
		f.Severity, f.Seen = finding.Unknown, clip(err.Error())
	case !limited:
		f.Seen = "every authority may issue certificates"
	case slices.ContainsFunc(allowed, func(a string) bool { return slices.Contains(names, a) || c.isNameOf(a, cert) }):
		f.Seen = owner + " allows " + clip(strings.Join(allowed, ", "))
	case len(allowed) > 0 && (len(names) == 0 || slices.ContainsFunc(allowed, isUnknownCA)):
		f.Severity, f.Seen = finding.Note, owner+" allows "+clip(strings.Join(allowed, ", "))+"; whether these are names of "+issuer+", which issued the certificate in use, is not known"
		f.Remedy = finding.Text("see in the documents of " + issuer + " which name CAA has to allow")
	default:
		f.Severity, f.Seen = finding.Warning, owner+" does not allow "+issuer+", which issued the certificate in use: it cannot be renewed"
		f.Remedy = finding.Text("allow it with a CAA record of " + owner)
		if len(names) > 0 {
			f.Remedy = finding.Record(owner + `. CAA 0 issue "` + names[0] + `"`)
		}
	}
	return f
}

// isUnknownCA reports whether a name in a CAA record is of no authority that is known.
func isUnknownCA(name string) bool {
	for _, ca := range caNames {
		if slices.Contains(ca.names, name) {
			return false
		}
	}
	return true
}

// isNameOf reports whether a name in a CAA record is evidently one of who issued a
// certificate: above the hosts that the certificate names as those of its authority, or
// above the one that certbot asks for it.
func (c *checker) isNameOf(name string, cert *x509.Certificate) bool {
	urls := slices.Concat(cert.IssuingCertificateURL, cert.OCSPServer, cert.CRLDistributionPoints)
	for _, of := range certbotNames(c.server.Facts.Postfix) {
		_, settings := renewal(c.o.Files, of)
		urls = append(urls, settings["server"])
	}
	return strings.Contains(name, ".") && slices.ContainsFunc(urls, func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && (strings.EqualFold(u.Hostname(), name) || strings.HasSuffix(strings.ToLower(u.Hostname()), "."+name))
	})
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
