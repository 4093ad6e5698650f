package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/check"
	"mailsetup/internal/detect"
	"mailsetup/internal/dnspub"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
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

	// touched are the domains that the run is about, by name; nil for all.
	touched map[string]bool
	// removed are domains that the run takes out of the spec, as they were.
	removed []spec.Domain
	// retire are keys that go in this run: selectors, by domain.
	retire map[string][]string
	// turns are the steps that keys take in this run, by domain, and passed is how
	// long they have been in their stages.
	turns  map[string][]keyring.Move
	passed keyring.Passed
	// fresh are the successors that the run makes, by domain: one that was made
	// for a step that had to be taken back serves the next attempt.
	fresh map[string]freshKey
	// turned is what a run about the turns of keys tells in the end, and observed
	// that it only takes notice of what DNS has.
	turned   *turned
	observed bool
	// left is what was told to be left for the administrator.
	left []state.Note
	// steps are those that the run takes; nil for all.
	steps []steps.Step
	// settled are those of which nothing has changed, see findSettled; named is the
	// one that the command line names.
	settled map[string]bool
	named   string
	marks   map[string]mark
	// glance is a look at the machine that began ahead, nil for none.
	glance *glance
	// looked are the names whose zones were looked at, and asked is the resolver
	// of that look, which has answers already.
	looked []string
	asked  *dnspub.Client

	installed  []string // packages that this run brought
	zonesAsked int      // since a unit was acted on last
	taken      *taken   // an OpenDKIM set up by hand; nil for none
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
		s.image, s.sys = image, image
	} else {
		host := system.NewHost(system.Options{})
		host.Prober, host.Updater = check.NewProber(host, host), dnspub.Updater{Files: host}
		s.sys = host
	}
	s.resolver = dnspub.New(nameServers(s.sys)...)
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
	open, err := s.journal.Open()
	if err != nil || open == nil || s.o.command == "recover" {
		return err
	}
	s.c.say("the run of %s (%s) was interrupted; putting the machine back first", open.Started.Format(time.DateTime), open.Command)
	return s.putBack(ctx)
}

// putBack undoes an interrupted run.
func (s *session) putBack(ctx context.Context) error {
	report, err := apply.Recover(ctx, s.sys, s.journal, s.applyOptions())
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
	return apply.Options{Command: s.o.command, Now: s.o.now, ID: s.newID(), Progress: s.progress}
}

func (s *session) close() {
	s.glance.end()
	if s.image != nil {
		_ = s.image.Close()
	}
	_ = s.release()
}

// look finds out about the machine, and about DNS for the names of the wish.
func (s *session) look(ctx context.Context, w *spec.Spec) error {
	if s.image != nil {
		dir, err := filepath.Abs(s.o.root) // programs run elsewhere
		if err != nil {
			return err
		}
		s.facts, err = detect.Image(ctx, s.image, system.NewHost(system.Options{}), dir, factFiles)
		return err
	}
	if err := s.findSettled(w); err != nil {
		return err
	}
	s.looked, s.asked = s.origins(w), s.resolver.Remembering()
	facts, err := s.lookedAt(ctx, s.looked)
	if err != nil {
		return err
	}
	if s.steps == nil { // keys are replaced whatever else DNS says
		s.lookUp(ctx, w, s.namesOf(w, facts.FQDN), &facts)
	}
	// The package's own opendkim.conf may be replaced. Nothing else that is
	// still as shipped becomes ours, so nothing else is remembered.
	if o, err := s.sys.Read(steps.Conf); err == nil && facts.Pristine[steps.Conf] {
		s.record[steps.Conf] = plan.Hash(o.Content)
	}
	if facts.OtherMTA == nil {
		facts.OtherMTA = s.facts.OtherMTA // what this run replaced leaves things behind
	}
	if facts.Postfix != nil {
		facts.Postfix.Fresh = s.isFresh()
	}
	s.facts = facts
	return nil
}

// source lets a machine be looked at on which systemd does not run, in a
// container or a chroot: no unit is found there.
type source struct{ system.System }

// Status implements system.Units.
func (s source) Status(ctx context.Context, unit string) (system.UnitStatus, error) {
	st, err := s.System.Status(ctx, unit)
	if errors.Is(err, system.ErrNoSystemd) {
		return system.UnitStatus{Load: "not-found", Active: "inactive"}, nil
	}
	return st, err
}

