package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/ignore"
	"mailsetup/internal/check/live"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect"
	"mailsetup/internal/detect/postfix"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/facts"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/postmap"
	"mailsetup/internal/recipient"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
	"mailsetup/steps/inbound"
)

// seen is what a look at the machine found.
type seen struct {
	server   subject.Server
	domains  []subject.Domain
	relayed  map[string]string // the smarthost of single domains: sender_dependent_relayhost_maps
	findings []finding.Finding // what could not be read
}

// serverOf returns the server as it is for mail of a domain.
func (l seen) serverOf(d subject.Domain) subject.Server {
	s := l.server
	if hop := l.relayed[d.Name]; hop != "" {
		s.Smarthost = hop
	}
	return s
}

// misspelt says which rules of host.toml and of the domains' files ignore nothing, since no
// check has their ID.
func (l seen) misspelt(logf func(string, ...any)) {
	var told []string
	rules := slices.Clone(l.server.Spec.Host.Ignore)
	for _, d := range l.domains {
		if d.Wanted != nil {
			rules = append(rules, d.Wanted.Ignore...)
		}
	}
	for _, r := range rules {
		if _, err := finding.Select("id =", r.ID); err != nil && !slices.Contains(told, r.ID) && len(told) < maxMisspelt {
			told = append(told, r.ID)
			logf("ignore: %v; %s", err, strings.Join(hint.Of(err), "; "))
		}
	}
}

// maxMisspelt is how many of them are told of.
const maxMisspelt = 5

// ignore marks the findings that host.toml or the domain's file ignores.
func (l seen) ignore(list []finding.Finding) {
	of := map[string][]ignore.Rule{}
	for _, d := range l.domains {
		if d.Wanted != nil && len(d.Wanted.Ignore) > 0 {
			of[d.Name] = d.Wanted.Ignore
		}
	}
	for i := range list {
		ignore.Apply(append(slices.Clip(l.server.Spec.Host.Ignore), of[list[i].Domain]...), &list[i], l.server.Now)
	}
}

// look collects what is known of the server and the domains.
func look(ctx context.Context, m *machine.Machine, o Options, known *store.Earlier) (seen, error) {
	e, err := o.earlier(m, known)
	if err != nil {
		return seen{}, err
	}
	if o.Fix {
		if _, err := e.SetUp(m.Kind()); err != nil {
			return seen{}, err
		}
	}
	l := seen{server: subject.Server{
		Unprivileged: m.Unprivileged(), Now: m.Now, Ledger: e.Ledger, Memory: recall(m),
		Transfers: &subject.Transfers{Within: transferTime, Begun: o.JustChanged},
	}}
	s := &l.server
	from := facts.Source(m.Sys)
	var mu sync.Mutex
	s.Facts, err = detect.Machine(ctx, from, source.Options{Dirs: inbound.Dirs(), WithoutZones: known != nil, Unusable: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		l.findings = append(l.findings, unusable(err, s.Unprivileged))
	}})
	if err != nil {
		return l, err
	}
	if e.Spec != nil {
		s.SetUp, s.Spec = true, *e.Spec
		if known == nil {
			s.Edited = edited(m.Sys, e.Hashes)
		}
	}
	s.Egress, s.Hidden = subject.FindEgress(s.Facts, s.Spec.Host.Addresses)
	var tables *postmap.Tables
	if p := s.Facts.Postfix; p != nil {
		if s.Name = p.Value["smtp_helo_name"]; s.Name == "" || strings.Contains(s.Name, "$") {
			s.Name = p.Value["myhostname"]
		}
		tables = postfix.Tables(from, from)
		s.Smarthost = subject.Smarthost(p, everything(ctx, tables, p.Value["transport_maps"], m.Logf))
	}
	for domain, err := range e.Unreadable {
		m.Logf("the file of %s cannot be used: %v", domain, err)
	}
	if l.domains, err = o.choose(*s, m.Logf); err != nil {
		return l, err
	}
	l.keys(ctx, m, from)
	if tables != nil {
		l.receives(ctx, from, m.Image != nil)
		if err := l.leaves(ctx, from, o.SendTo); err != nil {
			return l, err
		}
		l.relayed = relayed(ctx, tables, s.Facts.Postfix, l.domains)
	}
	if o.First == 0 { // at the end of a run nobody asked about them, and some were just removed
		l.foreign(m.Logf)
	}
	l.misspelt(m.Logf)
	return l, nil
}

// earlier reads what runs left.
func (o Options) earlier(m *machine.Machine, known *store.Earlier) (store.Earlier, error) {
	if known != nil {
		return known.Again(m.Sys, o.Domains)
	}
	return store.LoadReadable(m.Sys, m.DryRun(), m.Logf)
}

// leaves refuses an address of --send-to that is of this server.
func (l seen) leaves(ctx context.Context, from source.Source, address string) error {
	if address == "" {
		return nil
	}
	_, domain, _ := strings.Cut(strings.ToLower(address), "@")
	is := postfix.Domains(ctx, from, l.server.Facts.Postfix, []string{domain})[domain]
	declared := slices.ContainsFunc(l.server.Spec.Domains, func(d spec.Domain) bool { return d.Name == domain && d.Receive })
	return live.Leaves(address, is, declared)
}

