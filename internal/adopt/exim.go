package adopt

import (
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/detect/signer"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	steps "mailsetup/steps/signer"
)

// DetectExim reads the DKIM that an administrator has set up for exim4, nil if there is none
// or if it is not understood, which the steps of exim4 refuse. The signer of the host from now
// on, exim4 or OpenDKIM, gets copies of the keys: whatever they were readable for stays
// readable. Where nothing is known of earlier runs, as after a purge of the package, it reads
// what they left.
func DetectExim(files system.Reader, e *state.Exim, h spec.Host, known keyring.Ledger, now time.Time) (*Setup, error) {
	switch {
	case e == nil:
		return nil, nil
	case e.Hand == nil && len(known) == 0 && len(e.Signs) == 0:
		return ownTable(files, h, now)
	case e.Hand == nil:
		return nil, nil
	}
	paths, err := eximKeys(files, *e.Hand)
	if err != nil {
		return nil, err
	}
	t := &Setup{Keys: map[string]keyring.Key{}, Copies: map[state.Path][]byte{}}
	for _, k := range paths {
		if err := t.addEximKey(files, *e.Hand, h, k, now); err != nil {
			return nil, err
		}
	}
	if len(t.Domains) == 0 {
		return nil, hint.NewUsage("take it out, then run the command again", "%s: exim4 finds no private key there: nothing is signed", e.Hand.At)
	}
	found := map[string]string{} // by the file of the copy
	for i, d := range t.Domains {
		found[t.Keys[d.Name].File] = t.Signers[i].KeyFile
	}
	who := map[bool]string{true: "exim4", false: "OpenDKIM"}[h.MTA == spec.Exim]
	t.Notes = t.summary(func(k keyring.Key) string { return fmt.Sprintf("%s (%s gets a copy)", found[k.File], who) })
	if e.Hand.Domain != "" {
		t.Notes = append(t.Notes, state.Note{
			Topic: "taken over", Informational: true,
			Text: fmt.Sprintf("until now mail from any domain was signed as %s; from then on that from %s and of this host", e.Hand.Domain, e.Hand.Domain),
		})
	}
	return t, nil
}

// ownTable reads the table that earlier runs made, nil if there is none.
func ownTable(files system.Reader, h spec.Host, now time.Time) (*Setup, error) {
	text, err := source.Text(files, eximconf.Table)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	t := &Setup{Keys: map[string]keyring.Key{}, Copies: map[state.Path][]byte{}}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		switch {
		case len(f) != 4 || strings.HasPrefix(line, "#"):
			continue
		case f[0] == "*."+f[1]+":": // behind the row of the domain
			if last := len(t.Domains) - 1; last >= 0 && t.Domains[last].Name == f[1] {
				t.Domains[last].Subdomains = true
			}
			continue
		case f[0] != f[1]+":":
			continue // of the host, which follows from the spec
		}
		path, err := state.ParsePath(f[3])
		if err != nil {
			return nil, hint.NewUsage("correct the path", "%s: the key of %s: %v", eximconf.Table, f[1], err)
		}
		if err := t.addEximKey(files, state.EximDKIM{Selector: f[2], At: string(eximconf.Table)}, h, eximKey{f[1], path}, now); err != nil {
			return nil, err
		}
	}
	if len(t.Domains) == 0 {
		return nil, nil
	}
	if h.MTA == spec.Exim {
		t.Hashes = hashes(files, []state.Path{eximconf.Table, eximconf.SplitFile, eximconf.SmarthostFile})
	}
	t.Notes = t.summary(func(k keyring.Key) string { return k.File })
	return t, nil
}

// eximKey is the private key of a domain.
type eximKey struct {
	domain string
	file   state.Path
}

// eximKeys returns the private keys that are set up, by domain.
func eximKeys(files system.Reader, hand state.EximDKIM) ([]eximKey, error) {
	var keys []eximKey
	add := func(domain, path string) error {
		name, err := syntax.DomainName(domain)
		if err != nil {
			return nil // of which no mail is
		}
		p, err := state.ParsePath(path)
		if err != nil {
			return hint.NewUsage("correct the path", "%s: the key of %s: %v", hand.At, domain, err)
		}
		if hand.Domain == "" || hand.Domain == name {
			keys = append(keys, eximKey{name, p})
		}
		return nil
	}
	switch {
	case hand.Key != "":
		err := add(hand.Domain, string(hand.Key))
		return keys, err
	case hand.Table != "":
		text, err := source.Text(files, hand.Table)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			domain, path, ok := strings.Cut(strings.TrimSpace(line), ":")
			if !ok || strings.HasPrefix(domain, "#") {
				continue
			}
			if err := add(strings.TrimSpace(domain), strings.TrimSpace(path)); err != nil {
				return nil, err
			}
		}
		return keys, nil
	}
	names, err := files.List(hand.Directory)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if domain, ok := strings.CutSuffix(name, hand.Suffix); ok {
			if err := add(domain, string(hand.Directory.Join(name))); err != nil {
				return nil, err
			}
		}
	}
	return keys, nil
}

// addEximKey adds a domain with its key.
func (t *Setup) addEximKey(files system.Reader, hand state.EximDKIM, h spec.Host, k eximKey, now time.Time) error {
	found, err := signer.Key(files, k.file, eximconf.User)
	if err != nil {
		return hint.NewUsage("put the file back, or take the line out", "%s: the key of %s: %v", hand.At, k.domain, err)
	}
	if found.Unreadable != "" {
		return hint.NewUsage("give it to "+eximconf.User+", or take the line out", "%s: the key of %s does not sign: %s", hand.At, k.domain, found.Unreadable)
	}
	if strings.ToLower(hand.Selector) != hand.Selector {
		return hint.NewUsage("write it in lower case: DNS does not mind", "%s: selector %s", hand.At, hand.Selector)
	}
	d := spec.Domain{Name: k.domain, Selector: hand.Selector}
	if bits, err := spec.KeyBits(fmt.Sprint(found.Bits)); err == nil {
		d.KeyBits = bits
	}
	to := steps.KeyFileOf(h, k.domain, hand.Selector)
	if to != k.file {
		if t.Copies[to], err = signer.KeyText(files, k.file); err != nil {
			return err
		}
	}
	t.Domains = append(t.Domains, d)
	t.Signers = append(t.Signers, opendkim.Signer{Domain: k.domain, Selector: hand.Selector, KeyFile: string(k.file)})
	t.Keys[k.domain] = keyring.Key{
		Selector: hand.Selector, Bits: found.Bits, Public: found.Public, Fingerprint: found.Fingerprint, File: string(to),
		Stage: keyring.Active, Since: map[keyring.Stage]time.Time{keyring.Active: now},
	}
	return nil
}

// MoveTo has the signer of a host, which is another one than that of the set-up, sign with
// copies of the keys. The files of the set-up stay as they are.
func (t *Setup) MoveTo(files system.Reader, h spec.Host) error {
	copies := map[state.Path][]byte{}
	for name, k := range t.Keys {
		from, to := state.Path(k.File), steps.KeyFileOf(h, name, k.Selector)
		text, copied := t.Copies[from]
		if !copied {
			var err error
			if text, err = signer.KeyText(files, from); err != nil {
				return err
			}
		}
		copies[to] = text
		k.File, k.Adopted = string(to), false
		t.Keys[name] = k
	}
	t.Copies, t.Permissions, t.Hashes = copies, nil, nil
	return nil
}
