// Package adopt takes over an OpenDKIM that somebody set up by hand, without
// changing a signature.
package adopt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/plan"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/signer"
)

// Setup is an OpenDKIM that is being taken over. A nil Setup has no domains, and neither
// has one that signs nothing: of that the settings are taken over.
type Setup struct {
	Translation
	Keys map[string]keyring.Key // by domain
	// Permissions are the owners and modes of keys that belong to opendkim from now
	// on, and Copies the texts of keys of which opendkim needs a copy, by its file.
	Permissions []state.Meta
	Copies      map[state.Path][]byte
	// Hashes are the hashes of the files that mailsetup writes anew: what somebody
	// wrote there by hand is no drift.
	Hashes plan.FileHashes
}

// Options are the parameters of Detect.
type Options struct {
	Hashes       plan.FileHashes // hashes of what earlier runs of mailsetup wrote
	Unprivileged bool            // what only root may read cannot be read
	Now          time.Time
}

// IsForeign reports whether OpenDKIM's configuration is neither ours nor the package's.
func IsForeign(f state.Facts, record plan.FileHashes) bool {
	if f.OpenDKIM == nil {
		return false
	}
	_, ours := record[signer.ConfFile]
	ours = ours || f.Pristine[signer.ConfFile]
	return configuration(f.OpenDKIM.Args) != string(signer.ConfFile) || !ours && len(f.Files[signer.ConfFile]) > 0
}

// configuration returns the configuration file that a process was started with,
// opendkim(8).
func configuration(args []string) string {
	for i, a := range args {
		value, ok := strings.CutPrefix(a, "-x")
		if ok && value == "" && i+1 < len(args) {
			value = args[i+1]
		}
		if ok && path.IsAbs(value) {
			return path.Clean(value)
		}
	}
	return string(signer.ConfFile)
}

// Detect reads an OpenDKIM that was set up by hand, nil if there is none. Settings that
// the spec cannot express are findings, all in one error.
func Detect(files system.Reader, f state.Facts, o Options) (*Setup, error) {
	if !IsForeign(f, o.Hashes) {
		return nil, nil
	}
	found, err := opendkim.Parse(configuration(f.OpenDKIM.Args), reading(files))
	if err != nil {
		return nil, findings(err)
	}
	t := &Setup{Keys: map[string]keyring.Key{}, Copies: map[state.Path][]byte{}}
	if t.Translation, err = Translate(found, f, o.Now); err != nil {
		return nil, findings(err)
	}
	if t.SignsNothing() {
		t.Hashes, t.Notes = hashes(files, replaced()), append(t.idleNotes(found), t.Notes...)
		return t, nil
	}
	keys := keyReader{files, RunningProcess(f, found.Conf), o.Unprivileged, o.Now, map[state.Path]keyFile{}}
	var errs []error
	for i := range t.Signers {
		errs = append(errs, keys.add(t, t.Signers[i], &t.Domains[i]))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, findings(err)
	}
	t.Permissions, t.Hashes = keys.permissions(), hashes(files, replaced())
	t.Notes = append(t.summary(keys.location), t.Notes...)
	if user := keys.process.User; user != signerUser {
		t.Notes = append(t.Notes, state.Note{
			Topic: "opendkim", Informational: true, Text: fmt.Sprintf("it runs as the user %s now, and as %s from then on", user, signerUser),
		})
	}
	return t, nil
}

// reading returns the files as OpenDKIM names them.
func reading(files system.Reader) opendkim.Read {
	return func(name string) ([]byte, error) {
		p, err := state.ParsePath(name)
		if err != nil {
			return nil, err
		}
		return source.Text(files, p)
	}
}

// hashes returns the hashes of those files that can be read.
func hashes(files system.Reader, paths []state.Path) plan.FileHashes {
	record := plan.FileHashes{}
	for _, p := range paths {
		if o, err := files.Read(p); err == nil && o.Kind == state.Regular {
			record[p] = plan.Hash(o.Content)
		}
	}
	return record
}

// summary returns a note about each domain.
func (t *Setup) summary(location func(keyring.Key) string) []state.Note {
	var notes []state.Note
	for _, d := range t.Domains {
		k := t.Keys[d.Name]
		notes = append(notes, state.Note{
			Topic: "taken over", Informational: true,
			Text: fmt.Sprintf("%s signs mail of %s with selector %s, the %d bits in %s: no signature changes",
				d.Name, senders(d), k.Selector, k.Bits, location(k)),
		})
	}
	return notes
}

