package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/detect"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// taken is an OpenDKIM that was set up by hand and that this run takes over.
type taken struct {
	steps.Taken
	keys   map[string]keyring.Key // by domain
	looked map[state.Path]takenKey
	copies map[state.Path][]byte // texts of keys of which opendkim needs a copy
	notes  []state.Note
	conf   string // where it says how it signs
	signer steps.Signer
	// loaded: it read its key when it began. safe: it minds who else could read it.
	loaded, safe bool
}

// lookAtSigner looks for an OpenDKIM to take over, and at what DNS says of its
// domains. The answers get what follows from it.
func (s *session) lookAtSigner(ctx context.Context, a spec.Answers, old *spec.Spec) (spec.Answers, error) {
	var err error
	if s.taken, err = s.takeOver(); err != nil || s.taken == nil {
		return a, err
	}
	host := first(normal(a.Hostname, spec.Hostname), s.facts.FQDN)
	if a, err = s.taken.answer(a, host); err != nil {
		return a, err
	}
	return a, s.lookAtTaken(ctx, *wanted(a, old))
}

// lookAtTaken looks at the records of all domains that are taken over, beside
// those of a wish.
func (s *session) lookAtTaken(ctx context.Context, w spec.Spec) error {
	w.Domains = slices.Clone(w.Domains)
	there := map[string]bool{}
	for _, d := range w.Domains {
		there[d.Name] = true
	}
	for _, name := range s.taken.names() {
		if !there[name] {
			w.Domains = append(w.Domains, spec.Domain{Name: name})
		}
	}
	return s.look(ctx, &w)
}

// takeOver reads an OpenDKIM that was set up by hand; nil if there is none, or
// if what is there is to be overwritten.
func (s *session) takeOver() (*taken, error) {
	if !s.byHand() || s.o.overwriteDrift {
		return nil, nil
	}
	conf := signerConf(s.facts.OpenDKIM.Args)
	setup, err := opendkim.Parse(conf, s.text)
	if err != nil {
		return nil, notTaken(err)
	}
	if len(setup.Rows) == 0 {
		return nil, nil // it verifies only
	}
	t := &taken{conf: conf, keys: map[string]keyring.Key{}, looked: map[state.Path]takenKey{}, copies: map[state.Path][]byte{}}
	if t.Taken, err = steps.TakeOver(setup, s.facts, s.Now); err != nil {
		return nil, notTaken(err)
	}
	t.notes = t.Notes
	_, tables := setup.Conf.Get("KeyTable")
	t.signer, t.loaded, t.safe = steps.RunningSigner(s.facts, setup.Conf), !tables, !setup.Conf.No("RequireSafeKeys")
	var errs []error
	for i := range t.Signers {
		errs = append(errs, s.takeKey(t, i))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, notTaken(err)
	}
	s.hold(t)
	return t, nil
}

// byHand reports whether the configuration that OpenDKIM reads is neither ours
// nor as its package brought it.
func (s *session) byHand() bool {
	if s.Image != nil || s.facts.OpenDKIM == nil {
		return false
	}
	_, ours := s.record[steps.Conf]
	return signerConf(s.facts.OpenDKIM.Args) != string(steps.Conf) || !ours && len(s.facts.Files[steps.Conf]) > 0
}

// signerConf is the configuration that a process was told to read, opendkim(8).
func signerConf(args []string) string {
	for i, a := range args {
		value, ok := strings.CutPrefix(a, "-x")
		if ok && value == "" && i+1 < len(args) {
			value = args[i+1]
		}
		if ok && path.IsAbs(value) {
			return path.Clean(value)
		}
	}
	return string(steps.Conf)
}

// text reads a file through symbolic links.
func (s *session) text(name string) ([]byte, error) {
	p, err := state.ParsePath(name)
	if err != nil {
		return nil, err
	}
	return detect.Text(s.Sys, p)
}

// hold enters what is taken over where this run looks things up: the keys into
// the ledger, and what is in the files that ours will replace into the record,
// so that it is no drift.
func (s *session) hold(t *taken) {
	fresh := map[string]keyring.Key{}
	for domain, k := range t.keys {
		old := s.keys[domain]
		i := slices.IndexFunc(old, func(o keyring.Key) bool { return o.Selector == k.Selector && o.Public == k.Public })
		if i >= 0 && old[i].Stage == keyring.Active {
			continue // ours, of which the record was lost
		}
		s.keys[domain], fresh[domain] = keyring.Drain(old, s.Now), k
	}
	s.keys = s.keys.WithAll(fresh)
	for _, p := range steps.Replaced() {
		if o, err := s.Sys.Read(p); err == nil && o.Kind == state.Regular {
			s.record[p] = plan.Hash(o.Content)
		}
	}
	t.notes = append(t.listing(), t.notes...)
	if t.signer.User != signerUser {
		t.notes = append(t.notes, state.Note{
			Topic: "opendkim", Passing: true, Text: fmt.Sprintf("it runs as the user %s now, and as %s from then on", t.signer.User, signerUser),
		})
	}
}

// names are those of the domains.
func (t *taken) names() []string {
	var names []string
	for _, d := range t.Domains {
		names = append(names, d.Name)
	}
	return names
}

func (t *taken) domain(name string) *spec.Domain {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Domains, func(d spec.Domain) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Domains[i]
}

