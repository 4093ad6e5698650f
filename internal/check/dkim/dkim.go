// Package dkim checks the keys with which mail is signed: their records on every name
// server, the private halves, and their lives.
package dkim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/signer"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
)

// Sources are what the checks read and ask.
type Sources struct {
	DNS   *dnsclient.Client // nil: DNS is not asked
	Files system.Reader
	// LastCheck returns what was last seen of a domain's records.
	LastCheck func(domain string) keyring.LastCheck
}

// key is a key that signs, has signed or will sign.
type key struct {
	keyring.Key
	name  string // of its record, with final dot
	signs bool   // it is the one whose signatures matter now
	// program is whose configuration names it, "" for a key of the ledger.
	program string
}

// checker checks one domain.
type checker struct {
	Sources
	server subject.Server
	domain subject.Domain
	keys   []key
	finding.Result
}

// Check checks the keys of one domain. One that sends no mail needs none.
func Check(ctx context.Context, from Sources, s subject.Server, d subject.Domain) finding.Result {
	if !d.Sends {
		return finding.Result{}
	}
	c := &checker{Sources: from, server: s, domain: d}
	c.findKeys()
	if len(c.keys) == 0 {
		c.noKey()
		return c.Result
	}
	c.checkFiles()
	if c.DNS != nil {
		var adsp []string
		var wg sync.WaitGroup
		wg.Go(func() { adsp = c.askOne(ctx, adspOf(c.domain.Name)) })
		c.learnPublic(ctx)
		c.checkRecords(ctx)
		c.checkStray(ctx)
		wg.Wait()
		c.checkADSP(adsp)
	} else {
		for _, k := range c.keys {
			c.judgeBits(k, k.Bits)
		}
	}
	c.checkLives()
	return c.Result
}

// findKeys finds the keys in the ledger, or else in the configuration of a signer.
func (c *checker) findKeys() {
	d := c.domain
	ours := d.Wanted != nil && d.Wanted.SignedBy == ""
	signing, _ := keyring.Ledger{d.Name: d.Keys}.Signing(d.Name)
	for _, k := range d.Keys {
		if k.Pending() || k.Stage == keyring.Staged || k.Stage == keyring.Gone {
			continue
		}
		c.add(key{Key: k, signs: ours && k.Selector == signing.Selector}, d.Name)
	}
	if ours && len(d.Keys) == 0 && c.server.Unprivileged { // which key signs only root may know
		c.add(key{Key: keyring.Key{Selector: d.Wanted.Selector}}, d.Name)
	}
	for _, s := range d.Selectors {
		if !ours && s.Domain == d.Name { // d= of another domain is that one's key
			c.add(key{
				Key:   keyring.Key{Selector: s.Name, File: s.KeyFile, Stage: keyring.Active},
				signs: true, program: s.Program,
			}, d.Name)
		}
	}
}

// add adds a key, each once.
func (c *checker) add(k key, domain string) {
	k.name = dnsname.Absolute(dnsname.Key(k.Selector, domain))
	if !slices.ContainsFunc(c.keys, func(o key) bool { return strings.EqualFold(o.name, k.name) }) {
		c.keys = append(c.keys, k)
	}
}

// noKey says that the domain has no key, where it should have one.
func (c *checker) noKey() {
	d := c.domain
	switch {
	case d.Wanted != nil && d.Wanted.SignedBy == "" && !c.server.Unprivileged:
		c.report(finding.Finding{
			ID: "dkim.record", Severity: finding.Problem, Seen: "the domain has no key, so its mail is not signed",
			Remedy: finding.Command("mailsetup init"), Fixable: true,
		})
	case len(d.Selectors) > 0 || c.server.Smarthost != "": // signed with the key of another domain, or elsewhere
	default:
		c.report(finding.Finding{
			ID: "dkim.record", Severity: finding.Unknown, Seen: "which key signs its mail is not known: no configuration of a signer here names one",
			Remedy: finding.Command("mailsetup init --domain %s", c.domain.Name),
		})
	}
}

