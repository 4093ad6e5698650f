// Package facts gathers what a run has to know of the machine and of DNS, for
// the domains in its scope.
package facts

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"mailsetup/internal/detect"
	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/standby"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/steps/inbound"
	"mailsetup/steps/recipients"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Request says what facts are needed for.
type Request struct {
	Spec    spec.Spec
	Ledger  keyring.Ledger
	Scope   step.Scope
	Removed []spec.Domain // that the run takes out of the spec, as they were
	Steps   []step.Step   // nil: all. A rotation looks at the zones of its keys alone.
}

// Gathered is what was found.
type Gathered struct {
	Facts state.Facts
	// Scope is the one of the request, without domains of which nothing has changed
	// since a run left them as they should be.
	Scope step.Scope
	// Pristine are hashes of files that are as their package shipped them, and that
	// mailsetup may replace: that is no drift.
	Pristine plan.FileHashes
}

// Collector gathers the facts of one run. It is not safe for concurrent use.
type Collector struct {
	m            *machine.Machine
	prefetched   *prefetch           // nil for none
	fingerprints *store.Fingerprints // nil before they were read
	zoneNames    []string            // whose zones were looked at last
	client       *dnsclient.Client   // with the answers of the last look, nil before
	otherMTA     *state.OtherMTA     // found before this run replaced it
	earlier      store.Earlier       // what the run began with, see Known
}

// New returns a collector for a machine.
func New(m *machine.Machine) *Collector { return &Collector{m: m} }

// Known tells the collector what earlier runs left, as far as it was read.
func (c *Collector) Known(e store.Earlier) { c.earlier = e }

// Close stops the background work.
func (c *Collector) Close() { c.prefetched.stop() }

// files are those whose contents steps need.
var files = append([]state.Path{signer.ConfFile, "/etc/aliases", "/etc/mailname", "/etc/bind/named.conf.local", recipients.UsersFile}, inbound.Files()...)

// Gather collects the facts of the machine, and looks up the names of a spec.
func (c *Collector) Gather(ctx context.Context, r Request) (Gathered, error) {
	if c.m.Image != nil {
		dir, err := filepath.Abs(c.m.Root) // programs run elsewhere
		if err != nil {
			return Gathered{}, err
		}
		f, err := detect.Image(ctx, c.m.Image, system.NewHost(system.Options{}), dir, files)
		return Gathered{Facts: f, Scope: r.Scope}, err
	}
	var err error
	if r.Scope, err = c.skipUnchanged(r); err != nil {
		return Gathered{}, err
	}
	n := len(r.namesToResolve(""))
	c.client = c.m.Resolver.ForRun(n, func(answers int) { c.m.Logf("asking DNS about %s: %d answers so far", text.Count(n, "name"), answers) })
	f, err := c.machineFacts(ctx, r)
	if err != nil {
		return Gathered{}, err
	}
	if r.Steps == nil { // keys are replaced whatever else DNS says
		c.lookUpDNS(ctx, r, &f)
		c.lookUpOtherKeys(ctx, r, &f)
		if err := c.proveLists(ctx, r, f); err != nil {
			return Gathered{}, err
		}
	}
	f.OtherMTA = cmp.Or(f.OtherMTA, c.otherMTA) // what this run replaced leaves things behind
	c.otherMTA = f.OtherMTA
	if f.Postfix != nil {
		if f.Postfix.Fresh = store.New(c.m.Sys).PostfixIsFresh(); f.Postfix.Fresh && !f.Daemons[f.Postfix.Unit].Stopped {
			standby.Waits(f.Daemons, "postfix") // where a run failed before it was started
		}
		if r.Steps == nil {
			f.MailDomains = postfix.Domains(ctx, Source(c.m.Sys), f.Postfix, r.mailDomains())
		}
	}
	return Gathered{f, r.Scope, c.pristine(f)}, nil
}

