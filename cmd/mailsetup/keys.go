package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
	b := newBar(s.c, "keys made", len(pending))
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
	lost := make([]error, len(domains))
	err := sideBySide(len(domains), processors(), func(i int) error {
		k, ok := s.keys.Signing(domains[i].Name)
		if s.taken.copying(k.File) {
			return nil
		}
		if _, turns := s.turns[domains[i].Name]; ok && k.File != "" && !turns {
			lost[i] = s.keyThere(domains[i].Name, k)
		}
		return nil
	})
	trouble := state.Trouble{}
	for i, d := range domains {
		if lost[i] != nil {
			trouble[d.Name] = lost[i]
		}
	}
	return cmp.Or(err, trouble.Err())
}

func (s *session) keyThere(domain string, k keyring.Key) error {
	effect := "its mail is not accepted"
	if k.Stage == keyring.Published { // another one signs
		effect = "its mail would not be accepted"
	}
	o, err := s.sys.Stat(state.Path(k.File))
	if err != nil || o.Kind == state.Absent {
		return cmp.Or(err, fail("put the file back from a backup; without one, mailsetup rotate-dkim --compromised "+domain+" makes another key and revokes this one",
			"%s, the private key of %s, is gone: %s", k.File, domain, effect))
	}
	if o.Mode.Perm()&0o077 != 0 && !k.Adopted { // RequireSafeKeys, opendkim.conf(5)
		return fail("chown opendkim: "+k.File+" && chmod 600 "+k.File, // the mode alone would lock OpenDKIM out of a file of root's
			"%s, the private key of %s, has mode %04o: OpenDKIM refuses keys that others could read, and %s",
			k.File, domain, o.Mode.Perm(), effect)
	}
	return nil
}

// turn puts the steps that keys take in this run into the input: what they are
// in the end, and what the ledger says until that is proven.
func (s *session) turn(ctx context.Context, w *work) {
	if len(s.turns) == 0 {
		return
	}
	w.input.Keys, w.input.Early = s.turns.Keys(s.keys, s.now)
	var grow []spec.Domain
	for _, d := range w.input.Spec.Domains {
		if s.turns.Makes(d.Name) {
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
			keys[i] = dkimkeys.NewPair(domains[i], selectors.Choose(ctx, domains[i].Name, ""), s.now)
		}
		return nil
	})
	s.keep(keys)
	return keys
}

// resumable is the key with which a domain that came back signs again.
func (s *session) resumable(domain string) (keyring.Key, bool) {
	keys := slices.Clone(s.keys[domain])
	if o, err := s.sys.Read(keyring.CheckedFile(domain)); err == nil && len(keys) > 0 {
		c, _ := keyring.ParseChecked(o.Content) // what cannot be read was not seen
		for i, k := range keys {
			if k.Seen.IsZero() {
				keys[i].Seen = c.Seen[k.Selector]
			}
		}
	}
	return keyring.Resumable(keys, func(k keyring.Key) bool {
		return s.keyThere(domain, k) == nil && s.keyFits(k) == nil
	})
}

// resume lets a key sign again that drains since its domain was removed.
func (w *work) resume(domain string, k keyring.Key) {
	dkimkeys.Resume(&w.input, domain, k)
	w.notes = append(w.notes, state.Note{
		Topic: "dkim", Text: fmt.Sprintf("%s has a key already: %s signs again", domain, k.Selector), Passing: true,
	})
}
