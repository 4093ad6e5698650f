package provision

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	"mailsetup/internal/hint"
	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	door "mailsetup/steps/inbound"
)

// Files returns what a run should make true that has nothing to go by but the files of the
// spec, with its facts: those in /etc/mailsetup, or those in a directory, which take their
// place; "" for none. What the files leave out has its default, whatever the machine or DNS
// would propose, and a domain without a file is removed.
func (p *Opened) Files(ctx context.Context, dir string) (Request, error) {
	if dir == "" && len(p.Earlier.Unreadable) > 0 {
		_, _, err := store.New(p.Machine.Sys).LoadSpec()
		return Request{}, err
	}
	r := Request{Have: p.Earlier.Spec, Hashes: p.Earlier.Hashes, Keys: KeyPlan{Ledger: p.Earlier.Ledger}, Advice: true}
	if err := r.readFiles(dir); err != nil {
		return r, err
	}
	p.Options.Consents = maps.Clone(p.Options.Consents)
	if p.Options.Consents == nil {
		p.Options.Consents = map[state.QuestionKind]bool{}
	}
	p.Options.Consents[state.AskRemoval] = true
	if err := p.Provisioner.Facts.Gather(ctx, &r); err != nil {
		return r, err
	}
	if door.WatchesSecondaries(r.Want.Host.Inbound) && !p.isDirectory() {
		r.Notes = door.SeeSecondaries(&r.Want.Host.Inbound, p.Machine.Now, func() ([]inbound.Secondary, bool) {
			return p.Collector.Secondaries(ctx, r.Want, r.Facts)
		})
	}
	return r, nil
}

// readFiles adds to a request what the files want.
func (r *Request) readFiles(dir string) error {
	switch {
	case dir == "" && r.Have == nil:
		return hint.NewUsage("mailsetup init asks for what belongs there, and writes it\nmailsetup apply --from DIR takes host.toml and domains.d from elsewhere", "%s: is missing: it says what is wanted of this server", spec.HostFile)
	case dir == "":
		r.Want = *r.Have
		return nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	given, err := store.LoadGiven(system.NewHost(system.Options{}), state.Path(abs))
	if err != nil {
		return err
	}
	r.Given, r.Want = &given, given.Spec
	if r.Have == nil {
		return nil
	}
	if len(r.Want.Host.Inbound.MX) == 0 && r.Want.Host.Inbound.On() { // earlier runs saw them
		r.Want.Host.Inbound.MX = slices.Clone(r.Have.Host.Inbound.MX)
	}
	wanted := make(map[string]bool, len(r.Want.Domains))
	for _, d := range r.Want.Domains {
		wanted[d.Name] = true
	}
	for _, d := range r.Have.Domains {
		if !wanted[d.Name] {
			r.Removed = append(r.Removed, d)
		}
	}
	return nil
}