// unusable is the finding about a file that keeps facts from being known, or a daemon
// that does not run with what it says.
func unusable(err error, unprivileged bool) finding.Finding {
	f := finding.Finding{ID: "live.stale", Severity: finding.Problem, Seen: err.Error(), Expected: "files that the daemons can use"}
	if u, ok := errors.AsType[*system.UnusableError](err); ok {
		f.Subject, f.Seen, f.Remedy = string(u.Path), u.Text, finding.Advice(u.Hint)
		if u.Line > 0 {
			f.Subject = fmt.Sprintf("%s:%d", u.Path, u.Line)
		}
	}
	if unprivileged {
		f.Severity = finding.Unknown
	}
	return f
}

// everything returns what transport_maps says of all destinations, "" for nothing: the
// row "*", which trivial-rewrite(8) asks of tables with exact keys alone.
func everything(ctx context.Context, tables *postmap.Tables, maps string, logf func(string, ...any)) string {
	for _, table := range recipient.Elements(maps) {
		kind, _, _ := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
		if slices.Contains([]string{"regexp", "pcre", "cidr", "tcp", "socketmap", "static"}, kind) {
			continue
		}
		value, found, err := tables.Lookup(ctx, table, "*")
		if err != nil {
			logf("where mail goes is known without %s alone: %v", table, err)
		}
		if found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// relayed returns the smarthosts of domains whose mail goes another way than that of the
// others: sender_dependent_relayhost_maps.
func relayed(ctx context.Context, tables *postmap.Tables, p *state.Postfix, domains []subject.Domain) map[string]string {
	maps := recipient.Elements(p.Value["sender_dependent_relayhost_maps"])
	keys := make([]string, 0, len(domains))
	for _, d := range domains {
		keys = append(keys, "@"+d.Name)
	}
	all := map[string]string{}
	for _, table := range maps {
		tables.Prefetch(ctx, table, keys)
		for _, d := range domains {
			hop, found, err := tables.Lookup(ctx, table, "@"+d.Name)
			if err != nil {
				break
			}
			if h, ok := subject.ParseHop(hop); found && ok && !h.Local() && all[d.Name] == "" {
				all[d.Name] = hop
			}
		}
	}
	return all
}

// choose returns the domains that are named, each once, else all of the server.
func (o Options) choose(s subject.Server, logf func(string, ...any)) ([]subject.Domain, error) {
	wanted := make(map[string]*spec.Domain, len(s.Spec.Domains))
	for i, d := range s.Spec.Domains {
		wanted[d.Name] = &s.Spec.Domains[i]
	}
	own := subject.MailDomains(s.Facts.Postfix)
	known := own
	if s.SetUp {
		known = slices.Sorted(maps.Keys(wanted))
	}
	list := known
	if o.First > 0 {
		list = known[:min(len(known), o.First)]
	}
	if names := o.Domains; len(names) > 0 {
		list = nil
		for _, given := range names {
			name, err := syntax.DomainName(given)
			if bad, ok := errors.AsType[*syntax.BadValue](err); ok {
				f := bad.Finding("DOMAIN")
				return nil, hint.NewUsage(f.Hint, "%s", syntax.Finding{Field: f.Field, Text: f.Text})
			}
			if !slices.Contains(list, name) {
				list = append(list, name)
			}
		}
	}
	if len(list) == 0 {
		logf("no mail domain is known here: mailsetup check DOMAIN looks at one")
	}
	all := make([]subject.Domain, 0, len(list))
	for _, name := range list {
		d := subject.Domain{Name: name, Wanted: wanted[name], Keys: s.Ledger[name], Sends: slices.Contains(own, name)}
		if d.Wanted != nil {
			d.Sends, d.Receives, d.Declared = d.Wanted.Sends(), d.Wanted.Receive, true
		}
		all = append(all, d)
	}
	return all, nil
}

// receives finds out for which domains Postfix takes mail: of those that mailsetup has
// not set up, and of those that are declared to be received here. Of an image only what is
// written out would be known.
func (l *seen) receives(ctx context.Context, from source.Source, image bool) {
	var names []string
	for _, d := range l.domains {
		if d.Wanted == nil || d.Receives && !image {
			names = append(names, d.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	of := postfix.Domains(ctx, from, l.server.Facts.Postfix, names)
	l.server.Facts.MailDomains = of
	for i := range l.domains {
		d := &l.domains[i]
		if class := of[d.Name].Class; d.Wanted == nil {
			d.Receives = class != "" && class != state.ClassDefault
			d.Sends = d.Sends || d.Receives
		}
	}
}

// foreign says which domains nothing here sends or receives mail for, as far as is known:
// they are checked as the world sees them, and not by the addresses of this server.
func (l *seen) foreign(logf func(string, ...any)) {
	var names []string
	for _, d := range l.domains {
		if d.Wanted == nil && !d.Sends {
			names = append(names, d.Name)
		}
	}
	switch len(names) {
	case 0:
	case 1:
		logf("%s is no domain of this server: it is checked as the world sees it", names[0])
	default:
		logf("%s are no domains of this server: they are checked as the world sees them", text.List(names, maxTyped))
	}
}
