package spfcheck

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
)

// FaultKind is why receivers cannot use a record.
type FaultKind int

// The kinds of faults. NoAnswer is none: nobody knows.
const (
	NoAnswer FaultKind = iota
	NoRecord
	SeveralRecords
	BadSyntax
	Loop
	TooManyExchangers
	TooManyLookups
	TooManyVoids
)

// Fault is why a record, or one that it leads to, cannot be used.
type Fault struct {
	Kind FaultKind
	Name string // whose record, or what name
	Term string // that leads there
	Text string // why, in a few words
	// Column is where a mistake stands in the record, in octets from 1.
	Column int
}

func noRecord(name, term string) *Fault {
	return &Fault{Kind: NoRecord, Name: name, Term: term, Text: name + " has no SPF record"}
}

// Record is an SPF record with all that it leads to.
type Record struct {
	Name string // whose it is
	Term string // the one that leads here, "" for the first
	Text string
	SPF  policy.SPF
	// Problem is why receivers cannot use this record itself, "" for nothing.
	Problem string
	// Lookups are the terms with DNS queries, of this record and of those below, for a
	// client that none of them matches.
	Lookups int
	// Faults and Voids are those of this record and of those below: terms whose names
	// have no records at all, once for each name.
	Faults []Fault
	Voids  []string
	// Empty are the mx that name no host, by a null MX (RFC 7505): not void, and a
	// temporary error for Mail::SPF.
	Empty []string
	Below []*Record
}

func tooManyExchangers(t policy.Term, target string, n int) Fault {
	return Fault{Kind: TooManyExchangers, Name: target, Term: t.String(), Text: fmt.Sprintf(
		"%s has %d mail exchangers, and receivers stop after %d (RFC 7208 section 4.6.4)", t, n, maxExchangers)}
}

// The limits of a walk: what is beyond receivers stopped at long before.
const (
	maxWalked      = 3 * policy.MaxLookups
	maxWalkedVoids = 10
)

// Walk reads a record and all that it leads to, as if a client matched nothing.
func (n *Names) Walk(ctx context.Context, domain string) *Record {
	w := &walk{ctx: ctx, names: n, root: domain}
	return w.record(domain, "", nil)
}

type walk struct {
	ctx            context.Context
	names          *Names
	root           string
	lookups, voids int
}

// loopLookups is what a record costs that leads back to itself.
const loopLookups = policy.MaxLookups + 1

func (w *walk) record(name, term string, path []string) *Record {
	r := &Record{Name: name, Term: term}
	s, wrong := w.names.record(w.ctx, name)
	switch {
	case slices.ContainsFunc(path, func(p string) bool { return dnsname.Same(p, name) }):
		r.Lookups = loopLookups
		r.fault(Fault{Kind: Loop, Name: name, Term: term, Text: name + " leads back to itself"})
		return r
	case wrong != nil:
		wrong.Term = term
		r.fault(*wrong)
		r.Text = w.names.text(w.ctx, name)
		return r
	}
	r.Text, r.SPF, r.Lookups = s.String(), s, s.Lookups()
	w.lookups += r.Lookups
	for _, t := range s.Terms() {
		w.term(r, t, append(path, name))
	}
	return r
}

// Has reports whether a kind of fault is in the record or below.
func (r *Record) Has(kind FaultKind) bool {
	return slices.ContainsFunc(r.Faults, func(f Fault) bool { return f.Kind == kind })
}

func (r *Record) fault(f Fault) {
	r.Faults, r.Problem = append(r.Faults, f), cmp.Or(r.Problem, f.Text)
}

// term follows a term, if what it leads to does not depend on the client.
func (w *walk) term(r *Record, t policy.Term, path []string) {
	target, sure := r.Name, true
	if d := t.Domain(); d != "" {
		target, sure = w.expand(d, r.Name)
	}
	if !sure || w.lookups > maxWalked || w.ctx.Err() != nil {
		return
	}
	switch t.Name {
	case "include", "redirect":
		below := w.record(target, t.String(), path)
		r.Lookups += below.Lookups
		r.Faults, r.Voids, r.Below = append(r.Faults, below.Faults...), append(r.Voids, below.Voids...), append(r.Below, below)
		r.Empty = append(r.Empty, below.Empty...)
	case "a":
		if w.void(target, "A", "AAAA") {
			r.Voids = append(r.Voids, t.String())
		}
	case "exists":
		if w.void(target, "A") {
			r.Voids = append(r.Voids, t.String())
		}
	case "mx":
		w.exchangers(r, t, target)
	}
}

func (w *walk) exchangers(r *Record, t policy.Term, target string) {
	values, status := w.names.ask(w.ctx, target, "MX")
	hosts := exchangers(values)
	switch {
	case status == dnsclient.NoData || status == dnsclient.NXDomain:
		r.Voids = append(r.Voids, t.String())
		w.voids++
	case len(hosts) > maxExchangers:
		r.fault(tooManyExchangers(t, target, len(hosts)))
	case status == dnsclient.Found && len(hosts) == 0:
		r.Empty = append(r.Empty, t.String())
	default:
		for _, h := range hosts {
			if w.void(h, "A", "AAAA") {
				r.Voids = append(r.Voids, t.String()+" ("+dnsname.TrimDot(h)+")")
			}
		}
	}
}

// void reports whether a name has no records of any of these types.
func (w *walk) void(name string, types ...string) bool {
	if w.voids > maxWalkedVoids {
		return false
	}
	for _, t := range types {
		if _, status := w.names.ask(w.ctx, name, t); status == dnsclient.Found || status == dnsclient.Unknown {
			return false
		}
	}
	w.voids++
	return true
}

// expand expands a domain-spec in which nothing depends on the client.
func (w *walk) expand(spec, domain string) (name string, sure bool) {
	for _, m := range macro.FindAllStringSubmatch(spec, -1) {
		if m[2] != "" && !strings.Contains("dDoO", m[2]) {
			return "", false
		}
	}
	e := &evaluation{client: Client{Sender: w.root}}
	return e.expand(spec, domain), true
}

// record returns the only SPF record of a name, or why it cannot be used.
func (n *Names) record(ctx context.Context, name string) (policy.SPF, *Fault) {
	texts, status := n.SPFRecords(ctx, name)
	switch {
	case status == dnsclient.Unknown:
		return policy.SPF{}, &temporary(name, "").fault
	case len(texts) == 0:
		return policy.SPF{}, noRecord(name, "")
	case len(texts) > 1:
		return policy.SPF{}, &Fault{
			Kind: SeveralRecords, Name: name, Text: fmt.Sprintf("%s has %d SPF records where one is allowed (RFC 7208 section 3.2)", name, len(texts)),
		}
	}
	s, err := policy.ParseSPF(texts[0])
	if err != nil {
		f := &Fault{Kind: BadSyntax, Name: name, Text: err.Error()}
		if bad := (*policy.SPFError)(nil); errors.As(err, &bad) {
			f.Column = bad.Column()
		}
		return policy.SPF{}, f
	}
	return s, nil
}

// text returns the record of a name that cannot be used.
func (n *Names) text(ctx context.Context, name string) string {
	texts, _ := n.SPFRecords(ctx, name)
	return strings.Join(texts[:min(len(texts), 1)], "")
}

// SPFRecords returns the SPF records of a name.
func (n *Names) SPFRecords(ctx context.Context, name string) ([]string, dnsclient.Status) {
	values, status := n.ask(ctx, name, "TXT")
	return slices.DeleteFunc(slices.Clone(values), func(t string) bool { return !policy.IsSPF(t) }), status
}
