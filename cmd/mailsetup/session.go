package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/dnspub"
	"mailsetup/internal/keyring"
	"mailsetup/internal/livepath"
	"mailsetup/internal/plan"
	"mailsetup/internal/probe"
	"mailsetup/internal/rotation"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
	"mailsetup/steps/step"
)

type stamp = time.Time

const (
	journalDir state.Path = "/var/lib/mailsetup/journal"
	lockFile              = "/run/mailsetup.lock"
	lockWait              = 5 * time.Second
	tickWait              = 10 * time.Minute // nobody sits in front of it
)

// session is one run of a command on one machine.
type session struct {
	c        console
	o        options
	now      time.Time
	sys      system.System
	image    *system.Image // not nil with --root
	resolver *dnspub.Client
	journal  *apply.Journal
	release  func() error

	facts  state.Facts
	keys   keyring.Ledger
	record plan.Record
	memory memory
	// recalls are what the files of the domains said, by where that is kept.
	recalls map[state.Path]*recall

	// scope says which domains the run is about.
	scope step.Scope
	// removed are domains that the run takes out of the spec, as they were.
	removed []spec.Domain
	// retire are keys that go in this run: selectors, by domain.
	retire map[string][]string
	// turns are the steps that keys take in this run, by domain, and passed is how
	// long they have been in their stages.
	turns  rotation.Moves
	passed keyring.Passed
	// fresh are the successors that the run makes, by domain: one that was made
	// for a step that had to be taken back serves the next attempt.
	fresh map[string]dkimkeys.Pair
	// turned is what a run about the turns of keys tells in the end, and observed
	// that it only takes notice of what DNS has.
	turned   *turned
	observed bool
	// left is what was told to be left for the administrator.
	left []state.Note
	// steps are those that the run takes; nil for all.
	steps []steps.Step
	marks map[string]mark
	// glance is a look at the machine that began ahead, nil for none.
	glance *glance
	// looked are the names whose zones were looked at, and asked is the resolver
	// of that look, which has answers already.
	looked []string
	asked  *dnspub.Client

	id         string   // of the first run of the command
	runs       int      // how many there were
	installed  []string // packages that this run brought
	zonesAsked int      // since a unit was acted on last
	taken      *taken   // an OpenDKIM set up by hand; nil for none
	// asker asks a milter, nil for none; milters are those of others with what they sign, nil before they were asked,
	// and asksSelector is the selector that the command line names.
	asker        signers.Asker
	milters      []state.Milter
	asksSelector string
}

