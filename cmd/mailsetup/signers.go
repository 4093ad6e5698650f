package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/detect"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnspub"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps"
)

// askMilters puts a message of each domain through the milters that are there,
// to find who signs already. A run about keys alone asks nobody.
func (s *session) askMilters(ctx context.Context, w *work) {
	if s.asker == nil || s.steps != nil || !s.scope.WholeHost() && len(s.subjects(&w.input.Spec)) == 0 {
		return
	}
	list := steps.OtherMilters(w.input)
	if _, blind := s.Sys.(machine.Unprivileged); blind {
		if len(list) > 0 {
			s.c.say("not root: whether other milters sign was not asked: %s", strings.Join(endpoints(list), ", "))
		}
		return
	}
	if s.milters == nil {
		s.milters = s.milterAnswers(ctx, list, w.input)
	}
	w.input.Milters, w.input.MiltersAsked = s.milters, true
}

// milterAnswers is what the milters and filters answered.
func (s *session) milterAnswers(ctx context.Context, list []state.Milter, in steps.Input) []state.Milter {
	var domains []string
	if s.scope.WholeHost() { // whatever was found settled
		domains = append(domains, in.Spec.Host.Domain)
	}
	for _, d := range s.subjects(&in.Spec) {
		if len(domains) == 0 || d.Name != domains[0] {
			domains = append(domains, d.Name)
		}
	}
	if len(list) > 0 { // told if it takes longer than anybody notices
		slow := time.AfterFunc(2*time.Second, func() {
			s.c.say("asking the other milters of Postfix whether they sign: %s", strings.Join(endpoints(list), ", "))
		})
		defer slow.Stop()
	}
	if n := len(domains); len(list) > 0 && n > signers.MostDomains {
		s.c.say("they are asked about %d of the %d domains", signers.MostDomains, n)
	}
	answered := signers.Ask(ctx, s.Sys, s.asker, slices.Clone(list), domains, steps.Further(in), s.keyRecords)
	if in.Facts.Installed["amavisd-new"] {
		if m := signers.AmavisSigner(ctx, s.Sys, domains); m != nil {
			answered = append(answered, *m)
		}
	}
	return append([]state.Milter{}, answered...)
}

func endpoints(list []state.Milter) []string {
	var names []string
	for _, m := range list {
		names = append(names, m.Endpoint)
	}
	return names
}

// keyRecords are the TXT records by which a signature is verified.
func (s *session) keyRecords(ctx context.Context, name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	records, status, err := s.Resolver.Lookup(ctx, name+".", "TXT")
	if err != nil {
		return nil, err
	}
	if status != dnspub.Found {
		return nil, fmt.Errorf("no record at %s", name)
	}
	var texts []string
	for _, r := range records {
		texts = append(texts, r.Value)
	}
	return texts, nil
}

// signerChosen carries out the answer to who signs, and reports whether the
// wish changed: domains that are left to another signer get no key here, and of
// those that are taken from it the key comes along, where it is known.
func (s *session) signerChosen(w *work, q state.Question, yes bool) (changed bool) {
	sp := &w.input.Spec
	i := slices.IndexFunc(w.input.Milters, func(m state.Milter) bool { return m.Endpoint == q.Subject })
	if i < 0 {
		return false
	}
	m := w.input.Milters[i]
	if yes && len(m.Addresses) == 0 {
		sp.Host.NonsigningMilters = with(sp.Host.NonsigningMilters, m.Endpoint)
		return true
	}
	sp.Domains = slices.Clone(sp.Domains) // shared with the spec that was asked for
	for j := range sp.Domains {
		d := &sp.Domains[j]
		switch {
		case !slices.Contains(q.Domains, d.Name):
		case !yes:
			d.SignedBy = spec.ByOther
			w.leave(d.Name, s.Now)
		default:
			if sig, ok := steps.TakenKey(m, d.Name); ok && s.takeKeyOf(w, *d, sig) {
				d.Selector = sig.Selector
			}
		}
	}
	return true
}

// leave takes a domain out of what is signed here: a key that was to be made is
// not made, and one that signs no longer does.
func (w *work) leave(domain string, now time.Time) {
	w.dropNew(domain)
	if keys := w.input.Keys[domain]; len(keys) > 0 {
		w.input.Keys = w.input.Keys.Replaced(domain, keyring.Drain(keys, now))
	}
}

// dropNew forgets a key that was to be made.
func (w *work) dropNew(domain string) {
	for _, n := range w.fresh {
		if n.Domain == domain {
			delete(w.input.NewKeys, state.Path(n.Key.File))
			w.input.Keys = w.input.Keys.Without(domain, n.Key.Selector)
		}
	}
	w.fresh = slices.DeleteFunc(w.fresh, func(n dkimkeys.Pair) bool { return n.Domain == domain })
}

// takeKeyOf puts a copy of another signer's key in the place of the one that was
// to be made. It is false where that is not possible, or a selector was asked for.
func (s *session) takeKeyOf(w *work, d spec.Domain, sig state.Signature) bool {
	i := slices.IndexFunc(w.fresh, func(n dkimkeys.Pair) bool { return n.Domain == d.Name })
	if i < 0 || s.keys.Used(d.Name, sig.Selector) || s.asksSelector != "" && !strings.EqualFold(s.asksSelector, sig.Selector) {
		return false
	}
	text, err := detect.Text(s.Sys, sig.Key)
	if err != nil {
		return false
	}
	key, err := keygen.Parse(text)
	if err != nil {
		return false
	}
	w.dropNew(d.Name)
	copied := dkimkeys.NewPair(d, sig.Selector, s.Now).Made(key)
	copied.Key.Bits = key.Bits()
	dkimkeys.AddPairs(&w.input, []dkimkeys.Pair{copied})
	return true
}
