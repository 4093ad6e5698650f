package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

var today = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// server is a machine in memory that signs for many domains.
type server struct {
	mem   *systemtest.Mem
	facts state.Facts
}

// newServer sets up a server for n domains, the way a run would leave it.
func newServer(ctx context.Context, n int) (*server, error) {
	s := &server{mem: systemtest.NewMem(), facts: facts()}
	s.mem.PutFile("/etc/postfix/main.cf", "compatibility_level = 3.6\nmyhostname = mail.lab.example\n")
	for _, dir := range []state.Path{"/etc/dkimkeys", "/etc/tmpfiles.d", "/var/spool/postfix", "/var/lib"} {
		s.mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	for _, unit := range []string{"opendkim.service", "postfix.service"} {
		s.mem.Unit(unit)
	}
	want, keys := wish(n)
	p, err := s.plan(ctx, want, keys, plan.FileHashes{})
	if err != nil {
		return nil, err
	}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			o, err := c.After.Held()
			if err != nil {
				return nil, err
			}
			s.mem.Put(c.Path, o)
		}
	}
	return s, nil
}

func facts() state.Facts {
	return state.Facts{
		Installed: map[string]bool{"postfix": true, "opendkim": true},
		OpenDKIM:  &state.OpenDKIM{Active: true},
		Postfix: &state.Postfix{
			Unit: "postfix.service", QueueDirectory: "/var/spool/postfix", Raw: map[string]string{},
			Value: map[string]string{"myhostname": "mail.lab.example", "mydestination": "localhost"},
		},
	}
}

// wish is a spec of n domains, and an active key for each.
func wish(n int) (spec.Spec, keyring.Ledger) {
	want := spec.Spec{Host: spec.Host{
		Version: 1, Hostname: "mail.lab.example", Domain: domain(0), DNS: spec.DNSManual,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10")}, MilterDefaultAction: "tempfail",
	}}
	keys := keyring.Ledger{}
	for i := range n {
		d := wished(domain(i))
		want.Domains = append(want.Domains, d)
		keys[d.Name] = []keyring.Key{{
			Selector: "202611", Bits: 2048, Public: strings.Repeat("MIIB", 98), Fingerprint: "SHA256:x",
			File: string(signer.KeyFile(d.Name, "202611")), Stage: keyring.Active,
			Since: map[keyring.Stage]time.Time{keyring.Staged: today, keyring.Active: today},
		}}
	}
	return want, keys
}

// wished is a domain with nothing special.
func wished(name string) spec.Domain {
	return spec.Domain{
		Name: name, Selector: "202611", KeyBits: 2048, TTL: 3600,
		SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none"},
	}
}

func domain(i int) string { return fmt.Sprintf("d%05d.example", i) }

// again is a run that looks at everything and finds nothing to do.
func (s *server) again(ctx context.Context) (plan.Plan, error) {
	want, keys, rec, err := s.remembered()
	if err != nil {
		return plan.Plan{}, err
	}
	in := s.input(want, keys)
	in.Keys.OnDisk = keys
	return makePlan(ctx, in, s.mem, rec)
}

// add sets up one domain more, the way add-domain does, and returns what that
// asked of the machine.
func (s *server) add(ctx context.Context, n int) (*countingReader, error) {
	_, before, rec, err := s.remembered()
	if err != nil {
		return nil, err
	}
	want, keys := wish(n + 1)
	in := s.input(want, keys)
	in.Scope, in.Keys.OnDisk = step.Only(domain(n)), before
	for i := range n {
		delete(in.SpecFiles, spec.DomainFile(domain(i)))
	}
	machine := &countingReader{Mem: s.mem}
	s.mem.ClearTrace()
	p, err := makePlan(ctx, in, machine, rec)
	if err != nil {
		return nil, err
	}
	_, err = apply.Run(ctx, machine, p, apply.NewJournal(machine, apply.JournalDir), apply.Options{
		Command: "add", Now: func() time.Time { return today },
	})
	return machine, err
}

// remembered reads what the server is set up for.
func (s *server) remembered() (spec.Spec, keyring.Ledger, plan.FileHashes, error) {
	files := s.mem.Files()
	domains, keys := map[string][]byte{}, keyring.Ledger{}
	for p, o := range files {
		switch {
		case p.Dir() == spec.DomainsDir():
			domains[strings.TrimSuffix(p.Base(), ".toml")] = o.Content
		case p.Dir() == keyring.File("x").Dir():
			ks, err := keyring.ParseDomain(o.Content)
			if err != nil {
				return spec.Spec{}, nil, nil, err
			}
			keys[strings.TrimSuffix(p.Base(), ".json")] = ks
		}
	}
	rec, err := plan.ParseFileHashes(files[plan.HashesFile].Content)
	if err != nil {
		return spec.Spec{}, nil, nil, err
	}
	want, err := spec.Parse(files[spec.HostFile].Content, domains)
	return want, keys, rec, err
}

func (s *server) plan(ctx context.Context, want spec.Spec, keys keyring.Ledger, rec plan.FileHashes) (plan.Plan, error) {
	return makePlan(ctx, s.input(want, keys), s.mem, rec)
}

func makePlan(ctx context.Context, in step.Input, r system.Reader, rec plan.FileHashes) (plan.Plan, error) {
	built, err := steps.Build(steps.All(), in)
	if err != nil {
		return plan.Plan{}, err
	}
	return plan.Make(ctx, built, r, rec)
}

// input is what the steps look at in a run about all domains.
func (s *server) input(want spec.Spec, keys keyring.Ledger) step.Input {
	in := step.Input{
		Spec: want, Facts: s.facts, Ledger: keys, Now: today,
		SpecFiles: map[state.Path][]byte{spec.HostFile: spec.MarshalHost(want.Host)},
		Keys:      step.KeyChanges{Private: map[state.Path][]byte{}},
	}
	for _, d := range want.Domains {
		in.SpecFiles[spec.DomainFile(d.Name)] = spec.MarshalDomain(d)
	}
	for _, d := range slices.Sorted(maps.Keys(keys)) {
		if o, err := s.mem.Read(state.Path(keys[d][0].File)); err != nil || o.Kind == state.Absent {
			in.Keys.Private[state.Path(keys[d][0].File)] = []byte("PEM of " + d)
		}
	}
	return in
}

// countingReader is the machine, and how often it was asked for something.
type countingReader struct {
	*systemtest.Mem
	reads, signatures int
}

// Read implements system.Reader.
func (a *countingReader) Read(p state.Path) (state.Object, error) {
	a.reads++
	return a.Mem.Read(p)
}

// Stat implements system.Reader.
func (a *countingReader) Stat(p state.Path) (state.Object, error) {
	a.reads++
	return a.Mem.Stat(p)
}

// List implements system.Reader.
func (a *countingReader) List(p state.Path) ([]string, error) {
	a.reads++
	return a.Mem.List(p)
}

// Probe implements system.Prober.
func (a *countingReader) Probe(ctx context.Context, p state.Probe) error {
	a.signatures += len(p.Signers)
	return a.Mem.Probe(ctx, p)
}