// senders describes whose mail the key of a domain signs.
func senders(d spec.Domain) string {
	all := d.Senders()
	for i, sender := range all {
		if !strings.Contains(sender, "@") && sender != "*" {
			all[i] = "@" + sender
		}
	}
	const most = 5
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	if len(all) > 1 {
		return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
	}
	return strings.Join(all, "")
}

// AddKeys returns the ledger with the keys of the set-up as active ones.
func (t *Setup) AddKeys(ledger keyring.Ledger, now time.Time) keyring.Ledger {
	out, keys := maps.Clone(ledger), map[string]keyring.Key{}
	for domain, k := range t.Keys {
		old := ledger[domain]
		i := slices.IndexFunc(old, func(o keyring.Key) bool { return o.Selector == k.Selector && o.Public == k.Public })
		if i >= 0 && old[i].Stage == keyring.Active {
			continue // ours, of which the record was lost
		}
		out[domain], keys[domain] = keyring.Drain(old, now), k
	}
	return out.PutAll(keys)
}

// Names returns the names of the domains.
func (t *Setup) Names() []string {
	if t == nil {
		return nil
	}
	var names []string
	for _, d := range t.Domains {
		names = append(names, d.Name)
	}
	return names
}

// Domain returns the domain of a name, nil if the set-up does not sign for it.
func (t *Setup) Domain(name string) *spec.Domain {
	if t == nil {
		return nil
	}
	i := slices.IndexFunc(t.Domains, func(d spec.Domain) bool { return d.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Domains[i]
}

// MakesCopy reports whether a run creates the file, as a copy of a key.
func (t *Setup) MakesCopy(file string) bool {
	if t == nil {
		return false
	}
	_, made := t.Copies[state.Path(file)]
	return made
}

// Data returns the domains of the set-up as data.
func (t *Setup) Data() []jsondoc.Domain {
	if t == nil {
		return nil
	}
	all := []jsondoc.Domain{}
	for _, s := range t.Signers {
		d := jsondoc.Domain{Domain: s.Domain, Keys: []jsondoc.Key{{Domain: s.Domain, Selector: s.Selector, Bits: t.Keys[s.Domain].Bits, File: s.KeyFile}}}
		for _, r := range s.Rows {
			d.Rows = append(d.Rows, jsondoc.Row{Pattern: r.Text, Identity: r.Identity, At: r.Place.String()})
		}
		all = append(all, d)
	}
	return all
}

// NothingFound returns the error of a run that found nothing to take over. It names
// another signer among Postfix's milters, if there is one.
func NothingFound(ctx context.Context, s signers.Source, list []state.Milter) error {
	for _, m := range signers.Configured(ctx, s, list) {
		p := m.Program
		if p.Kind == state.UnknownProgram || len(p.Others) == 0 {
			continue
		}
		return hint.NewUsage("mailsetup init --domain "+p.Others[0]+" --other-signer replace signs in its place, with a copy of its key",
			"%s, not the OpenDKIM of %s, signs mail here: %s at %s (%s), configured by %s for %s", p.Title(), "opendkim.service",
			p.Unit, m.Endpoint, strings.Join(m.Lists, ", "), cmp.Or(string(p.Conf), "its own files"), strings.Join(p.Others, ", "))
	}
	return hint.NewUsage("mailsetup init sets it up", "there is no OpenDKIM here that was set up by hand and signs mail")
}

// findings returns the findings in an error, a line each; an error of another kind
// unchanged.
func findings(err error) error {
	var list syntax.Findings
	for _, e := range splitErrors(err) {
		found, ok := errors.AsType[*opendkim.Error](e)
		if !ok {
			return e
		}
		list = append(list, syntax.Finding{Field: found.Place.String(), Text: found.What, Hint: found.Hint})
	}
	if len(list) > 0 {
		list[len(list)-1].Hint += "\n" + hint.Again("--overwrite-drift") + " sets OpenDKIM up anew instead, with other keys"
	}
	return list.Err()
}

// splitErrors returns the errors that errors.Join joined.
func splitErrors(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, splitErrors(e)...)
	}
	return all
}