// primary is the domain that signs the host's own mail from now on: that of its
// name, or else the first.
func (t *taken) primary(host string) string {
	for name := host; strings.Contains(name, "."); {
		if t.domain(name) != nil {
			return name
		}
		_, name, _ = strings.Cut(name, ".")
	}
	return t.Domains[0].Name
}

// ownMail is the domain that signs the host's own mail. One that is only added
// beside those that are taken over does not, where the host's name is in one of
// these: receivers would not take it for the same.
func (t *taken) ownMail(h spec.Host, old *spec.Spec) string {
	in := func(domain string) bool { return h.Hostname == domain || strings.HasSuffix(h.Hostname, "."+domain) }
	if p := t.primary(h.Hostname); old == nil && in(p) && !in(h.Domain) {
		return p
	}
	return h.Domain
}

// listing tells what was found, a note for each domain.
func (t *taken) listing() []state.Note {
	var notes []state.Note
	for _, d := range t.Domains {
		k := t.keys[d.Name]
		notes = append(notes, state.Note{
			Topic: "taken over", Passing: true,
			Text: fmt.Sprintf("%s signs mail of %s with selector %s, the %d bits in %s: no signature changes",
				d.Name, steps.Rows(d), k.Selector, k.Bits, t.file(d.Name)),
		})
	}
	return notes
}

// answer fills what follows for the domain in question from what is taken over.
func (t *taken) answer(a spec.Answers, host string) (spec.Answers, error) {
	if a.Domain == "" {
		a.Domain = t.primary(host)
	}
	name := normal(a.Domain, spec.DomainName)
	d := t.domain(name)
	if d == nil {
		return a, t.unsignedYet(name)
	}
	k := t.keys[d.Name]
	if a.Selector != "" && !strings.EqualFold(a.Selector, k.Selector) {
		return a, usage("leave --selector out", "%s signs with selector %s already, and goes on to", d.Name, k.Selector)
	}
	a.Selector = d.Selector
	if d.KeyBits != 0 && a.KeyBits == "" {
		a.KeyBits = fmt.Sprint(d.KeyBits)
	}
	return a, nil
}

// unsignedYet refuses a new domain whose mail another one's key signs, which
// would end with this run.
func (t *taken) unsignedYet(name string) error {
	for _, d := range t.Domains {
		if slices.Contains(d.Also, name) {
			return usage("mailsetup adopt takes over what is here as it is", "mail of %s is signed with the key of %s already", name, d.Name)
		}
	}
	return nil
}

// withTaken adds to a wish what is taken over: the domains that it does not have
// yet, with what their records say already, and who is signed for.
func (s *session) withTaken(ctx context.Context, want spec.Spec, old *spec.Spec) (spec.Spec, error) {
	if s.asks() { // and the answers decided what was looked at last
		if err := s.lookAtTaken(ctx, want); err != nil {
			return want, err
		}
	}
	var list []spec.Answers
	for _, d := range s.taken.Domains {
		list = append(list, s.takenAnswers(want, d))
	}
	begin := want.Host.Defaults
	want.Host.Defaults = spec.Defaults{} // for domains that are new; these were there
	want, findings := want.Further(list, s.Now)
	want.Host.Defaults = begin
	if err := findings.Err(); err != nil {
		return want, err
	}
	want.Host.Domain = s.taken.ownMail(want.Host, old)
	want.Host.Trusted = union(want.Host.Trusted, s.taken.Trusted)
	want.Host.OpenDKIM = union(want.Host.OpenDKIM, s.taken.OpenDKIM)
	found := map[string]spec.Domain{}
	for _, d := range s.taken.Domains {
		found[d.Name] = d
	}
	for i := range want.Domains {
		w := &want.Domains[i]
		d, ok := found[w.Name]
		if !ok {
			continue
		}
		w.Also, w.Identities = union(w.Also, d.Also), union(w.Identities, d.Identities)
		w.Subdomains, w.Partial = w.Subdomains || d.Subdomains, d.Partial
		if d.KeyBits != 0 {
			w.KeyBits = d.KeyBits
		}
	}
	return want, want.Validate().Err()
}

// takenAnswers are those about one domain that is taken over. It receives here
// only if its MX says so: nobody missed one until now.
func (s *session) takenAnswers(want spec.Spec, d spec.Domain) spec.Answers {
	a := spec.Answers{Domain: d.Name, Selector: d.Selector, Receive: "no", DNS: string(spec.DNSManual)}
	if s.hasMX(d.Name) {
		a.Receive = s.receives(d.Name, want.Host.Hostname, first(addressesOf(want)...)).Value
	}
	if s.serves(d.Name) {
		a.DNS = string(spec.DNSBind)
	}
	a, _ = steps.Adopt(a, s.facts, d.Name)
	return a
}

func addressesOf(sp spec.Spec) []string {
	var all []string
	for _, a := range sp.Host.Addresses {
		all = append(all, a.String())
	}
	return all
}

// union is a list with the items of another that it does not have.
func union(list, more []string) []string {
	out := slices.Clone(list)
	for _, item := range more {
		out = with(out, item)
	}
	return out
}

// notTaken says what cannot be taken over, a line each.
func notTaken(err error) error {
	var findings spec.Findings
	for _, e := range unjoined(err) {
		found, ok := errors.AsType[*opendkim.Error](e)
		if !ok {
			return e
		}
		findings = append(findings, spec.Finding{Field: found.Place.String(), Text: found.What, Hint: found.Hint})
	}
	return findings.Err()
}

// unjoined are the errors that errors.Join put together.
func unjoined(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoined(e)...)
	}
	return all
}
