package transport

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// dane are the TLSA records of a host, and whether they count.
type dane struct {
	name    string
	records []*dns.TLSA
	signed  bool
	err     error
}

// maxTLSA bounds how many records are looked at.
const maxTLSA = 20

// lookUpTLSA looks up the TLSA records of port 25 of a host. They count only in a zone
// that is signed: the resolver validated them (AD), or the parent zone has a DS of the
// zone, where the resolver of this machine does not validate or serves the zone itself.
func (c *checker) lookUpTLSA(ctx context.Context, host string) dane {
	d := dane{name: "_25._tcp." + host}
	records, status, err := c.dns.Lookup(ctx, d.name+".", "TLSA")
	if status == dnsclient.Unknown {
		d.err = err
		return d
	}
	for _, r := range records {
		if r.Type != "TLSA" || len(d.records) == maxTLSA {
			continue
		}
		if rr, err := dnsclient.ToRR(r); err == nil {
			d.records = append(d.records, rr.(*dns.TLSA))
		}
	}
	if len(d.records) == 0 {
		return d
	}
	if d.signed, d.err = c.dns.Validated(ctx, d.name+".", "TLSA"); d.signed || d.err != nil {
		return d
	}
	zone, err := c.dns.ZoneOf(ctx, d.name)
	if err != nil {
		d.err = err
		return d
	}
	_, status, err = c.dns.Lookup(ctx, zone, "DS")
	d.signed = status == dnsclient.Found
	d.err = err
	return d
}

// usable are the records that senders go by: PKIX usages 0 and 1 are none of them
// (RFC 7672 section 3.1.3).
func (d dane) usable() []*dns.TLSA {
	return slices.DeleteFunc(slices.Clone(d.records), func(r *dns.TLSA) bool {
		return r.Usage != 2 && r.Usage != 3 || r.Selector > 1 || r.MatchingType > 2
	})
}

// demands reports whether senders deliver by TLS only.
func (d dane) demands() bool { return d.signed && len(d.records) > 0 }

// daneFindings judges the TLSA records of a host against the key in use.
func (h mxHost) daneFindings(files system.Reader, s subject.Server, now time.Time) []finding.Finding {
	f := finding.Finding{ID: "dane.match", Subject: h.dane.name, Expected: "a TLSA record of the key in use, in a signed zone"}
	switch {
	case h.dane.err != nil:
		f.Severity, f.Seen = finding.Unknown, clip(h.dane.err.Error())
		return []finding.Finding{f}
	case len(h.dane.records) == 0:
		f.Severity, f.Seen = finding.Note, "there is no TLSA record: senders cannot know by DNS which key is right"
		return []finding.Finding{f}
	case !h.dane.signed:
		f.Severity, f.Seen = finding.Note, "the zone is not signed: TLSA records have no effect"
		return []finding.Finding{f}
	}
	all := []finding.Finding{h.usage()}
	if len(h.dane.usable()) == 0 {
		return all // without a usable record senders take any certificate (RFC 7672 section 2.2)
	}
	var matches []finding.Finding
	for _, one := range h.sessions {
		if !one.secure() || len(one.chain) == 0 {
			f := f
			f.Severity, f.Seen, f.CausedBy = finding.Unknown, "there is no TLS to see the key by", "tls.starttls"
			matches = append(matches, f)
		}
	}
	for _, chain := range h.chains() {
		matches = append(matches, h.match(f, chain, now))
	}
	match, _ := worst(matches)
	all = append(all, match)
	if match.Severity == finding.OK {
		all = append(all, h.rollover(files, s)...)
	}
	return all
}

// match judges one of the certificates that clients see.
func (h mxHost) match(f finding.Finding, chain []*x509.Certificate, now time.Time) finding.Finding {
	for _, r := range h.dane.usable() {
		if err := matches(r, chain, h.name, now); err == nil {
			f.Severity, f.Seen = finding.OK, clip(rdata(r))
			return f
		}
	}
	key := "the key in use"
	if len(h.chains()) > 1 {
		key = "the " + string(keyOf(chain[0])) + " key, which is in use beside another"
	}
	f.Severity, f.Seen = finding.Problem, "no TLSA record is of "+key+": senders that look at DANE do not deliver; there is "+clip(rdata(h.dane.usable()[0]))
	if r := tlsaOf(chain[0]); r != nil {
		f.Expected = rdata(r)
		f.Remedy = finding.Record(h.dane.name + ". TLSA " + f.Expected)
	}
	return f
}

// matches returns why a TLSA record is not of a chain: usage 3 is about the key of the
// server, 2 about an authority in the chain, and then the name and the dates count, too
// (RFC 7672 section 3.1).
func matches(r *dns.TLSA, chain []*x509.Certificate, host string, now time.Time) error {
	if r.Usage == 3 {
		return verifyTLSA(r, chain[0])
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	for _, c := range chain[1:] {
		if verifyTLSA(r, c) != nil {
			continue
		}
		roots := x509.NewCertPool()
		roots.AddCert(c)
		_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, DNSName: host})
		return err
	}
	return errors.New("no authority of the chain")
}

// verifyTLSA compares a record, whose digits may be of either case, with a certificate.
func verifyTLSA(r *dns.TLSA, c *x509.Certificate) error {
	lower := *r
	lower.Certificate = strings.ToLower(r.Certificate)
	return lower.Verify(c)
}