// factFiles are the files whose content steps look at.
var factFiles = []state.Path{steps.Conf, "/etc/aliases", "/etc/mailname", "/etc/bind/named.conf.local"}

// subjects are the domains of a spec that the run is about.
func (s *session) subjects(w *spec.Spec) []spec.Domain {
	if s.touched == nil && len(s.settled) == 0 {
		return w.Domains
	}
	var list []spec.Domain
	for _, d := range w.Domains {
		if (s.touched == nil || s.touched[d.Name]) && !s.settled[d.Name] {
			list = append(list, d)
		}
	}
	return list
}

// namesOf are the names that DNS is asked about: those of the domains, and of
// the host and its addresses. Without an answer yet they are this machine's.
func (s *session) namesOf(w *spec.Spec, fqdn string) []string {
	var names []string
	known := map[string]bool{"": true}
	add := func(name string) {
		if !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	add(w.Host.Hostname)
	if s.touched == nil {
		add(w.Host.Domain)
		if w.Host.Hostname == "" && fqdn != "" {
			add(fqdn)
			add(parent(fqdn))
		}
		for _, a := range w.Host.Addresses {
			add(a.String())
		}
	}
	for _, d := range s.subjects(w) {
		add(d.Name)
		add(d.SPF.Redirect)
	}
	return names
}

// origins are the names whose zones get records.
func (s *session) origins(w *spec.Spec) []string {
	if s.steps != nil {
		return s.keyOrigins(w)
	}
	var names []string
	if s.touched == nil {
		names = append(names, w.Host.Domain)
	}
	if s.touched == nil || s.touched[w.Host.Domain] { // whose records are those of the host, too
		names = append(names, w.Host.Hostname)
	}
	for _, d := range s.subjects(w) {
		names = append(append(names, d.Name), steps.Authorisations(d)...)
	}
	for _, d := range s.removed {
		names = append(names, steps.Authorisations(d)...)
	}
	names = slices.AppendSeq(names, maps.Keys(s.touched)) // and those that the spec no longer has
	return named(names)
}

// named are those of the names that are not empty, sorted and each once.
func named(names []string) []string {
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

// keyOrigins are the domains of a rotation whose zones here get or lose keys.
func (s *session) keyOrigins(w *spec.Spec) []string {
	if !s.publishes() {
		return nil
	}
	elsewhere := map[string]bool{}
	for _, d := range w.Domains {
		elsewhere[d.Name] = w.DNSOf(d) == spec.DNSManual
	}
	return slices.DeleteFunc(sortedKeys(s.touched), func(name string) bool { return elsewhere[name] })
}

// known is the resolver of the last look, which has found zones and their servers.
func (s *session) known() *dnspub.Client { return cmp.Or(s.asked, s.resolver) }

// published reports whether DNS has texts at the name already: as the servers
// in charge say or, where none of them can be asked, the resolver.
func (s *session) published(ctx context.Context, name string) bool {
	asked, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if taken, err := s.known().Taken(asked, name); err == nil {
		return taken
	}
	ctx, cancel = context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, status, err := s.resolver.Lookup(ctx, name, "TXT")
	return err == nil && status == dnspub.Found
}

func (s *session) exists(p state.Path) bool {
	o, err := s.sys.Read(p)
	return err == nil && o.Kind != state.Absent
}

// wizard says how to talk to the person.
func (s *session) wizard(fixed spec.Answers) wizard.Options {
	return wizard.Options{
		In: s.c.in, Out: s.c.out, Width: s.c.width, Color: s.c.color, Fixed: fixed,
		Accessible: s.o.accessible || os.Getenv("TERM") == "dumb",
		Propose: func(ctx context.Context, a spec.Answers) (wizard.Proposals, error) {
			err := s.look(ctx, wanted(a, nil))
			p := s.proposals(a)
			if domain, invalid := spec.DomainName(a.Domain); invalid == nil && err == nil {
				p.Selector = wizard.Proposal{Value: s.freeSelector(ctx, domain), Why: "nobody uses it yet"}
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

// newID names a run: sortable by time, and unique.
func (s *session) newID() string {
	return apply.NewID(s.now, s.random(4))
}