// openSession opens the machine. A run that will write holds the lock and has
// recovered an interrupted one first.
func openSession(ctx context.Context, c console, o options) (*session, error) {
	s := &session{c: c, o: o, now: o.now().UTC().Truncate(time.Second), release: func() error { return nil }}
	if o.root != "" {
		image, err := system.NewRoot(o.root)
		if err != nil {
			return nil, fail("make the directory first", "--root: %w", err)
		}
		s.image, s.sys, s.resolver = image, image, dnspub.New(nameServers(image)...)
	} else {
		host := system.NewHost(system.Options{})
		s.sys, s.asker, s.resolver = host, probe.Signatures, dnspub.New(nameServers(host)...)
		host.Prober, host.Updater = probe.NewProber(host, host), dnspub.Updater{Files: host, Resolver: s.resolver}
	}
	s.journal = apply.NewJournal(s.sys, journalDir)
	s.sys = s.asAllowed(os.Geteuid())
	if err := s.claim(ctx); err != nil {
		s.close()
		return nil, err
	}
	err := s.ahead(ctx)
	if err == nil {
		err = s.remember()
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// asAllowed is the machine as far as the user may look at it.
func (s *session) asAllowed(euid int) system.System {
	if !s.o.dryRun || s.image != nil || euid == 0 {
		return s.sys
	}
	s.c.say("not root: what only root may read is taken for missing")
	return shy{s.sys}
}

func nameServers(r system.Reader) []string {
	o, err := r.Read("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	if o.Kind == state.Symlink { // as systemd-resolved and resolvconf leave it
		if text, err := os.ReadFile("/etc/resolv.conf"); err == nil {
			return dnspub.Servers(text)
		}
	}
	return dnspub.Servers(o.Content)
}

// claim prepares for writing: it takes the lock of the live machine and
// recovers an interrupted run.
func (s *session) claim(ctx context.Context) error {
	if s.o.dryRun {
		if open, err := s.journal.Open(); err == nil && open != nil {
			s.c.say("an interrupted run (%s) has to be put back first: what follows is not the whole truth", open.ID)
		}
		return nil
	}
	if s.o.root == "" {
		if err := s.lock(ctx); err != nil {
			return err
		}
	}
	if s.image == nil {
		if err := livepath.Clean(ctx, s.sys); err != nil {
			s.c.say("messages of a probe that was killed may still be in Postfix's queue: %v", err)
		}
	}
	open, err := s.journal.Open()
	if err != nil || open == nil || s.o.command == "recover" {
		return err
	}
	s.c.say("the run of %s (%s) was interrupted; putting the machine back first", open.Started.Format(time.DateTime), open.Command)
	return s.putBack(ctx)
}

// putBack undoes an interrupted run.
func (s *session) putBack(ctx context.Context) error {
	defer s.c.hold()()
	report, err := apply.Recover(ctx, s.sys, s.journal, apply.Options{Now: s.o.now, Progress: s.progress})
	if err := errors.Join(err, s.saveOwners()); err != nil {
		return err
	}
	s.recovered(report)
	return nil
}

// saveOwners writes down the owners of a tree: they cannot be set there.
func (s *session) saveOwners() error {
	if s.image == nil {
		return nil
	}
	return s.image.SaveManifest()
}

// place is what a run works on.
func (s *session) place() string {
	if s.image != nil {
		return "tree"
	}
	return "server"
}

// lock makes this the only run that changes the live machine.
func (s *session) lock(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fail("sudo mailsetup "+s.o.command+", or --dry-run to see the plan", "changing this machine needs root")
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return fail("--dry-run and --root DIR work without it", "systemd is not running here")
	}
	release, err := system.Lock(ctx, lockFile, lockWait)
	if busy := (*system.LockedError)(nil); errors.As(err, &busy) && s.o.command == "rotate-dkim" {
		if s.c.interactive {
			s.c.say("%v; waiting for it to end", busy)
		}
		release, err = system.Lock(ctx, lockFile, tickWait)
	}
	if err != nil {
		return fail("wait for it to end", "%w", err)
	}
	s.release = release
	return nil
}

func (s *session) applyOptions() apply.Options {
	return apply.Options{Command: s.o.command, Now: s.o.now, ID: s.nextRun(), Progress: s.progress}
}

func (s *session) close() {
	s.glance.end()
	if s.image != nil {
		_ = s.image.Close()
	}
	_ = s.release()
}

// wizard says how to talk to the person.
func (s *session) wizard(fixed spec.Answers) wizard.Options {
	return wizard.Options{
		In: s.c.in, Out: s.c.out, Width: s.c.width, Color: s.c.color, Fixed: fixed,
		Accessible: s.o.accessible || os.Getenv("TERM") == "dumb",
		Unread:     s.unreadAt,
		Propose: func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
			err := s.look(ctx, wanted(a, nil))
			p := s.proposals(a)
			if domain, invalid := spec.DomainName(a.Domain); invalid == nil && err == nil {
				p.Selector = wizard.Proposal{Value: s.selectors().Choose(ctx, domain, ""), Why: "nobody uses it yet"}
			}
			return p, err
		},
	}
}

const tailLetters = "abcdefghijkmnpqrstuvwxyz23456789"

// random returns n letters and digits that are not mistaken for each other.
func (s *session) random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = tailLetters[int(b[i])%len(tailLetters)]
	}
	return string(b)
}

// nextRun names a run: sortable by time, unique, and so that all runs of this
// command can be told.
func (s *session) nextRun() string {
	if s.runs++; s.runs == 1 {
		s.id = apply.NewID(s.now, s.random(4))
	}
	return apply.NextID(s.id, s.runs)
}
