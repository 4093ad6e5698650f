package backup

import (
	"bytes"
	"cmp"
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnshook"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/propose"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/keygen"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Bring has a run put the backup in place, and go on from there as from what an earlier
// run left. Where the server has other settings or keys it refuses, and says which, unless
// replace is true: what only the server has stays then.
func (b *Backup) Bring(p *provision.Opened, replace bool) error {
	if err := b.check(); err != nil {
		return hint.NewUsage("name a file that mailsetup backup wrote", "the backup %w", err)
	}
	files := p.Machine.Sys
	here, err := compare(files, b.Files)
	if err != nil {
		return err
	}
	if differs := here.text(); differs != "" && !replace {
		return hint.NewUsage("add --replace to put what the backup has in the place of it; mailsetup rollback brings it back",
			"this %s has settings or keys of its own: %s", p.Machine.Kind(), differs)
	}
	texts, earlier := map[string][]byte{}, store.Earlier{Ledger: keyring.Ledger{}, Hashes: p.Earlier.Hashes, LedgerOnDisk: keyring.Ledger{}}
	maps.Copy(earlier.Ledger, p.Earlier.Ledger)
	for _, path := range here.onlyHere {
		if domain, ok := domainIn(path, spec.DomainsDir(), ".toml"); ok {
			if texts[domain], err = system.ReadFile(files, path); err != nil {
				return err
			}
		}
	}
	for path, content := range b.Files {
		if domain, ok := domainIn(path, spec.DomainsDir(), ".toml"); ok {
			texts[domain] = content
		}
		if domain, ok := domainIn(path, state.LedgerDir, ".json"); ok {
			if earlier.Ledger[domain], err = keyring.ParseDomain(content); err != nil {
				return hint.NewUsage("name another backup", "the backup has a damaged %s: %w", path, err)
			}
		}
	}
	sp, err := spec.Parse(b.Files[spec.HostFile], texts)
	if err != nil {
		return hint.NewUsage("name another backup, or one of a program of this version", "the settings in the backup make no sense: %w", err)
	}
	earlier.Spec = &sp
	p.Earlier = earlier
	p.Brought = b.brought(here, sp, earlier.Ledger)
	return nil
}

// brought returns what a run puts in place.
func (b *Backup) brought(here comparison, sp spec.Spec, ledger keyring.Ledger) provision.Brought {
	keys := privateKeys(ledger)
	out := provision.Brought{Texts: map[state.Path][]byte{}, Keys: map[state.Path]bool{}}
	first, then := state.Stage{}, state.Stage{}
	for _, path := range slices.Sorted(maps.Keys(b.Files)) {
		_, isKey := keys[path]
		if isKey {
			out.Keys[path] = true
		}
		if strings.HasPrefix(string(path), string(spec.HostFile.Dir())+"/") && strings.HasSuffix(string(path), ".toml") {
			out.Texts[path] = b.Files[path]
		}
		if here.same[path] {
			continue
		}
		f := state.File{Path: path, Mode: 0o600, Owner: state.Root, Content: b.Files[path], AdminOwned: true, Why: "from the backup"}
		switch {
		case isKey:
			f.Owner, f.Secret = signer.OwnerOf(path), true
		case slices.Contains(slices.Concat(updateKeys(sp), hookSettings(sp)), path):
			f.Secret = true
		case strings.HasSuffix(string(path), ".toml"):
			f.Mode = 0o644
		}
		if f.Secret && here.differs[path] {
			first.Discard = append(first.Discard, path)
		}
		then.Files = append(then.Files, f)
	}
	out.Steps = append(out.Steps, step.Step{
		Name: "Restored", About: "settings, ledger and keys from the backup",
		Build: func(in step.Input) (state.Stage, []state.Note, error) {
			stage := then
			var err error
			stage.Dirs, err = directories(in, then.Files)
			return stage, nil, err
		},
	})
	if len(first.Discard) > 0 {
		out.Steps = append([]step.Step{{
			Name: "Replaced", About: "keys of this server in whose place those of the backup come",
			Build: func(step.Input) (state.Stage, []state.Note, error) { return first, nil, nil },
		}}, out.Steps...)
	}
	return out
}

// directories returns those that the files need, from above. Those of keys belong to
// whoever signs with them, alone.
func directories(in step.Input, files []state.File) ([]state.Dir, error) {
	keyDir, err := signer.KeyDirectory(in)
	if err != nil {
		return nil, err
	}
	needed := map[state.Path]state.Dir{}
	for _, f := range files {
		for dir := f.Path.Dir(); dir != "/" && dir != "/etc" && dir != "/var" && dir != "/var/lib"; dir = dir.Dir() {
			is := state.Dir{Path: dir, Mode: 0o755, Owner: state.Root}
			switch {
			case dir == keyDir.Path:
				is = keyDir
			case dir == state.OwnDir || dir.Dir() == state.OwnDir, dir == dnshook.SettingsDir:
				is.Mode = 0o700
			case dir == signer.EximKeyDir, f.Secret && f.Owner != state.Root && dir == f.Path.Dir():
				is.Mode, is.Owner = 0o700, f.Owner
			}
			if was, ok := needed[dir]; !ok || was.Mode == 0o755 {
				needed[dir] = is
			}
		}
	}
	var list []state.Dir
	for _, dir := range slices.Sorted(maps.Keys(needed)) {
		list = append(list, needed[dir])
	}
	return list, nil
}

// comparison is how the files of a backup and those of a server get on.
type comparison struct {
	same, differs map[state.Path]bool
	onlyHere      []state.Path
}

func compare(r system.Reader, files map[state.Path][]byte) (comparison, error) {
	c := comparison{same: map[state.Path]bool{}, differs: map[state.Path]bool{}}
	for path, content := range files {
		o, err := r.Read(path)
		switch {
		case err != nil:
			return c, err
		case o.Kind == state.Regular && bytes.Equal(o.Content, content):
			c.same[path] = true
		case o.Kind == state.Regular:
			c.differs[path] = true
		case o.Kind != state.Absent:
			return c, system.Misplaced(path, o, state.Regular)
		}
	}
	for _, dir := range []state.Path{spec.DomainsDir(), state.LedgerDir} {
		names, err := r.List(dir)
		if err != nil {
			return c, err
		}
		for _, name := range names {
			if _, both := files[dir.Join(name)]; !both && !strings.HasSuffix(name, "~") {
				c.onlyHere = append(c.onlyHere, dir.Join(name))
			}
		}
	}
	return c, nil
}

// text says what differs, "" if nothing does. How long keys have been in their stages is
// no setting.
func (c comparison) text() string {
	var parts []string
	other := slices.DeleteFunc(slices.Sorted(maps.Keys(c.differs)), func(p state.Path) bool { return p == state.ElapsedFile })
	add := func(what string, paths []state.Path) {
		if len(paths) > 0 {
			names := make([]string, len(paths))
			for i, p := range paths {
				names[i] = string(p)
			}
			parts = append(parts, what+" "+text.List(names, 5))
		}
	}
	add("others are", other)
	add("only here are", c.onlyHere)
	return strings.Join(parts, "; ")
}

// check refuses what no backup of mailsetup has, whoever made it: only settings, files of
// its own, and private keys that belong to the ledger, which can be nothing else.
func (b *Backup) check() error {
	if _, ok := b.Files[spec.HostFile]; !ok {
		return fmt.Errorf("has no %s", spec.HostFile)
	}
	ledger, texts := keyring.Ledger{}, map[string][]byte{}
	for path, content := range b.Files {
		if domain, ok := domainIn(path, state.LedgerDir, ".json"); ok {
			keys, err := keyring.ParseDomain(content)
			if err != nil {
				return fmt.Errorf("has a damaged %s: %w", path, err)
			}
			ledger[domain] = keys
		}
		if domain, ok := domainIn(path, spec.DomainsDir(), ".toml"); ok {
			texts[domain] = content
		}
	}
	sp, _ := spec.Parse(b.Files[spec.HostFile], texts) // what is wrong with it is told later
	keys, updates, settings := privateKeys(ledger), updateKeys(sp), hookSettings(sp)
	for path, content := range b.Files {
		if slices.Contains(settings, path) {
			continue
		}
		if err := fits(path, content, keys, updates); err != nil {
			return err
		}
	}
	for path, k := range keys {
		if _, ok := b.Files[path]; !ok && k.Stage == keyring.Active {
			return fmt.Errorf("lacks %s, the private key of selector %s: it was not there any more when the backup was made", path, k.Selector)
		}
	}
	return nil
}

// fits reports why a file has no place in a backup.
func fits(path state.Path, content []byte, keys map[state.Path]keyring.Key, updates []state.Path) error {
	settings := spec.HostFile.Dir()
	_, ofDomain := domainIn(path, spec.DomainsDir(), ".toml")
	_, ofLedger := domainIn(path, state.LedgerDir, ".json")
	_, ofZone := domainIn(path, state.PublishedDir, ".json")
	k, isKey := keys[path]
	switch {
	case isKey:
		return isPrivateKey(path, content, k)
	case path.Dir() == settings, ofDomain, ofLedger, ofZone, path == state.ElapsedFile:
		return nil
	case slices.Contains(updates, path) && holdsUpdateKeys(path):
		if _, err := nsupdate.ParseKey(content); err != nil {
			return fmt.Errorf("has %s: %w", path, err)
		}
		return nil
	}
	return fmt.Errorf("has %s, which is no part of one", path)
}

// isPrivateKey reports why a file is not the private key that the ledger names, and
// nothing else. The directory that it comes into may be read by programs that take
// every file.
func isPrivateKey(path state.Path, content []byte, k keyring.Key) error {
	block, rest := pem.Decode(content)
	switch {
	case block == nil || !bytes.HasPrefix(content, []byte("-----BEGIN ")) || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0:
		return fmt.Errorf("has %s, which is not just a private key", path)
	case keygen.PublicHalf(content) != k.Public:
		return fmt.Errorf("has %s, which is not the key of selector %s", path, k.Selector)
	}
	return nil
}

// domainIn returns the domain after which a file of a directory is named.
func domainIn(path, dir state.Path, extension string) (string, bool) {
	name, ok := strings.CutSuffix(path.Base(), extension)
	return name, ok && path.Dir() == dir && name != "" && !strings.HasPrefix(name, ".")
}

// Propose works out what a run should make true that brings the backup, and which answers
// are other ones here. Proposer returns one that knows what the backup brought.
func (b *Backup) Propose(ctx context.Context, p *provision.Opened, a spec.Answers, replace bool, proposer func() *propose.Proposer) (propose.Result, error) {
	if err := b.Bring(p, replace); err != nil {
		return propose.Result{}, err
	}
	if err := b.credentialsHere(p, a); err != nil {
		return propose.Result{}, err
	}
	asks := proposer()
	asks.Ask = nil // the backup answers
	r, err := asks.Init(ctx, a)
	if err == nil {
		b.Fit(p.Machine, &r)
	}
	return r, err
}

// credentialsHere refuses a backup with credentials for zones that are not on this server yet:
// its plan begins with what these zones have, and systemd reads those of hooks from the disk.
func (b *Backup) credentialsHere(p *provision.Opened, a spec.Answers) error {
	if p.Machine.Image != nil {
		return nil
	}
	sp := *p.Earlier.Spec
	sp.Host.DNS = cmp.Or(spec.DNSMode(a.DNS), sp.Host.DNS)
	var lacking, argv []string
	for _, d := range sp.Domains {
		if !sp.DNSOf(d).Updates() {
			continue
		}
		u := sp.UpdateOf(d)
		file := state.Path(u.KeyFile)
		if u.Hook != "" {
			file = dnshook.Settings(state.Path(u.Hook))
		}
		o, err := p.Machine.Sys.Stat(file)
		if err != nil {
			return err
		}
		if _, has := b.Files[file]; has && o.Kind == state.Absent && !slices.Contains(lacking, string(file)) {
			lacking, argv = append(lacking, string(file)), append(argv, hint.Quote("files"+string(file)))
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return hint.NewUsage("apt-get install age\n"+b.decrypt+" | tar -xpC / --strip-components=1 "+strings.Join(argv, " "),
		"zones are asked with %s, which is not here yet", text.List(lacking, 5))
}

// Fit adapts what the backup wants to this server, and says what is to be decided: the
// records name the old one until they are changed.
func (b *Backup) Fit(m *machine.Machine, r *propose.Result) {
	if m.Image == nil {
		notes := fit(&r.Want, r.Facts)
		r.Notes = append(r.Notes, notes...)
	}
}

func fit(want *spec.Spec, f state.Facts) []state.Note {
	var notes []state.Note
	add := func(topic, format string, a ...any) {
		notes = append(notes, state.Note{Topic: topic, Text: fmt.Sprintf(format, a...)})
	}
	h := want.Host
	if f.FQDN != "" && f.FQDN != h.Hostname {
		add("host", "this server calls itself %s, and its settings say %s; mailsetup init --hostname %s makes it that", f.FQDN, h.Hostname, f.FQDN)
	}
	var foreign []string
	for _, a := range h.Addresses {
		if !slices.Contains(f.Addresses, a) {
			foreign = append(foreign, a.String())
		}
	}
	if len(foreign) > 0 && len(f.Addresses) > 0 {
		var flags []string
		for _, a := range append(slices.Clone(h.Addresses), f.Addresses...) {
			if flag := "--ip " + a.String(); !slices.Contains(flags, flag) && (a.IsGlobalUnicast() && !a.IsPrivate() || slices.Contains(h.Addresses, a)) {
				flags = append(flags, flag)
			}
		}
		notes = append(notes, state.Note{
			Topic:  "spf",
			Text:   fmt.Sprintf("the SPF records name %s, which this server does not have; as long as mail leaves there as well, they name the addresses of both", text.List(foreign, 5)),
			Action: "mailsetup init --domain " + h.Domain + " " + strings.Join(flags, " "),
		})
	}
	var elsewhere []string
	want.Domains = slices.Clone(want.Domains)
	for i, d := range want.Domains {
		if want.DNSOf(d) == spec.DNSBind && !d.NewZone && !f.Serves(d.Name) {
			want.Domains[i].DNS = spec.DNSManual
			elsewhere = append(elsewhere, d.Name)
		}
	}
	if len(elsewhere) > 0 {
		add("dns", "BIND does not serve %s here: their records stay where they are, and changes are printed (dns = \"manual\" in their files); once their zones are here: mailsetup init --domain DOMAIN --dns bind", text.List(elsewhere, 5))
	}
	return notes
}