// report adds a finding about the domain.
func (c *checker) report(f finding.Finding) {
	f.Domain, f.Seen = c.domain.Name, shorten(f.Seen)
	c.Findings = append(c.Findings, f)
}

// maxSeen is how long a text of others is shown.
const maxSeen = 220

// shorten cuts a text that is too long to be read.
func shorten(text string) string {
	if len(text) <= maxSeen {
		return text
	}
	return strings.ToValidUTF8(text[:maxSeen-3], "") + "…"
}

// checkFiles compares the private keys with the public ones of the ledger. Of another
// signer it learns the public key.
func (c *checker) checkFiles() {
	if c.server.Unprivileged {
		c.report(finding.Finding{
			ID: "dkim.match", Severity: finding.Unknown, Seen: "only root may read private keys",
			Remedy: finding.Command("sudo mailsetup check %s", c.domain.Name),
		})
		return
	}
	for i := range c.keys {
		switch k := &c.keys[i]; {
		case k.File == "":
		case k.program != "":
			c.readPublic(k)
		case k.Stage == keyring.Active || k.Stage == keyring.Publishing || k.Stage == keyring.Published:
			c.checkFile(*k)
		}
	}
}

// readPublic reads the public key of another signer's private key. What it cannot read
// is judged by DNS alone.
func (c *checker) readPublic(k *key) {
	path, err := state.ParsePath(k.File)
	var text []byte
	if err == nil {
		text, err = signer.KeyText(c.Files, path)
	}
	if err != nil || text == nil {
		c.report(finding.Finding{
			ID: "dkim.match", Severity: finding.Unknown, Subject: k.File,
			Seen: fmt.Sprintf("%s names it as the private key; it cannot be read", k.program),
		})
		return
	}
	if private, err := keygen.Parse(text); err == nil {
		k.Public, k.Bits = private.Public(), private.Bits()
	} else if public, ok := ed25519Public(text); ok {
		k.Public = public
	}
}

// checkRecords asks every name server for the records, and then the resolver.
func (c *checker) checkRecords(ctx context.Context) {
	want := dnscheck.Expected{Domain: c.domain.Name, Keys: map[string]string{}, PublishedByUs: c.published()}
	for _, k := range c.keys {
		want.Records = append(want.Records, c.wanted(k))
		if k.Public != "" {
			want.Keys[k.Selector] = k.Public
		}
	}
	result := dnscheck.Check(ctx, c.DNS, want, dnscheck.Result{})
	for result.IsBehind() && c.server.Transfers.Wait(ctx) {
		result = dnscheck.Check(ctx, c.DNS, want, result)
	}
	for i, k := range c.keys {
		c.judgeServed(ctx, k, want.Records[i], result)
	}
}

// published reports whether mailsetup publishes the records itself.
func (c *checker) published() bool {
	return c.domain.Wanted != nil && !c.server.Spec.ByHand(*c.domain.Wanted)
}

// wanted returns the record that should be served of a key.
func (c *checker) wanted(k key) state.Record {
	switch {
	case k.Stage == keyring.Revoked:
		return k.RevokedRecord(c.domain.Name, 0)
	case isEd25519(k.Public):
		return state.Record{Name: k.name, Type: "TXT", Value: "v=DKIM1; k=ed25519; p=" + k.Public}
	}
	return k.Record(c.domain.Name, 0)
}

// learnPublic takes the public keys that nothing here tells from the resolver, so that
// the name servers can be compared with each other.
func (c *checker) learnPublic(ctx context.Context) {
	for i := range c.keys {
		k := &c.keys[i]
		if k.Public != "" || k.Stage == keyring.Revoked {
			continue
		}
		records, _, _ := c.DNS.Lookup(ctx, k.name, "TXT")
		for _, r := range records {
			if has, err := keygen.ParseRecord(r.Value); err == nil && r.Type == "TXT" {
				k.Public = cmp.Or(k.Public, has.Public)
			}
		}
	}
}
