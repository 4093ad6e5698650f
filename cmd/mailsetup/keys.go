package main

import (
	"context"
	"fmt"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// makeKeys makes every key that the confirmed plan announced, once. Until it
// returns nothing is written anywhere.
func (s *session) makeKeys(ctx context.Context, w *work) error {
	pending := dkimkeys.Pending(w.fresh)
	b := newProgressBar(s.c, "keys made", len(pending))
	switch len(pending) {
	case 0:
	case 1:
		k := w.fresh[pending[0]]
		s.c.say("making a key of %d bits for %s", k.Key.Bits, k.Domain)
	default:
		s.c.say("making %d keys, on all processors", len(pending))
	}
	b.live = b.live && !s.o.accessible
	defer b.end()
	if err := dkimkeys.Generate(ctx, w.fresh, func() { b.step(time.Now()) }); err != nil {
		return err
	}
	dkimkeys.AddPairs(&w.input, w.fresh)
	s.keep(w.fresh)
	return nil
}

// keep has successors for another attempt.
func (s *session) keep(fresh []dkimkeys.Pair) {
	if s.fresh == nil {
		s.fresh = map[string]dkimkeys.Pair{}
	}
	for _, f := range fresh {
		s.fresh[f.Domain] = f
	}
}

// keysThere refuses to go on without a key that signs: mail of its domain is
// told to come back later, and a new key could not take its place at once. A
// rotation is the way to one that can.
func (s *session) keysThere(want spec.Spec) error {
	if s.o.dryRun {
		return nil // it may not be allowed to look
	}
	domains := want.Domains
	if !s.scope.WholeHost() {
		domains = s.subjects(&want)
	}
	return dkimkeys.CheckAll(s.Sys, domains, s.keys, func(domain string, k keyring.Key) bool {
		return s.keyPlan != nil && s.keyPlan.Replaced[domain] || s.taken.MakesCopy(k.File)
	})
}

// turn puts the steps that keys take in this run into the input: what they are
// in the end, and what the ledger says until that is proven.
func (s *session) turn(ctx context.Context, w *work) {
	if s.keyPlan == nil || s.keyPlan.After == nil {
		return
	}
	w.input.Keys, w.input.Early = s.keyPlan.After, s.keyPlan.During
	var grow []spec.Domain
	successors := map[string]bool{}
	for _, name := range s.keyPlan.Successors {
		successors[name] = true
	}
	for _, d := range w.input.Spec.Domains {
		if successors[d.Name] {
			grow = append(grow, d)
		}
	}
	w.fresh = append(w.fresh, s.successors(ctx, grow)...)
}

// successors are keys that this run makes, or has made already, for domains whose
// mail another one signs.
func (s *session) successors(ctx context.Context, domains []spec.Domain) []dkimkeys.Pair {
	keys, selectors := make([]dkimkeys.Pair, len(domains)), s.selectors()
	_ = sideBySide(len(domains), lookUps, func(i int) error {
		var made bool
		if keys[i], made = s.fresh[domains[i].Name]; !made {
			keys[i] = dkimkeys.NewPair(domains[i], selectors.Choose(ctx, domains[i].Name, ""), s.Now)
		}
		return nil
	})
	s.keep(keys)
	return keys
}

// resume lets a key sign again that drains since its domain was removed.
func (w *work) resume(domain string, k keyring.Key) {
	dkimkeys.Resume(&w.input, domain, k)
	w.notes = append(w.notes, state.Note{
		Topic: "dkim", Text: fmt.Sprintf("%s has a key already: %s signs again", domain, k.Selector), Passing: true,
	})
}