// Refresh returns what Gather would, for a spec that follows from the facts and with
// nothing done in between: it looks up the names that the spec has beyond the last one
// (third parties in SPF records, zones for consents to reports), and gathers again only
// where zones matter that did not before.
func (c *Collector) Refresh(ctx context.Context, r Request, f state.Facts) (Gathered, error) {
	if c.m.Image != nil {
		return Gathered{Facts: f, Scope: r.Scope}, nil
	}
	if slices.ContainsFunc(r.zoneNames(), func(n string) bool { _, known := slices.BinarySearch(c.zoneNames, n); return !known }) {
		return c.Gather(ctx, r)
	}
	var err error
	if r.Scope, err = c.skipUnchanged(r); err != nil {
		return Gathered{}, err
	}
	c.lookUpDNS(ctx, r, &f)
	c.lookUpOtherKeys(ctx, r, &f)
	return Gathered{f, r.Scope, c.pristine(f)}, c.proveLists(ctx, r, f)
}

// Client returns a DNS client with the answers of the last Gather in its cache.
func (c *Collector) Client() *dnsclient.Client { return cmp.Or(c.client, c.m.Resolver) }

// skipUnchanged removes unchanged domains from a scope. A run about some domains does
// not skip any of them.
func (c *Collector) skipUnchanged(r Request) (step.Scope, error) {
	scope := r.Scope.Skip(nil)
	if !scope.WholeHost() {
		return scope, nil
	}
	s := store.New(c.m.Sys)
	if c.fingerprints == nil {
		var err error
		if c.fingerprints, err = s.LoadFingerprints(); err != nil {
			return scope, err
		}
	}
	unchanged, err := s.Unchanged(r.Spec, r.Ledger, c.fingerprints, c.earlier)
	return scope.Skip(unchanged), err
}

// SaveFingerprints remembers the domains of a run as it leaves them.
func (c *Collector) SaveFingerprints(in step.Input) error {
	return store.New(c.m.Sys).SaveFingerprints(in, c.fingerprints)
}

// pristine returns the hash of opendkim.conf if it is as the package shipped it. No
// other file of a package becomes ours.
func (c *Collector) pristine(f state.Facts) plan.FileHashes {
	o, err := c.m.Sys.Read(signer.ConfFile)
	if err != nil || !f.Pristine[signer.ConfFile] {
		return nil
	}
	return plan.FileHashes{signer.ConfFile: plan.Hash(o.Content)}
}

// cacheFailed is told that a cache cannot be written, nil where none may be.
func (c *Collector) cacheFailed() func(error) {
	if c.m.ReadOnly() {
		return nil
	}
	return func(err error) { c.m.Logf("the next run will look at all zones again: %v", err) }
}

func (c *Collector) detect(ctx context.Context, o source.Options) (state.Facts, error) {
	o.Files, o.Dirs = files, inbound.Dirs()
	o.NamedConf = store.NewNamedConf(c.m.Sys, c.cacheFailed())
	return detect.Machine(ctx, withoutSystemd{c.m.Sys}, o)
}

// PostfixNow returns the settings of a Postfix whose files a plan has changed since the
// facts about it were gathered.
func PostfixNow(ctx context.Context, sys system.System, before *state.Postfix) (*state.Postfix, error) {
	read, err := postfix.InDirectory(ctx, sys, sys, "")
	if err != nil {
		return nil, err
	}
	now := *before
	now.Raw, now.Lines, now.Value, now.Services = read.Raw, read.Lines, read.Value, read.Services
	return &now, nil
}

// Source is a system as detect looks at it.
func Source(sys system.System) source.Source { return withoutSystemd{sys} }

// withoutSystemd is a machine without systemd, a container or a chroot: it has no
// units.
type withoutSystemd struct{ system.System }

// Status implements system.Units.
func (s withoutSystemd) Status(ctx context.Context, unit string) (system.UnitStatus, error) {
	st, err := s.System.Status(ctx, unit)
	if errors.Is(err, system.ErrNoSystemd) {
		return system.UnitStatus{Load: "not-found", Active: "inactive"}, nil
	}
	return st, err
}