// tlsaOf returns the record 3 1 1 of a certificate.
func tlsaOf(c *x509.Certificate) *dns.TLSA {
	r := &dns.TLSA{}
	if err := r.Sign(3, 1, 1, c); err != nil {
		return nil
	}
	return r
}

func rdata(r *dns.TLSA) string {
	return fmt.Sprintf("%d %d %d %s", r.Usage, r.Selector, r.MatchingType, strings.ToLower(r.Certificate))
}

// usage judges the parameters of all records.
func (h mxHost) usage() finding.Finding {
	f := finding.Finding{ID: "dane.usage", Subject: h.dane.name, Severity: finding.OK, Expected: "3 1 1 or 2 1 1"}
	var seen []string
	for _, r := range h.dane.records {
		parameters := fmt.Sprintf("%d %d %d", r.Usage, r.Selector, r.MatchingType)
		seen = append(seen, parameters)
		switch {
		case r.Usage < 2 || r.Usage > 3:
			f.Severity, f.Why = finding.Warning, "Of the usages only 2 and 3 mean something to mail servers; senders leave the others out, or do not verify at all."
		case r.Usage == 3 && r.Selector == 0 && f.Severity == finding.OK:
			f.Severity, f.Why = finding.Warning, "A record of the whole certificate (selector 0) is wrong as soon as the certificate is renewed, even with the same key."
		case r.MatchingType != 1 && f.Severity == finding.OK && !h.dane.with(r.Usage, r.Selector):
			f.Severity, f.Why = finding.Warning, "Every sender knows matching type 1 (SHA-256); one that does not know the others delivers as if there were no record."
		}
	}
	f.Seen = strings.Join(slices.Compact(seen), ", ")
	if f.Severity == finding.Warning {
		f.Remedy = finding.Text("publish a record 3 1 1 of the key in use at " + h.dane.name + ", and take this one out once the old one is out of caches")
		for _, s := range h.sessions {
			if s.secure() && len(s.chain) > 0 && tlsaOf(s.chain[0]) != nil {
				f.Remedy = finding.Record(h.dane.name + ". TLSA " + rdata(tlsaOf(s.chain[0])))
			}
		}
	}
	return f
}

// with reports whether there is a record with matching type 1 beside others.
func (d dane) with(usage, selector uint8) bool {
	return slices.ContainsFunc(d.records, func(r *dns.TLSA) bool { return r.Usage == usage && r.Selector == selector && r.MatchingType == 1 })
}

// rollover judges what becomes of the match when the certificate is renewed: certbot
// makes a new key each time unless told otherwise, and a single record of the present
// key is wrong then.
func (h mxHost) rollover(files system.Reader, s subject.Server) []finding.Finding {
	f := finding.Finding{ID: "dane.rollover", Subject: h.dane.name, Expected: "a renewal that keeps the key, or a record of the next key beside this one"}
	if slices.ContainsFunc(h.dane.usable(), h.outlasts) {
		f.Severity, f.Seen = finding.OK, fmt.Sprintf("%d records, of more than the keys in use", len(h.dane.usable()))
		return []finding.Finding{f}
	}
	for _, name := range certbotNames(s.Facts.Postfix) {
		file, keeps, known := keepsKey(files, name)
		switch {
		case !known:
		case keeps:
			f.Severity, f.Seen = finding.OK, file+" keeps the key"
		default:
			f.Severity, f.Seen = finding.Warning, "no record of another key, and the renewal by "+file+" makes a new one"
			f.Remedy = finding.Command("certbot reconfigure --cert-name %s --reuse-key", name)
			return []finding.Finding{f}
		}
	}
	if f.Severity == "" {
		return nil
	}
	return []finding.Finding{f}
}

// outlasts reports whether a record may match after a renewal with a new key: it is of an
// authority, or of a key that is not in use yet.
func (h mxHost) outlasts(r *dns.TLSA) bool {
	return r.Usage == 2 || !slices.ContainsFunc(h.chains(), func(c []*x509.Certificate) bool { return verifyTLSA(r, c[0]) == nil })
}

// keepsKey reports whether certbot renews a certificate with the same key, by the file
// that says so. Known is false if there is none.
func keepsKey(files system.Reader, name string) (file string, keeps, known bool) {
	file, settings := renewal(files, name)
	return file, strings.EqualFold(settings["reuse_key"], "true"), settings != nil
}

// renewal returns how certbot renews a certificate, nil where it does not.
func renewal(files system.Reader, name string) (file string, settings map[string]string) {
	file = "/etc/letsencrypt/renewal/" + name + ".conf"
	if files == nil {
		return file, nil
	}
	o, err := files.Read(state.Path(file))
	if err != nil || o.Kind != state.Regular {
		return file, nil
	}
	settings = map[string]string{}
	for line := range strings.Lines(string(o.Content)) {
		key, value, _ := strings.Cut(line, "=")
		settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return file, settings
}

// certbotNames are what certbot calls the certificates of Postfix, none if another
// program made them.
func certbotNames(p *state.Postfix) []string {
	if p == nil {
		return nil
	}
	var names []string
	for _, parameter := range []string{"smtpd_tls_chain_files", "smtpd_tls_cert_file", "smtpd_tls_eccert_file"} {
		parts := strings.Split(p.Raw[parameter], "/etc/letsencrypt/live/")
		for _, rest := range parts[1:] {
			name, _, _ := strings.Cut(rest, "/")
			if isPlain(name) && !strings.Contains(name, "..") && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
