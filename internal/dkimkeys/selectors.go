package dkimkeys

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/steps/signer"
)

// DNS is what the choice of a selector queries.
type DNS interface {
	// TXTExists reports whether a server in charge of the name has TXT records there.
	TXTExists(ctx context.Context, name string) (bool, error)
	Lookup(ctx context.Context, name, rtype string) ([]state.Record, dnsclient.Status, error)
}

// Selectors chooses unused selectors.
type Selectors struct {
	Ledger keyring.Ledger
	Files  system.Reader
	Zones  state.Zones // of this machine
	DNS    DNS         // nil: DNS is not asked
	Now    time.Time
	Random func(n int) string // n characters of a-z and 0-9
	Prefix string             // of selectors that nobody named, see Named
	// Seen returns when all name servers were first found to have the record of each
	// key of a domain, by selector; nil if nobody knows.
	Seen func(domain string) map[string]time.Time
}

// For returns selectors for a machine. DNS is not asked about a directory.
func For(m *machine.Machine, dns DNS, ledger keyring.Ledger, zones state.Zones) Selectors {
	s := Selectors{Ledger: ledger, Files: m.Sys, Zones: zones, Now: m.Now, Random: machine.Random}
	s.Seen = func(domain string) map[string]time.Time { return store.New(m.Sys).LastCheck(domain).Seen }
	if m.Root == "" {
		s.DNS = dns
	}
	return s
}

// Named returns selectors for a server whose host.toml names one: those that nobody names
// have it before the month, so that servers which sign for the same domain never choose the
// same one. A month there is a name for the first key only.
func (s Selectors) Named(h spec.Host) Selectors {
	if name := h.Defaults.Selector; len(name) <= maxPrefix && !month.MatchString(name) {
		s.Prefix = name
	}
	return s
}

// maxPrefix leaves room for the month and a random suffix in a label of 63 octets.
const maxPrefix = 63 - len("-202611-xxxx")

var month = regexp.MustCompile(`(^|-)20\d\d(0[1-9]|1[0-2])$`)

// Resumable returns the key with which a domain that was removed and comes back
// signs again.
func (s Selectors) Resumable(domain string) (keyring.Key, bool) {
	keys := s.Ledger[domain]
	if len(keys) == 0 {
		return keyring.Key{}, false
	}
	if k, signs := s.Ledger.Signing(domain); signs { // its file is gone, and its rows are not
		return k, true
	}
	var seen map[string]time.Time
	if s.Seen != nil {
		seen = s.Seen(domain)
	}
	return Resumable(s.Files, domain, keys, seen)
}

// InUse reports whether a selector of a domain is in the ledger, on disk, in a zone of
// this machine or in DNS, where a second server of the domain may have published one
// this month. What cannot be read counts as in use.
func (s Selectors) InUse(ctx context.Context, domain, selector string) bool {
	if s.Ledger.SelectorUsed(domain, selector) {
		return true
	}
	for _, h := range []spec.Host{{}, {MTA: spec.Exim}} {
		if o, err := s.Files.Read(signer.KeyFileOf(h, domain, selector)); err != nil || o.Kind != state.Absent {
			return true
		}
	}
	name := dnsname.Absolute(dnsname.Key(selector, domain))
	for z := range s.Zones.Above(name) {
		if slices.ContainsFunc(z.Records, func(r state.Record) bool { return strings.EqualFold(r.Name, name) }) {
			return true
		}
	}
	return s.DNS != nil && s.published(ctx, name)
}

// Choose returns a selector for a new key: the preferred one, if it is unused, else the
// month, with a random suffix if that is in use.
func (s Selectors) Choose(ctx context.Context, domain, preferred string) string {
	if preferred != "" && !s.InUse(ctx, domain, preferred) {
		return preferred
	}
	return keyring.ChooseSelector(s.Prefix, s.Now, func(selector string) bool { return s.InUse(ctx, domain, selector) }, s.Random)
}

// ForFirstKey returns the selector of a domain's first key: that of the spec. A spec
// without its ledger (from configuration management, or an image of another machine)
// may name a selector of that machine; then another one is chosen. Old is the spec of
// earlier runs, nil for none.
func (s Selectors) ForFirstKey(ctx context.Context, d spec.Domain, old *spec.Spec) string {
	if !old.Has(d.Name) {
		return d.Selector
	}
	return s.Choose(ctx, d.Name, d.Selector)
}

// published reports whether DNS has TXT records at the name, according to the
// authoritative servers or, if none of them answers, the resolver. Where nobody is in
// charge there are none, and a resolver would remember that it was asked.
func (s Selectors) published(ctx context.Context, name string) bool {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if taken, err := s.DNS.TXTExists(asked, name); err == nil || errors.Is(err, dnsclient.ErrNoZone) {
		return taken
	}
	ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, status, err := s.DNS.Lookup(ctx, name, "TXT")
	return err == nil && status == dnsclient.Found
}

// Alias returns the target of a CNAME at the name of a key's record, "" for none.
func (s Selectors) Alias(ctx context.Context, domain, selector string) string {
	name := dnsname.Absolute(dnsname.Key(selector, domain))
	var found []state.Record
	for z := range s.Zones.Above(name) {
		found = append(found, z.Records...)
	}
	if s.DNS != nil {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		there, _, _ := s.DNS.Lookup(ctx, name, "CNAME") // without an answer it is in use all the same
		found = append(found, there...)
	}
	i := slices.IndexFunc(found, func(r state.Record) bool { return r.Type == "CNAME" && strings.EqualFold(r.Name, name) })
	if i < 0 {
		return ""
	}
	return found[i].Value
}
