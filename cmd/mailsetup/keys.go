package main

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps"
)

// makeKeys makes every key that the confirmed plan announced, once. Until it
// returns nothing is written anywhere.
func (s *session) makeKeys(ctx context.Context, w *work) error {
	var bits, which []int
	for i, f := range w.fresh {
		if f.key.Pending() {
			bits, which = append(bits, f.key.Bits), append(which, i)
		}
	}
	b := newBar(s.c, "keys made", len(bits))
	switch len(bits) {
	case 0:
	case 1:
		s.c.say("making a key of %d bits for %s", bits[0], w.fresh[which[0]].domain)
	default:
		s.c.say("making %d keys, on all processors", len(bits))
	}
	b.live = b.live && !s.o.accessible
	defer b.end()
	err := keygen.GenerateAll(ctx, bits, func(i int, k *keygen.Key) {
		f := &w.fresh[which[i]]
		f.key.Public, f.key.Fingerprint, f.pem = k.Public(), k.Fingerprint(), k.PEM()
		b.step(time.Now())
	})
	if err != nil {
		return err
	}
	w.use()
	s.keep(w.fresh)
	return nil
}

// keep has successors for another attempt.
func (s *session) keep(fresh []freshKey) {
	if s.fresh == nil {
		s.fresh = map[string]freshKey{}
	}
	for _, f := range fresh {
		s.fresh[f.domain] = f
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
	if s.touched != nil {
		domains = s.subjects(&want)
	}
	lost := make([]error, len(domains))
	err := sideBySide(len(domains), processors(), func(i int) error {
		k, ok := s.keys.Signing(domains[i].Name)
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
		return cmp.Or(err, fail("put the file back from a backup, or roll back the run that made it",
			"%s, the private key of %s, is gone: %s", k.File, domain, effect))
	}
	if o.Mode.Perm()&0o077 != 0 && !k.Adopted { // RequireSafeKeys, opendkim.conf(5)
		return fail("chmod 600 "+k.File,
			"%s, the private key of %s, has mode %04o: OpenDKIM refuses keys that others could read, and %s",
			k.File, domain, o.Mode.Perm(), effect)
	}
	return nil
}

// newKey is a key that this run will make.
func (s *session) newKey(d spec.Domain, selector string) freshKey {
	return freshKey{domain: d.Name, key: keyring.Key{
		Selector: selector, Bits: d.KeyBits, Public: keyring.Placeholder,
		File: string(steps.KeyFile(d.Name, selector)), Stage: keyring.Publishing,
		Since: map[keyring.Stage]stamp{keyring.Staged: s.now, keyring.Publishing: s.now},
	}, pem: []byte(keyring.Placeholder)}
}

// turn puts the steps that keys take in this run into the input: what they are
// in the end, and what the ledger says until that is proven.
func (s *session) turn(ctx context.Context, w *work) {
	if len(s.turns) == 0 {
		return
	}
	early, late := maps.Clone(s.keys), maps.Clone(s.keys)
	var grow []spec.Domain
	for _, d := range w.input.Spec.Domains {
		if slices.ContainsFunc(s.turns[d.Name], func(m keyring.Move) bool { return m.Act == keyring.Make }) {
			grow = append(grow, d)
		}
	}
	for domain, moves := range s.turns {
		for _, m := range moves {
			switch m.Act {
			case keyring.Make: // below
			case keyring.Withdraw: // in.Retire
			case keyring.Confirm, keyring.Doubt:
				early[domain] = keyring.Moved(early[domain], m, s.now)
				late[domain] = keyring.Moved(late[domain], m, s.now)
			default:
				late[domain] = keyring.Moved(late[domain], m, s.now)
			}
		}
	}
	w.fresh = append(w.fresh, s.successors(ctx, grow)...)
	w.input.Keys, w.input.Early = late, early
}

// successors are keys that this run makes, or has made already, for domains whose
// mail another one signs.
func (s *session) successors(ctx context.Context, domains []spec.Domain) []freshKey {
	keys := make([]freshKey, len(domains))
	_ = sideBySide(len(domains), lookUps, func(i int) error {
		var made bool
		if keys[i], made = s.fresh[domains[i].Name]; !made {
			keys[i] = s.newKey(domains[i], s.freeSelector(ctx, domains[i].Name))
		}
		return nil
	})
	s.keep(keys)
	return keys
}

// use puts the fresh keys, made or not, into the input of the steps.
func (w *work) use() {
	keys := make(map[string]keyring.Key, len(w.fresh))
	for _, f := range w.fresh {
		keys[f.domain] = f.key
		w.input.NewKeys[state.Path(f.key.File)] = f.pem
	}
	w.input.Keys = w.input.Keys.WithAll(keys)
	if w.input.Early != nil {
		w.input.Early = w.input.Early.WithAll(keys)
	}
}

// fragmentMark is the stamp of a fragment, which follows from its layout.
var fragmentMark = regexp.MustCompile(`; *mailsetup [0-9a-f-]{8}`)

// unlaid is a text without what differs between a record of one string and of
// several.
func unlaid(text []byte) string {
	if bytes.Contains(text, []byte("mailsetup ")) {
		text = fragmentMark.ReplaceAll(text, nil)
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" \t\n\f\r\"()", r) {
			return -1
		}
		return r
	}, string(text))
}

// forget puts the placeholders back, so that the plan with real keys can be
// compared with the one that was shown. The layout goes too: a real key takes
// more than one string of a TXT record. Private keys stay: they stand in files
// that are secret, and nowhere else.
func (w *work) forget() func(content []byte) []byte {
	pairs := []string{unlaid([]byte(keyring.Placeholder)), ""}
	for _, f := range w.fresh {
		for _, text := range []string{f.key.Public, f.key.Fingerprint} {
			if text != "" {
				pairs = append(pairs, text, "")
			}
		}
	}
	known := strings.NewReplacer(pairs...)
	return func(content []byte) []byte { return []byte(known.Replace(unlaid(content))) }
}
