package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/journal"

	"mailsetup/internal/facts"
	"mailsetup/internal/keyring"
	"mailsetup/internal/mailbox"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/rotation"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// openRotator opens the machine for a run about keys. The caller closes the
// session.
func openRotator(ctx context.Context, c console, o options) (*session, *rotation.Rotator, error) {
	s, err := openSession(ctx, c, o)
	if err != nil {
		return nil, nil, err
	}
	sp, err := s.setUp()
	if err != nil {
		s.close()
		return nil, nil, err
	}
	return s, s.rotator(*sp), nil
}

func (s *session) rotator(sp spec.Spec) *rotation.Rotator {
	return &rotation.Rotator{
		System: s.Sys, Tree: s.o.root != "", Mailbox: mailbox.Root, Spec: sp,
		Clock: func() time.Time {
			s.SetNow()
			return s.Now
		},
		Store: &rotationStore{Store: s.store(), session: s}, DNS: func() rotation.DNS { return rotation.NewDNS(s.Resolver.WithCache()) },
		Provisioner: &rotationProvisioner{s.provisioner(), s, sp}, UI: rotationUI{s},
	}
}

// rotationStore is the store of a rotation, which has what the session read.
type rotationStore struct {
	store.Store
	session *session
	again   bool            // what the session has read is out of date
	elapsed keyring.Elapsed // of a directory, where no time passes
}

func (s *rotationStore) LoadLedger() (keyring.Ledger, plan.FileHashes, error) {
	if s.again {
		if err := s.session.remember(); err != nil {
			return nil, nil, err
		}
	}
	s.again = true
	return s.session.keys, s.session.hashes, nil
}

func (s *rotationStore) LoadElapsed(l keyring.Ledger) (keyring.Elapsed, error) {
	s.session.keys = l
	if s.session.o.root != "" {
		return s.elapsed, nil
	}
	return s.session.elapsed()
}

func (s *rotationStore) SaveElapsed(p keyring.Elapsed) error {
	s.elapsed = p
	if s.session.o.dryRun || os.Geteuid() != 0 {
		return nil
	}
	return s.Store.SaveElapsed(p)
}

func (s *rotationStore) SaveChecks(results map[string]recordwatch.Result) error {
	checked, watches := recordwatch.LastChecks(results, s.session.keys, time.Now().UTC())
	return s.Store.SaveChecks(checked, watches)
}

// elapsed returns how long keys have certainly been in their stages, and writes
// that down where it matters.
func (s *session) elapsed() (keyring.Elapsed, error) {
	written, err := s.store().LoadElapsed()
	if err != nil {
		s.c.say("%v", err)
	}
	reading, err := system.ReadClock()
	if err != nil {
		return keyring.Elapsed{}, err
	}
	now := written.Advance(s.keys, reading)
	if s.o.dryRun || os.Geteuid() != 0 {
		return now, nil
	}
	return now, s.store().UpdateElapsed(written, now)
}

// rotationProvisioner carries out what a rotation decides.
type rotationProvisioner struct {
	*provision.Provisioner
	s  *session
	sp spec.Spec
}

func (p *rotationProvisioner) Gather(ctx context.Context, r provision.Request) (state.Facts, error) {
	return p.Facts.Gather(ctx, r)
}

func (p *rotationProvisioner) Plan(ctx context.Context, r provision.Request) (*provision.Draft, error) {
	r.OnDisk, r.Keys.OnDisk = p.s.memory.domains, p.s.memory.keys
	return p.Provisioner.Plan(ctx, r)
}

func (p *rotationProvisioner) ExpectedRecords(ctx context.Context, domains []string) (map[string][]state.Record, error) {
	list := slices.DeleteFunc(slices.Clone(p.sp.Domains), func(d spec.Domain) bool { return !slices.Contains(domains, d.Name) })
	r := facts.Request{Spec: p.sp, Ledger: p.s.keys, Scope: step.Only(domains...)}
	in, err := p.s.collector().RecordsInput(ctx, r, list, p.s.c.say)
	if err != nil {
		return nil, err
	}
	all := map[string][]state.Record{}
	for _, d := range list {
		all[d.Name] = dns.ServedRecords(in, d)
	}
	return all, nil
}

// rotationUI is the session as what a rotation tells people.
type rotationUI struct{ *session }

func (u rotationUI) Logf(format string, a ...any) { u.c.say(format, a...) }

// Alert says lines so that they stand out in the journal of the system.
func (u rotationUI) Alert(lines []string) {
	inJournal, _ := journal.StderrIsJournalStream()
	for _, l := range lines {
		l = text.Printable(l)
		if inJournal { // sd-daemon(3)
			u.c.say("<3>%s", l)
			continue
		}
		u.c.say("%s", text.Wrap(l, 78))
		if !u.c.interactive {
			_ = journal.Send(l, journal.PriErr, map[string]string{"SYSLOG_IDENTIFIER": "mailsetup"})
		}
	}
}

func (u rotationUI) ShowTransitions(lines []string) {
	if u.o.json {
		return
	}
	for _, l := range lines[:min(len(lines), mostNotes)] {
		fmt.Fprintln(u.c.out, text.Wrap(text.Printable(l), 78))
	}
	if more := len(lines) - mostNotes; more > 0 {
		fmt.Fprintf(u.c.out, "and %s more\n", text.Count(more, "step"))
	}
}

func (u rotationUI) ShowPlan(p plan.Plan) {
	if !u.o.json {
		u.showPlan(p)
	}
}

// ShowResult says what is wrong, and leaves the rest to the report where that is
// data.
func (u rotationUI) ShowResult(r provision.Result) {
	if u.o.json {
		return
	}
	_ = u.printRun(r) // a rotation has proven its keys itself
}

func (u rotationUI) StartBar(what string, total int) (step, end func()) {
	b := newProgressBar(u.c, what, total)
	if !b.c.live || u.o.accessible {
		b.total = 0 // a timer that finds nothing to do says nothing
	}
	return func() { b.step(time.Now()) }, b.end
}
