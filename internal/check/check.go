// Package check finds out whether the mail of a server will arrive, and what to type
// if it will not. It changes nothing but its own last result.
package check

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/facts"
	"mailsetup/internal/inventory"
	"mailsetup/internal/machine"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/internal/store"
)

// Options say what to check, and how.
type Options struct {
	Domains    []string // all of the server without a name
	Only, Skip []string // IDs and groups
	Offline    bool     // DNS is not asked
	Online     bool     // hosts of others are asked
	Resolver   string   // address of the resolver, "" for that of the system
	// Progress is called before each group; nil for nobody.
	Progress func(what string)
}

// maxDomains is how many domains are checked at a time: look-ups overlap.
const maxDomains = 64

// Run checks a machine.
func Run(ctx context.Context, on machine.Options, o Options) (report.Report, error) {
	m, err := machine.Open(ctx, on)
	if err != nil {
		return report.Report{}, err
	}
	defer m.Close()
	s, domains, err := look(ctx, m, o)
	if err != nil {
		return report.Report{}, err
	}
	w := world{machine: m, online: o.Online}
	if !o.Offline {
		if w.dns = m.Resolver; o.Resolver != "" {
			w.dns = dnsclient.New(o.Resolver)
		}
		w.dns = w.dns.WithCache()
	}
	var all finding.Result
	for _, g := range groups() {
		if !o.wants(g.name) || g.needs&finding.Resolver != 0 && o.Offline {
			continue
		}
		if o.Progress != nil {
			o.Progress(g.name)
		}
		if g.server != nil {
			all.Add(g.server(ctx, w, s, domains))
		}
		if g.domain != nil {
			all.Add(eachDomain(domains, func(d subject.Domain) finding.Result { return g.domain(ctx, w, s, d) }))
		}
		if ctx.Err() != nil {
			return report.New(all), ctx.Err()
		}
	}
	all.Findings = slices.DeleteFunc(all.Findings, func(f finding.Finding) bool { return !o.wants(f.ID) })
	return report.New(all), nil
}

// wants reports whether a group, or an ID, is asked for.
func (o Options) wants(id string) bool {
	within := func(list []string) bool {
		return slices.ContainsFunc(list, func(p string) bool {
			return id == p || strings.HasPrefix(id, p+".") || !strings.Contains(id, ".") && strings.HasPrefix(p, id+".")
		})
	}
	return (len(o.Only) == 0 || within(o.Only)) && !slices.Contains(o.Skip, id)
}

// eachDomain checks several domains at a time and keeps their order.
func eachDomain(domains []subject.Domain, check func(subject.Domain) finding.Result) finding.Result {
	parts := make([]finding.Result, len(domains))
	var mu sync.Mutex
	_ = parallel.Do(len(domains), maxDomains, func(i int) error {
		r := check(domains[i])
		mu.Lock()
		defer mu.Unlock()
		parts[i] = r
		return nil
	})
	var all finding.Result
	for _, p := range parts {
		all.Add(p)
	}
	return all
}

// look collects what is known of the server and the domains.
func look(ctx context.Context, m *machine.Machine, o Options) (subject.Server, []subject.Domain, error) {
	e, err := store.LoadReadable(m.Sys, m.DryRun(), m.Logf)
	if err != nil {
		return subject.Server{}, nil, err
	}
	f, err := detect.Machine(ctx, facts.Source(m.Sys), source.Options{})
	if err != nil {
		return subject.Server{}, nil, err
	}
	s := subject.Server{Facts: f, Unprivileged: m.Unprivileged(), Now: m.Now, Ledger: e.Ledger}
	if p := f.Postfix; p != nil {
		s.Name, s.Smarthost = p.Value["smtp_helo_name"], p.Value["relayhost"]
		if s.Name == "" {
			s.Name = p.Value["myhostname"]
		}
	}
	if e.Spec == nil {
		s.Egress = egress(f.Sources, "route")
		domains, err := unknownDomains(s, o.Domains)
		return s, domains, err
	}
	s.SetUp, s.Spec = true, *e.Spec
	s.Egress = egress(s.Spec.Host.Addresses, "host.toml")
	list, err := inventory.Choose(s.Spec, o.Domains)
	if err != nil {
		return s, nil, err
	}
	domains := make([]subject.Domain, 0, len(list))
	for _, d := range list {
		domains = append(domains, subject.Domain{
			Name: d.Name, Wanted: &d, Keys: s.Ledger[d.Name], Sends: true, Receives: d.Receive, Declared: true,
		})
	}
	return s, domains, nil
}

func egress(list []netip.Addr, origin string) []subject.Egress {
	out := make([]subject.Egress, 0, len(list))
	for _, a := range list {
		out = append(out, subject.Egress{Address: a, Origin: origin})
	}
	return out
}

// unknownDomains are domains of a server that mailsetup has not set up: those that are
// named, or else the one of its name.
func unknownDomains(s subject.Server, names []string) ([]subject.Domain, error) {
	if len(names) == 0 && s.Facts.Postfix != nil {
		names = []string{s.Facts.Postfix.Value["mydomain"]}
	}
	var list []subject.Domain
	for _, n := range names {
		name, err := spec.DomainName(n)
		if err != nil {
			return nil, err
		}
		list = append(list, subject.Domain{Name: name, Sends: true, Receives: s.Facts.Serves(name)})
	}
	return list, nil
}
