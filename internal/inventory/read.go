package inventory

import (
	"context"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/inbound"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/store"
)

// Read lists the domains of a machine, as of now.
func Read(ctx context.Context, on machine.Options) (domains []Domain, now time.Time, err error) {
	m, err := machine.Open(ctx, on)
	if err != nil {
		return nil, now, err
	}
	defer m.Close()
	e, err := store.Load(m.Sys, m.DryRun(), m.Logf)
	if err != nil {
		return nil, now, err
	}
	sp, err := e.SetUp(m.Kind())
	if err != nil {
		return nil, now, err
	}
	checks, err := store.New(m.Sys).LastChecks()
	if err != nil {
		return nil, now, err
	}
	sources := Sources{
		Spec: sp, Ledger: e.Ledger, Checks: checks, KeysUnknown: m.Unprivileged(), Now: m.Now,
		StageWithoutFile: func(domain string, k keyring.Key) keyring.Stage {
			return dkimkeys.StageWithoutFile(m.Sys, domain, k)
		},
	}
	if m.Image == nil && !m.Unprivileged() {
		elapsed, err := store.AdvanceElapsed(m.Sys, e.Ledger, false, m.Logf)
		if err != nil {
			return nil, now, err
		}
		sources.Unusable = dkimkeys.Unusable(m.Sys, e.Ledger, func(string) bool { return true })
		sources.InStage = elapsed.InStage
	}
	return sources.Domains(), m.Now, nil
}

// Inbound opens a machine and returns what mail that comes in meets there.
func Inbound(ctx context.Context, on machine.Options) (inbound.Policy, error) {
	m, err := machine.Open(ctx, on)
	if err != nil {
		return inbound.Policy{}, err
	}
	defer m.Close()
	e, err := store.LoadReadable(m.Sys, m.DryRun(), m.Logf)
	if err != nil {
		return inbound.Policy{}, err
	}
	sp, err := e.SetUp(m.Kind())
	p := sp.Host.Inbound
	p.Allow = append([]string{}, p.Allow...) // data has lists
	return p, err
}
