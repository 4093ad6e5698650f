package rollback

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/origin"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/keygen"
	"mailsetup/steps/dns"
	"mailsetup/steps/keys"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Uninstall returns the run that gives the host back: Postfix no longer asks the signer, the
// files of both are as before the first run, and the zones here lose what is ours but for
// keys that mail under way needs. Private keys and the ledger stay.
func Uninstall(ctx context.Context, p *provision.Opened) (provision.Request, error) {
	have, err := p.SetUp()
	if err != nil {
		return provision.Request{}, err
	}
	u, err := newGiven(ctx, p, have)
	if err != nil {
		return provision.Request{}, err
	}
	if err := checkAdopted(ctx, p.Earlier.Ledger, NameServers(p.Machine)); err != nil {
		return provision.Request{}, err
	}
	var names []string
	for _, d := range have.Domains {
		names = append(names, d.Name)
	}
	r := provision.Request{
		Want: have.Without(names...), Have: &have, Removed: have.Domains, Scope: step.Only(names...), Hashes: u.hashes,
		Keys:  provision.KeyPlan{Ledger: p.Earlier.Ledger, Withdraw: map[string][]string{}},
		Steps: u.steps(), Notes: u.notes(p.Earlier.Ledger), Proof: provision.ProveSigner,
	}
	return r, p.Facts.Gather(ctx, &r)
}

// checkAdopted refuses to hand back to an OpenDKIM made by hand a key whose record is gone
// since: what it signs would not verify.
func checkAdopted(ctx context.Context, ledger keyring.Ledger, look Checker) error {
	if look == nil {
		return nil
	}
	for _, domain := range slices.Sorted(maps.Keys(ledger)) {
		for _, k := range ledger[domain] {
			if !k.Adopted || k.Stage != keyring.Gone && k.Stage != keyring.Revoked {
				continue
			}
			if missing := look.missingAt(ctx, domain, k); missing != "" {
				return hint.NewUsage(fmt.Sprintf("publish it again: %s TXT %s", dnsname.Key(k.Selector, domain), keygen.Record(k.Public)),
					"%s may sign for %s again, and no message would verify: %s", k.Selector, domain, missing)
			}
		}
	}
	return nil
}

// given is what the stages of the run are made of.
type given struct {
	files     system.Reader
	hashes    plan.FileHashes // without files that are given back
	overwrite bool            // edits by hand
	byStage   map[string]*state.Stage
}

// The stages, in their order: mail goes past the signer before that changes.
const postfixStage, signerStage, hostStage, ownStage = "Postfix", "OpenDKIM", "Host", "Settings"

func newGiven(ctx context.Context, p *provision.Opened, have spec.Spec) (*given, error) {
	u := &given{
		files: p.Machine.Sys, hashes: maps.Clone(p.Earlier.Hashes), byStage: map[string]*state.Stage{},
		overwrite: p.Options.OverwriteDrift,
	}
	for _, name := range []string{postfixStage, signerStage, hostStage, ownStage} {
		u.byStage[name] = &state.Stage{}
	}
	known, err := origin.Load(ctx, p.Machine.Sys, p.Machine.Journal)
	if err != nil {
		return nil, hint.NewUsage("mailsetup history lists the runs, and rollback takes them back one by one, the last first; or remove-domain ends the domains, and the rest is put back by hand",
			"cannot tell how this %s was before: %w; changed were: %s", p.Machine.Kind(), err, text.List(u.changed(), 10))
	}
	var edited []string
	for _, path := range slices.Sorted(maps.Keys(known)) {
		is, err := u.giveBack(*known[path])
		if err != nil {
			return nil, err
		}
		if !is {
			edited = append(edited, string(path))
		}
	}
	if len(edited) > 0 {
		return nil, hint.NewUsage(hint.Again("--overwrite-drift")+" puts them back as before the first run, without these edits; with --dry-run it shows them",
			"edited by hand since mailsetup first changed them: %s", text.List(edited, 10))
	}
	own := u.byStage[ownStage]
	for _, d := range have.Domains {
		own.Discard = append(own.Discard, spec.DomainFile(d.Name))
	}
	own.Discard = append(own.Discard, spec.HostFile, spec.DomainsDir(), spec.HostFile.Dir())
	slices.SortStableFunc(own.Discard, func(a, b state.Path) int { // what is below goes first
		return cmp.Compare(strings.Count(string(b), "/"), strings.Count(string(a), "/"))
	})
	own.Discard = slices.Compact(own.Discard)
	return u, nil
}

// changed are the files of the host that runs are known to have written or changed.
func (u *given) changed() []string {
	list := []string{"/etc/postfix/main.cf"}
	for path := range u.hashes {
		if path.Dir() != dns.FragmentDir && path.Dir() != spec.DomainsDir() {
			list = append(list, string(path))
		}
	}
	slices.Sort(list)
	return list
}

