// Package backup writes what mailsetup needs of a server into an encrypted file, and brings
// it to another one.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"mailsetup/internal/backup/archive"
	"mailsetup/internal/dnshook"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/stdio"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// Options say how a backup is written.
type Options struct {
	File      string
	Overwrite bool // a file that is there
	Secrets   Secrets
	Version   string // of this program
}

// Text returns a backup that was written, for a person.
func Text(b jsondoc.Backup) string {
	if b.File == "" {
		return "" // none was
	}
	missing := ""
	for _, file := range b.Missing {
		missing += "Not in it (gone, of this server alone, or not where restore writes): " + file + "\n"
	}
	return missing + fmt.Sprintf("Written, encrypted: %s (%d octets)\nIn it: settings and ledger of %s, %s\n", b.File, b.Octets, text.Count(b.Domains, "domain"), text.Count(b.Keys, "private key"))
}

// Write writes a backup of a machine. A person is asked for the passphrase before it is
// opened: other runs need not wait.
func Write(ctx context.Context, on machine.Options, o Options) (jsondoc.Backup, error) {
	if err := on.Allowed(); err != nil {
		return jsondoc.Backup{}, err
	}
	sealed, err := Seal(ctx, o)
	if err != nil {
		return jsondoc.Backup{}, err
	}
	m, err := machine.Open(ctx, on)
	if err != nil {
		return jsondoc.Backup{}, err
	}
	defer m.Close()
	return sealed.Write(ctx, m)
}

// Sealed is a file that a backup is going to be written to, and for whom.
type Sealed struct {
	target     target
	recipients []age.Recipient
	version    string
}

// Seal checks where a backup is to be written, and asks for the passphrase. It needs no
// machine: other runs need not wait while a person thinks.
func Seal(ctx context.Context, o Options) (s Sealed, err error) {
	s.version = o.Version
	if s.target, err = newTarget(o.File, o.Overwrite); err != nil {
		return s, err
	}
	s.recipients, err = o.Secrets.recipients(ctx)
	return s, err
}

// Write writes a backup of a machine, all of it or nothing. What is in it is never on a
// disk in clear text.
func (s Sealed) Write(ctx context.Context, m *machine.Machine) (res jsondoc.Backup, err error) {
	earlier, err := store.Load(m.Sys, true, m.Logf)
	if err != nil {
		return jsondoc.Backup{}, err
	}
	sp, err := earlier.SetUp(m.Kind())
	if err != nil {
		return jsondoc.Backup{}, err
	}
	res = jsondoc.Backup{File: s.target.file, Domains: len(sp.Domains)}
	files, missing, err := collect(m.Sys, sp, earlier.Ledger)
	if err != nil {
		return jsondoc.Backup{}, err
	}
	for _, p := range missing {
		res.Missing = append(res.Missing, string(p))
	}
	manifest := archive.Manifest{Version: s.version, Host: sp.Host.Hostname, Time: m.Now}
	for _, f := range files {
		if f.key {
			res.Keys++
		}
		manifest.Files = append(manifest.Files, f.File)
	}
	octets, err := s.target.write(func(w io.Writer) error {
		sealed, err := age.Encrypt(w, s.recipients...)
		if err != nil {
			if strings.Contains(err.Error(), "incompatible recipients") {
				return hint.NewUsage("name keys of one kind: all age1pq1…, or none", "these recipients cannot be mixed")
			}
			return err
		}
		err = archive.Write(sealed, manifest, func(f archive.File) ([]byte, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			o, err := follow(m.Sys, f.Path)
			return o.Content, err
		})
		return errors.Join(err, sealed.Close())
	})
	if err != nil {
		return jsondoc.Backup{}, err
	}
	res.Octets = int(octets)
	return res, nil
}

// found is a file of a backup.
type found struct {
	archive.File
	key bool // a private one
}

// collect finds the files of a backup, sorted by path: settings, ledger, what zones
// elsewhere have of ours, how long keys have been in their stages, private keys, and
// credentials for zones. Missing are keys that are not there, or in a place in which
// restoring puts nothing, credentials that only this machine can read, and hooks of others.
func collect(r system.Reader, sp spec.Spec, ledger keyring.Ledger) (list []found, missing []state.Path, err error) {
	paths := map[state.Path]bool{} // whether it is a private key
	for _, dir := range []state.Path{spec.HostFile.Dir(), spec.DomainsDir(), state.LedgerDir, state.PublishedDir} {
		names, err := r.List(dir)
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			o, err := r.Stat(dir.Join(name))
			if err != nil {
				return nil, nil, err
			}
			if o.Kind == state.Regular && !strings.HasSuffix(name, "~") {
				paths[dir.Join(name)] = false
			}
		}
	}
	if o, err := r.Stat(state.ElapsedFile); err == nil && o.Kind == state.Regular {
		paths[state.ElapsedFile] = false
	}
	for _, p := range updateKeys(sp) {
		if !holdsUpdateKeys(p) {
			missing = append(missing, p)
			continue
		}
		paths[p] = false
	}
	for _, program := range hooks(sp) {
		settings, err := r.Stat(dnshook.Settings(program))
		encrypted, err2 := r.Stat(dnshook.Encrypted(program))
		switch {
		case errors.Join(err, err2) != nil:
			return nil, nil, errors.Join(err, err2)
		case settings.Kind == state.Regular:
			paths[dnshook.Settings(program)] = false
		case encrypted.Kind != state.Absent:
			missing = append(missing, dnshook.Encrypted(program))
		}
		if !strings.HasSuffix(string(program.Dir()), "/lib/mailsetup/hooks") { // where ours are
			missing = append(missing, program)
		}
	}
	for p := range privateKeys(ledger) {
		paths[p] = true
	}
	for p, key := range paths {
		o, err := follow(r, p)
		switch {
		case err != nil:
			return nil, nil, err
		case o.Kind == state.Regular:
			list = append(list, found{archive.NewFile(p, o), key})
		default:
			missing = append(missing, p)
		}
	}
	slices.SortFunc(list, func(a, b found) int { return strings.Compare(string(a.Path), string(b.Path)) })
	slices.Sort(missing)
	return list, missing, nil
}

