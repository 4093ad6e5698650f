package provision

import (
	"context"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/facts"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

// Opened is a Provisioner of a machine that was opened for a command.
type Opened struct {
	*Provisioner
	Collector *facts.Collector // that the Facts use
}

// Open opens a machine, and reads what earlier runs left there. The facts about the
// zones of the names that guess returns are gathered meanwhile; it is nil where
// nobody knows. The caller closes what it gets.
func Open(ctx context.Context, on machine.Options, o Options, ui UI, guess func(spec.Host) []string) (*Opened, error) {
	m, err := machine.Open(ctx, on)
	if err != nil {
		return nil, err
	}
	p := New(m, o, ui)
	if guess != nil {
		err = p.Collector.Prefetch(ctx, guess)
	}
	if err == nil {
		load := store.Load
		if o.SkipUnreadable {
			load = store.LoadReadable
		}
		p.Earlier, err = load(m.Sys, m.DryRun(), m.Logf)
		p.Collector.Known(p.Earlier)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// New returns a Provisioner for a machine that is open.
func New(m *machine.Machine, o Options, ui UI) *Opened {
	c := facts.New(m)
	return &Opened{Collector: c, Provisioner: &Provisioner{
		Machine: m, Options: o, UI: ui, Facts: &Sources{Machine: m, Collector: c, Logf: m.Logf},
		Selectors: func(ledger keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
			return dkimkeys.For(m, c.Client(), ledger, zones)
		},
	}}
}

// Close ends what was begun ahead, and closes the machine.
func (p *Opened) Close() {
	p.Collector.Close()
	_ = p.Machine.Close()
}

// SetUp returns the spec of a server that init was run on.
func (p *Opened) SetUp() (spec.Spec, error) { return p.Earlier.SetUp(p.Machine.Kind()) }

// Forget returns what earlier runs left, and holds it no longer.
func (p *Opened) Forget() store.Earlier {
	known := p.Earlier
	p.Earlier = store.Earlier{}
	return known
}

// Reload reads the keys and the hashes of files again, which a run has changed.
func (p *Opened) Reload() error { return p.Earlier.Reload(p.Machine.Sys) }

// Remove returns what a run should make true that removes domains, with its facts,
// and the domains that an earlier run removed, see Removal.Request. Where its scope
// is empty there is nothing to do.
func (p *Opened) Remove(ctx context.Context, domains []string, purge bool) (r Request, before []string, err error) {
	have, err := p.SetUp()
	if err != nil {
		return Request{}, nil, err
	}
	r, before, err = Removal{Domains: domains, Purge: purge, Machine: p.Machine.Kind()}.Request(have, p.Earlier.Ledger)
	if err != nil || len(r.Scope.Selection()) == 0 {
		return r, before, err
	}
	r.Hashes = p.Earlier.Hashes
	return r, before, p.Facts.Gather(ctx, &r)
}

// NoteElapsed writes down that the time of keys whose stage a run has changed counts
// from now on. In a directory no time passes.
func (p *Opened) NoteElapsed() error {
	if p.Machine.Image != nil || p.Machine.DryRun() {
		return nil
	}
	if err := p.Reload(); err != nil {
		return err
	}
	_, err := p.Elapsed()
	return err
}

// Elapsed returns how long keys have certainly been in their stages. It is written
// down where it matters and may be.
func (p *Opened) Elapsed() (keyring.Elapsed, error) {
	return store.AdvanceElapsed(p.Machine.Sys, p.Earlier.Ledger, !p.Machine.ReadOnly(), p.Machine.Logf)
}
