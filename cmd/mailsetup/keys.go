package main

import (
	"bytes"
	"cmp"
	"context"
	"regexp"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// makeKeys makes every key that the confirmed plan announced, once.
func (s *session) makeKeys(ctx context.Context, w *work) error {
	for i := range w.fresh {
		f := &w.fresh[i]
		if err := ctx.Err(); err != nil {
			return err
		}
		s.c.say("making a key of %d bits for %s", f.key.Bits, f.domain)
		k, err := keygen.Generate(f.key.Bits)
		if err != nil {
			return err
		}
		f.key.Public, f.key.Fingerprint, f.pem = k.Public(), k.Fingerprint(), k.PEM()
	}
	w.use()
	return nil
}

// keysThere refuses to go on without a key that signs: mail of its domain is
// told to come back later, and a new key could not take its place at once.
func (s *session) keysThere(want spec.Spec) error {
	if s.o.dryRun {
		return nil // it may not be allowed to look
	}
	for _, d := range want.Domains {
		k, ok := s.keys.Signing(d.Name)
		if !ok || k.File == "" {
			continue
		}
		o, err := s.sys.Read(state.Path(k.File))
		if err != nil || o.Kind == state.Absent {
			return cmp.Or(err, fail("put the file back from a backup, or roll back the run that made it",
				"%s, the private key of %s, is gone: its mail is not accepted", k.File, d.Name))
		}
		if o.Mode.Perm()&0o077 != 0 { // RequireSafeKeys, opendkim.conf(5)
			return fail("chmod 600 "+k.File,
				"%s, the private key of %s, has mode %04o: OpenDKIM refuses keys that others could read, and its mail is not accepted",
				k.File, d.Name, o.Mode.Perm())
		}
	}
	return nil
}

// use puts the fresh keys, made or not, into the input of the steps.
func (w *work) use() {
	for _, f := range w.fresh {
		w.input.Keys = w.input.Keys.With(f.domain, f.key)
		w.input.NewKeys[state.Path(f.key.File)] = f.pem
	}
}

// layout is what differs between a record of one string and of several, and
// the stamp that follows from it.
var layout = regexp.MustCompile(`[\s"()]+|; *mailsetup [0-9a-f-]{8}`)

// forget puts the placeholders back, so that the plan with real keys can be
// compared with the one that was shown. The layout goes too: a real key takes
// more than one string of a TXT record.
func (w *work) forget(content []byte) []byte {
	none := []byte{}
	content = layout.ReplaceAll(content, none)
	content = bytes.ReplaceAll(content, layout.ReplaceAll([]byte(keyring.Placeholder), none), none)
	for _, f := range w.fresh {
		content = bytes.ReplaceAll(content, layout.ReplaceAll(f.pem, none), none)
		content = bytes.ReplaceAll(content, []byte(f.key.Public), none)
		content = bytes.ReplaceAll(content, []byte(f.key.Fingerprint), none)
	}
	return content
}