// giveBack plans a file as it was before. It reports false for one that somebody edited.
func (u *given) giveBack(f origin.File) (bool, error) {
	if f.Path == spec.HostFile { // the administrator's
		return true, nil
	}
	now, err := u.files.Read(f.Path)
	if err != nil {
		return false, err
	}
	hash, ours := u.hashes[f.Path]
	delete(u.hashes, f.Path)
	switch {
	case origin.Same(now, f.Before):
		return true, nil
	case now.Kind == state.Directory && f.Before.Kind == state.Absent:
		u.byStage[ownStage].Discard = append(u.byStage[ownStage].Discard, f.Path)
		return true, nil
	case f.Edited, !slices.Contains(f.Written, origin.Mark(now)) && !(ours && hash == origin.Mark(now)):
		if !u.overwrite {
			return false, nil
		}
	}
	stage := u.stageOf(f)
	switch f.Before.Kind {
	case state.Absent:
		stage.Discard = append(stage.Discard, f.Path)
		for _, d := range f.Derived {
			stage.Discard = append(stage.Discard, d.Path)
		}
	case state.Directory:
		stage.Dirs = append(stage.Dirs, state.Dir{Path: f.Path, Mode: f.Before.Mode, Owner: f.Before.Owner, Why: asBefore})
	default:
		stage.Files = append(stage.Files, state.File{
			Path: f.Path, Mode: f.Before.Mode, Owner: f.Before.Owner, Content: f.Before.Content, AdminOwned: true, Why: asBefore,
		})
		stage.Derived = append(stage.Derived, f.Derived...)
	}
	for _, unit := range f.Units {
		addUnit(stage, unit)
	}
	return true, nil
}

const asBefore = "as before mailsetup"

// stageOf returns the stage that gives a file back, by who reads it.
func (u *given) stageOf(f origin.File) *state.Stage {
	path := string(f.Path)
	switch {
	case strings.HasPrefix(path, "/etc/postfix/"):
		return u.byStage[postfixStage]
	case strings.Contains(path, "opendkim"):
		return u.byStage[signerStage]
	}
	return u.byStage[hostStage]
}

// addUnit has a stage act on a unit that reads files of it, once.
func addUnit(stage *state.Stage, u state.Unit) {
	if u.Action.AtBoot() || u.Action == state.Stop || slices.ContainsFunc(stage.Units, func(o state.Unit) bool { return o.Name == u.Name }) {
		return
	}
	back := state.Unit{Name: u.Name, Action: u.Action, WakeSocket: u.WakeSocket, NeedsDaemonReload: u.NeedsDaemonReload, Why: "its files are as before"}
	for _, q := range u.Probes {
		switch q.Kind {
		case state.ProbeActive, state.ProbePostfix, state.ProbeSMTP:
			back.Probes = append(back.Probes, q)
		case state.ProbeMilter:
			if at, err := state.ParsePath(q.Address); err == nil {
				back.WakeSocket = at
			}
			back.UndoProbes = append(back.UndoProbes, q)
		}
	}
	if u.Action == state.Start || u.Name == signer.Unit { // which may have had another socket
		back.Action = state.Restart
	}
	stage.Units = append(stage.Units, back)
}

// steps returns the steps of the run.
func (u *given) steps() []step.Step {
	made := func(name, about string) step.Step {
		return step.Step{Name: name, About: about, Build: func(step.Input) (state.Stage, []state.Note, error) {
			return *u.byStage[name], nil, nil
		}}
	}
	return []step.Step{
		made(postfixStage, "Postfix as it was: its mail leaves without the signer"),
		made(signerStage, "the signer as it was"),
		made(hostStage, "other files as they were"),
		{Name: "DNS", About: "records that nothing needs any more leave the zones here", DNS: true, Build: withdraw},
		{Name: "Ledger", About: "keys stay known, so that no selector is used twice", Build: keys.Record},
		made(ownStage, "what you asked for"),
	}
}

// withdraw is the publication of a host without domains. Keys that mail under way needs
// stay, and nobody takes them out by itself any more.
func withdraw(in step.Input) (state.Stage, []state.Note, error) {
	stage, notes, err := dns.Publish(in)
	for i, n := range notes {
		if n.Action == "mailsetup rotate-dkim" {
			notes[i].Action = ""
		}
	}
	return stage, notes, err
}

// notes say what stays.
func (u *given) notes(ledger keyring.Ledger) []state.Note {
	list := []state.Note{
		{Topic: "packages", Text: "the packages stay, and their daemons run with their files as before"},
		{Topic: "journal", Text: "how to take this back, and which selectors were used, stays in " + string(state.OwnDir)},
	}
	dirs := map[state.Path]bool{}
	for _, keys := range ledger {
		for _, k := range keyring.Existing(keys) {
			if k.File != "" {
				dirs[state.Path(k.File).Dir().Dir()] = true
			}
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		list = append(list, state.Note{
			Topic: "keys", Text: "private keys stay below " + string(dir) + ", for root and the signer alone: remove them once their records are out of DNS",
		})
	}
	return list
}