// privateKeys returns the keys of a ledger by their files, without those that are gone.
func privateKeys(ledger keyring.Ledger) map[state.Path]keyring.Key {
	byFile := map[state.Path]keyring.Key{}
	for _, keys := range ledger {
		for _, k := range keyring.Existing(keys) {
			if p, err := state.ParsePath(k.File); err == nil {
				byFile[p] = k
			}
		}
	}
	return byFile
}

// updateKeys returns the files with TSIG keys that a spec names, but for the one that
// named makes for itself.
func updateKeys(sp spec.Spec) []state.Path {
	files := []string{sp.Host.Update.KeyFile}
	for _, d := range sp.Domains {
		files = append(files, d.Update.KeyFile)
	}
	return slices.DeleteFunc(pathsOf(files), func(p state.Path) bool { return strings.HasPrefix(string(p), "/run/") })
}

// hooks returns the programs that a spec names.
func hooks(sp spec.Spec) []state.Path {
	files := []string{sp.Host.Update.Hook}
	for _, d := range sp.Domains {
		files = append(files, d.Update.Hook)
	}
	return pathsOf(files)
}

func pathsOf(files []string) (paths []state.Path) {
	for _, f := range files {
		if p, err := state.ParsePath(f); err == nil && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// hookSettings returns the files with the settings of the hooks that a spec names.
func hookSettings(sp spec.Spec) (files []state.Path) {
	for _, program := range hooks(sp) {
		files = append(files, dnshook.Settings(program))
	}
	return files
}

// holdsUpdateKeys reports whether a backup may put a TSIG key in a place: no program takes
// every file there, as shells and sshd(8) do with some whose name begins with a dot.
func holdsUpdateKeys(p state.Path) bool {
	return p.Dir() == spec.HostFile.Dir() || p.Dir() == "/etc/bind" ||
		strings.HasPrefix(string(p), "/root/") && !strings.Contains(string(p), "/.")
}

// follow reads a file, by symbolic links if a key that was taken over is one.
func follow(r system.Reader, p state.Path) (state.Object, error) {
	at, _, err := system.Follow(r, p)
	if err != nil {
		return state.Object{}, err
	}
	return r.Read(at)
}

// Backup is a backup that was opened, read to its end and found whole.
type Backup struct {
	archive.Contents
	decrypt string // the command of age(1)
}

// Open opens a backup. Nothing of it is used before its end was read: age(1) gives out
// what it decrypted before it knows that the rest is there.
func Open(ctx context.Context, file string, s Secrets) (*Backup, error) {
	f, err := stdio.Open(ctx, file)
	if err != nil {
		return nil, hint.NewUsage("name the file that mailsetup backup wrote", "%w", err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.IsDir() {
		return nil, hint.NewUsage("name the file that mailsetup backup wrote", "%s: is a directory", file)
	}
	notOurs := func(err error) error {
		return hint.NewUsage("name another copy of the file that mailsetup backup wrote", "%s: %w", file, err)
	}
	in := &cancelled{ctx: ctx, Reader: f}
	kept := &recorded{Reader: in}
	header, err := age.ExtractHeader(kept)
	if err != nil {
		return nil, notOurs(errors.New("is no backup: it does not begin as age(1) writes it"))
	}
	ids, err := s.identities(ctx, file, strings.Contains(string(header), "\n-> scrypt "))
	if err != nil {
		return nil, err
	}
	clear, err := age.Decrypt(io.MultiReader(strings.NewReader(kept.text.String()), in), ids...)
	switch noMatch := (*age.NoIdentityMatchError)(nil); {
	case errors.As(err, &noMatch) && len(s.IdentityFiles) > 0:
		return nil, hint.NewUsage("--identity names the private half of a key that the backup was encrypted to", "%s: none of these keys opens it", file)
	case errors.As(err, &noMatch):
		return nil, hint.NewUsage("type the passphrase with which it was made", "%s: this passphrase does not open it", file)
	case err != nil:
		return nil, notOurs(err)
	}
	contents, err := archive.Read(clear, archive.DefaultLimits)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, archive.ErrFormat):
		return nil, hint.NewUsage("install the mailsetup that wrote it, or a later one", "%s: %w", file, err)
	case err != nil && strings.Contains(err.Error(), "payload chunk"): // of age(1), of whatever it does not open
		return nil, notOurs(errors.New("is cut off, or was changed since it was written"))
	case err != nil:
		return nil, notOurs(err)
	}
	return &Backup{contents, s.command(file)}, nil
}

// recorded keeps what is read, which is no more than a header.
type recorded struct {
	io.Reader
	text strings.Builder
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.text.Write(p[:n])
	return n, err
}

// cancelled ends with a context.
type cancelled struct {
	io.Reader
	ctx context.Context
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.Reader.Read(p)
}
