// Package spf checks the SPF records (RFC 7208) of a server and its domains: whether
// the addresses that mail leaves from pass, at all receivers, and what will go wrong.
package spf

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
	"mailsetup/internal/spfcheck"
	"mailsetup/internal/state"
)

// within bounds what is asked about one record: a hostile one leads to hundreds of
// names that nobody answers for.
const within = 20 * time.Second

// look is the look at the record of one domain.
type look struct {
	ctx   context.Context
	dns   dnsclient.Resolver
	names *spfcheck.Names
	s     subject.Server
	d     subject.Domain

	texts  []string // all TXT records of the domain
	record *spfcheck.Record
	found  finding.Result
}

// Check looks at the SPF record of a domain.
func Check(ctx context.Context, dns dnsclient.Resolver, s subject.Server, d subject.Domain) finding.Result {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	l := &look{ctx: ctx, dns: dns, names: spfcheck.NewNames(dns), s: s, d: d}
	var old []state.Record
	var wg sync.WaitGroup
	wg.Go(func() { old, _, _ = dns.Lookup(ctx, dnsname.Absolute(d.Name), "SPF") })
	records, status, err := dns.Lookup(ctx, dnsname.Absolute(d.Name), "TXT")
	wg.Wait()
	if status == dnsclient.Unknown {
		l.add(finding.Finding{ID: "spf.one", Severity: finding.Unknown, Subject: d.Name, Seen: "no answer: " + fmt.Sprint(err)})
		return l.found
	}
	for _, r := range records {
		if r.Type == "TXT" {
			l.texts = append(l.texts, r.Value)
		}
	}
	if l.one(status) {
		l.whole()
	}
	l.relics(old)
	return l.found
}

// maxSeen is how much of a text from outside a finding repeats, in octets.
const maxSeen = 200

// add adds a finding about the domain. One of which only the ID is known is right.
func (l *look) add(f finding.Finding) {
	f.Domain = l.d.Name
	f.Severity = cmp.Or(f.Severity, finding.OK)
	f.Subject = cmp.Or(f.Subject, l.d.Name)
	f.Seen = short(f.Seen)
	l.found.Findings = append(l.found.Findings, f)
}

// short cuts a text that others wrote.
func short(s string) string {
	if len(s) <= maxSeen {
		return s
	}
	return strings.ToValidUTF8(s[:maxSeen], "") + fmt.Sprintf("… (%d octets)", len(s))
}

// one looks at the number of records and how they begin, and reports whether there is
// one that can be looked at.
func (l *look) one(status dnsclient.Status) bool {
	var records []string
	misbegun, repaired := "", ""
	for _, t := range l.texts {
		if policy.IsSPF(t) {
			records = append(records, t)
		} else if why, better := policy.MisbegunSPF(t); why != "" && misbegun == "" {
			misbegun, repaired = why+": "+t, better
		}
	}
	f := finding.Finding{ID: "spf.one", Expected: "one TXT record that begins with v=spf1"}
	switch {
	case len(records) == 1:
		l.add(finding.Finding{ID: "spf.one", Seen: "one record"})
		p := finding.Finding{ID: "spf.prefix", Seen: "v=spf1"}
		if misbegun != "" {
			p.Severity, p.Seen, p.Remedy = finding.Note, "beside the record is another text that receivers pass over: "+misbegun, finding.Text("take it out")
		}
		l.add(p)
		return true
	case len(records) > 1:
		f.Severity, f.Seen = finding.Problem, fmt.Sprintf("%d records: %s", len(records), strings.Join(records, " and "))
		merged := l.merged(records)
		if merged != "" {
			f.Remedy = proposed("publish one record in place of all", l.d.Name, merged)
		} else {
			f.Remedy = finding.Text("leave one record that says it all")
		}
		if l.ours() && merged != "" {
			f.Remedy, f.Fixable = changeIt, true
		}
		l.add(f)
		return false
	}
	if misbegun != "" {
		remedy := l.create("publish, in place of that text")
		if repaired != "" {
			remedy = proposed("publish, in place of that text", l.d.Name, repaired)
		}
		l.add(finding.Finding{ID: "spf.prefix", Severity: finding.Problem, Seen: misbegun, Expected: "v=spf1 and a space", Remedy: remedy})
	}
	if !l.d.Sends && l.d.Declared {
		return false
	}
	f.Severity, f.Seen, f.Remedy = finding.Problem, "no record", l.create("publish")
	if !l.d.Sends { // as far as is known here
		f.Severity = finding.Note
	}
	if l.ours() {
		f.Remedy, f.Fixable = addIt, true
	}
	switch {
	case misbegun != "":
		f.CausedBy = "spf.prefix"
	case status == dnsclient.NXDomain:
		f.Remedy, f.Fixable = nil, false
		f.Seen, f.CausedBy = l.d.Name+" does not exist in DNS", "dns.delegation"
	}
	l.add(f)
	return false
}

// merged returns one record with what several say, and this server's addresses; "" if
// one has a mistake.
func (l *look) merged(records []string) string {
	one, err := policy.UnionSPF(records)
	if err != nil {
		return ""
	}
	var missing []netip.Addr
	for _, a := range l.addresses() {
		if !one.Names(a) {
			missing = append(missing, a)
		}
	}
	return one.Merge(policy.SPFChange{Pass: missing})
}

// addresses are those that mail of the domain leaves from as receivers see it: none
// that is known if a smarthost stands between.
func (l *look) addresses() []netip.Addr {
	if l.s.Smarthost != "" || !l.d.Sends {
		return nil
	}
	var list []netip.Addr
	for _, e := range l.s.Egress {
		if a := e.Address.Unmap(); !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}

// whole looks at the only record.
func (l *look) whole() {
	l.size()
	l.record = l.names.Walk(l.ctx, l.d.Name)
	if l.record.Text == "" { // it was there a moment ago
		l.add(finding.Finding{ID: "spf.one", Severity: finding.Unknown, Seen: l.record.Faults[0].Text})
		return
	}
	l.found.SPF = append(l.found.SPF, finding.SPFTree{Domain: l.d.Name, SPFNode: node(l.record)})
	if !l.syntax() {
		return
	}
	denied := l.pass()
	l.order(denied)
	l.faults(denied == 0 && len(l.addresses()) > 0)
	l.counts()
	l.all()
	l.style()
}

// maxTree is how many octets of a record the tree has.
const maxTree = 2000

// node returns a record as the tree of the report has it.
func node(r *spfcheck.Record) finding.SPFNode {
	n := finding.SPFNode{Name: r.Name, Term: r.Term, Record: r.Text[:min(len(r.Text), maxTree)], Lookups: r.Lookups, Problem: r.Problem}
	for _, b := range r.Below {
		n.Children = append(n.Children, node(b))
	}
	return n
}
