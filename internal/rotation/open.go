package rotation

import (
	"context"
	"slices"
	"time"

	"mailsetup/internal/clock"
	"mailsetup/internal/facts"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/mailbox"
	"mailsetup/internal/notify"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
)

// Open opens a machine for a run about keys: ui tells what a run does, person is in
// front of the plans that it carries out. The caller calls done in the end.
func Open(ctx context.Context, on machine.Options, o provision.Options, ui UI, person provision.UI) (r *Rotator, done func(), err error) {
	o.SkipUnreadable = true
	p, err := provision.Open(ctx, on, o, person, nil)
	if err != nil {
		return nil, nil, err
	}
	sp, err := p.SetUp()
	if err != nil {
		p.Close()
		return nil, nil, err
	}
	m := p.Machine
	return &Rotator{
		Machine: m, System: m.Sys, Tree: m.Root != "", Mailbox: mailbox.Root, Spec: sp, Unreadable: p.Earlier.Unreadable,
		Clock: func() time.Time {
			m.SetNow()
			return m.Now
		},
		Store: &openedStore{Store: store.New(m.Sys), p: p}, DNS: func() DNS { return NewDNS(m.Resolver.WithCache()) },
		Provisioner: &openedProvisioner{p, sp}, UI: ui,
		Alert: func(lines []string) { notify.Alert(lines, ui.Logf, on.Interactive) },
	}, p.Close, nil
}

// openedStore is the store of a machine that was opened: what was read then is not
// read once more.
type openedStore struct {
	store.Store
	p       *provision.Opened
	stale   bool            // what was read when the machine was opened is out of date
	elapsed keyring.Elapsed // of a directory, where no time passes
}

// LoadLedger implements Store.
func (s *openedStore) LoadLedger() (keyring.Ledger, plan.FileHashes, error) {
	if s.stale {
		if err := s.p.Reload(); err != nil {
			return nil, nil, err
		}
	}
	s.stale = true
	return s.p.Earlier.Ledger, s.p.Earlier.Hashes, nil
}

// LoadElapsed implements Store.
func (s *openedStore) LoadElapsed(l keyring.Ledger) (keyring.Elapsed, error) {
	s.p.Earlier.Ledger = l
	if s.p.Machine.Root != "" {
		return s.elapsed, nil
	}
	return s.p.Elapsed()
}

// SaveElapsed implements Store.
func (s *openedStore) SaveElapsed(e keyring.Elapsed) error {
	s.elapsed = e
	if s.p.Machine.ReadOnly() {
		return nil
	}
	return s.Store.SaveElapsed(e)
}

// SaveChecks implements Store.
func (s *openedStore) SaveChecks(results map[string]recordwatch.Result) error {
	checked, watches := recordwatch.LastChecks(results, s.p.Earlier.Ledger, clock.Now().UTC())
	return s.Store.SaveChecks(checked, watches)
}

// openedProvisioner carries out on a machine what a rotation decides.
type openedProvisioner struct {
	*provision.Opened
	spec spec.Spec
}

// Gather implements Provisioner.
func (p *openedProvisioner) Gather(ctx context.Context, r provision.Request) (state.Facts, error) {
	err := p.Facts.Gather(ctx, &r)
	return r.Facts, err
}

// ExpectedRecords implements Provisioner.
func (p *openedProvisioner) ExpectedRecords(ctx context.Context, domains []string) (map[string][]state.Record, error) {
	list := slices.DeleteFunc(slices.Clone(p.spec.Domains), func(d spec.Domain) bool { return !slices.Contains(domains, d.Name) })
	r := facts.Request{Spec: p.spec, Ledger: p.Earlier.Ledger, Scope: step.Only(domains...)}
	in, err := p.Collector.RecordsInput(ctx, r, list, p.Machine.Logf)
	if err != nil {
		return nil, err
	}
	all := map[string][]state.Record{}
	for _, d := range list {
		all[d.Name] = dns.ServedRecords(in, d)
	}
	return all, nil
}

// ReportFailure mails the administrator of this machine why a run failed, see
// MailFailure.
func ReportFailure(ctx context.Context, failed error) error {
	host := system.NewHost(system.Options{})
	return MailFailure(ctx, host, store.New(host), clock.Now().UTC().Truncate(time.Second), failed)
}
