package spf

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/policy"
	"mailsetup/internal/spfcheck"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/zonefile"
)

// syntax looks at the grammar of the domain's own record, and reports whether receivers
// can read it.
func (l *look) syntax() bool {
	for _, f := range l.record.Faults {
		if f.Kind != spfcheck.BadSyntax || f.Name != l.d.Name {
			continue
		}
		repaired, ok := policy.RepairSPF(l.record.Text)
		remedy := finding.Text("correct the term at column " + fmt.Sprint(f.Column) + " of: " + short(zonefile.Escape(l.record.Text)))
		if ok {
			remedy = l.publish(repaired)
		}
		l.add(finding.Finding{
			ID: "spf.syntax", Severity: finding.Problem, Seen: fmt.Sprintf("column %d: %s", f.Column, f.Text),
			Expected: "terms of RFC 7208 section 12", Remedy: remedy,
		})
		l.hiddenSyntax(f.Column)
		return false
	}
	var odd []string
	for _, t := range l.record.SPF.Ignored() {
		if t.Name != "redirect" { // spf.redirect-lost
			odd = append(odd, fmt.Sprintf("column %d: %s comes after all and is never looked at", t.Column(), t))
		}
	}
	for _, t := range l.record.SPF.Terms() {
		if meant := meantAs(t); meant != "" {
			odd = append(odd, fmt.Sprintf("column %d: %s passes nobody: %s", t.Column(), t, meant))
		}
	}
	f := finding.Finding{ID: "spf.syntax", Seen: text.Count(len(l.record.SPF.Terms()), "term")}
	if len(odd) > 0 {
		f.Severity, f.Seen, f.Expected = finding.Warning, strings.Join(odd, "; "), "only terms that receivers evaluate"
		f.Remedy = finding.Text("take out what is not looked at, or move it before all, and write a colon where a mechanism has an equals sign")
	}
	l.add(f)
	if wrong := l.record.SPF.MisreadByLibspf2(l.d.Name); len(wrong) > 0 {
		l.add(finding.Finding{
			ID: "spf.syntax", Severity: finding.Warning, Subject: "libspf2", Expected: "a record that all receivers read alike",
			Seen:   "receivers differ: at libspf2 1.2.10 (Exim and OpenDMARC of Debian) " + strings.Join(wrong, ", and "),
			Remedy: finding.Text("write neighbouring addresses as a network, or some of them into a record of their own for include:, redirect= at the end, and %{d} for the whole domain"),
		})
	}
	return true
}

// meantAs says what a modifier without effect was probably meant as; "" for all others.
func meantAs(t policy.Term) string {
	if t.Qualifier != 0 {
		return ""
	}
	switch t.Name {
	case "ip4", "ip6", "a", "mx", "include", "exists", "ptr":
		return "write " + t.Name + ":" + t.Value
	case "all":
		return "write ~all"
	case "v":
		return "a record begins once"
	}
	return ""
}

// hiddenSyntax says who passes our mail although the record has a mistake.
func (l *look) hiddenSyntax(column int) {
	rec, err := policy.ParseSPF(strings.TrimRight(l.record.Text[:column-1], " "))
	list := l.addresses()
	if err != nil || len(list) == 0 {
		return
	}
	for _, a := range list {
		if pass, sure := rec.Literal(a); !pass || !sure {
			return
		}
	}
	l.add(finding.Finding{
		ID: "spf.hidden", Severity: finding.Warning, CausedBy: "spf.syntax", Expected: "a record that all receivers can read",
		Seen: "receivers differ: those that read the whole record first, as RFC 7208 section 4.6 wants (python3-spf, Mail::SPF), say permerror; " +
			"those that stop at the matching term (go/spf) say pass",
	})
}

// faults looks at what is wrong behind the domain's own terms. What all addresses of
// this server match before is a warning: mail of this server never gets there.
func (l *look) faults(allPass bool) {
	kinds := map[spfcheck.FaultKind]string{
		spfcheck.NoRecord: "spf.include-dead", spfcheck.SeveralRecords: "spf.one", spfcheck.BadSyntax: "spf.syntax",
		spfcheck.Loop: "spf.loop", spfcheck.TooManyExchangers: "spf.mx10", spfcheck.NoAnswer: "spf.include-dead",
	}
	seen := map[string]bool{}
	var hidden []string
	for _, f := range l.record.Faults {
		id := kinds[f.Kind]
		if f.Kind == spfcheck.NoAnswer {
			l.addOnce(seen, finding.Finding{ID: id, Severity: finding.Unknown, Subject: f.Name, Seen: f.Text, Expected: "an SPF record"})
			continue
		}
		g := finding.Finding{
			ID: id, Severity: finding.Problem, Subject: f.Name, Seen: f.Text, Expected: expected[f.Kind], Remedy: l.remedyFor(f),
		}
		if f.Kind == spfcheck.BadSyntax {
			g.Seen = fmt.Sprintf("%s, column %d: %s", f.Name, f.Column, f.Text)
		}
		if allPass {
			hidden = append(hidden, g.Seen)
			g.Severity, g.CausedBy = finding.Warning, "spf.hidden"
		}
		l.addOnce(seen, g)
	}
	for _, id := range []string{"spf.include-dead", "spf.loop", "spf.mx10"} {
		if !seen[id] {
			l.add(finding.Finding{ID: id})
		}
	}
	h := finding.Finding{ID: "spf.hidden"}
	if len(hidden) > 0 {
		h.Severity, h.Expected = finding.Warning, "no error anywhere in the record"
		h.Seen = "behind the terms that pass this server: " + strings.Join(slices.Compact(hidden), "; ")
		h.Remedy = l.remedyFor(l.firstFault())
	}
	l.add(h)
}

var expected = map[spfcheck.FaultKind]string{
	spfcheck.NoRecord: "an SPF record", spfcheck.SeveralRecords: "one SPF record", spfcheck.BadSyntax: "a record without mistakes",
	spfcheck.Loop: "records that end", spfcheck.TooManyExchangers: "at most ten mail exchangers",
}

// addOnce adds a finding unless there is one with its ID and subject.
func (l *look) addOnce(seen map[string]bool, f finding.Finding) {
	if key := f.ID + " " + f.Subject; !seen[key] {
		seen[key], seen[f.ID] = true, true
		l.add(f)
	}
}

// firstFault is the first that is not for want of an answer.
func (l *look) firstFault() spfcheck.Fault {
	i := slices.IndexFunc(l.record.Faults, func(f spfcheck.Fault) bool { return f.Kind != spfcheck.NoAnswer })
	return l.record.Faults[i]
}

// remedyFor says what to do about a fault of a record that ours leads to: to do
// without the term, if it is ours, or to tell whose the record is.
func (l *look) remedyFor(f spfcheck.Fault) finding.Remedy {
	own := l.record.SPF.Terms()
	for _, t := range own {
		if t.String() != f.Term {
			continue
		}
		without := l.record.SPF.Without(t)
		switch {
		case t.Name == "redirect":
			return instead(f.Name, l.d.Name, l.fresh())
		case f.Kind == spfcheck.SeveralRecords || f.Kind == spfcheck.BadSyntax:
			return proposed("ask whoever runs "+f.Name+" to mend it; until then do without", l.d.Name, without)
		}
		return proposed("take out "+t.String()+" (or correct the name)", l.d.Name, without)
	}
	for _, below := range l.record.Below {
		if slices.ContainsFunc(below.Faults, func(o spfcheck.Fault) bool { return o == f }) {
			return finding.Text("ask whoever runs " + below.Name + " to mend it: " + below.Term + " of yours leads there")
		}
	}
	return finding.Text("ask whoever runs " + f.Name)
}

// counts looks at what a receiver uses up for a client that matches nothing.
func (l *look) counts() {
	n := l.record.Lookups
	f := finding.Finding{ID: "spf.lookups", Seen: fmt.Sprintf("%d of %d", n, policy.MaxLookups), Expected: fmt.Sprintf("at most %d", policy.MaxLookups)}
	switch {
	case l.record.Has(spfcheck.Loop):
		f.Severity, f.CausedBy, f.Seen = finding.Problem, "spf.loop", "more than "+fmt.Sprint(policy.MaxLookups)
	case n > policy.MaxLookups:
		f.Severity, f.Seen = finding.Problem, fmt.Sprintf("%d: %s", n, l.costs())
		f.Remedy = finding.Text("write the networks of the cheapest includes into the record as ip4: and ip6:, or do without senders that are not used any more")
	case l.record.Has(spfcheck.NoAnswer):
		f.Severity, f.Seen, f.CausedBy = finding.Unknown, fmt.Sprintf("at least %d, for want of an answer", n), "spf.include-dead"
	case n >= 8:
		f.Severity, f.Seen = finding.Note, fmt.Sprintf("%d of %d: %s", n, policy.MaxLookups, l.costs())
		if n == policy.MaxLookups {
			f.Seen += "; Haraka (haraka-plugin-spf 1.3.0) takes ten for too many"
		}
	}
	l.add(f)

	v := finding.Finding{ID: "spf.voids", Seen: "none", Expected: "at most 2 names without records"}
	switch voids := l.record.Voids; {
	case len(voids) > 2:
		v.Severity, v.Seen = finding.Problem, strings.Join(voids, ", ")
		v.Remedy = finding.Text("take out the terms whose names have no records, or give the names an address")
	case len(l.record.Empty) > 0:
		v.Severity, v.Remedy = finding.Note, finding.Text("take out what names no host")
		v.Seen = "receivers differ: " + strings.Join(l.record.Empty, ", ") + " names no host (null MX), temperror at Mail::SPF, no match at python3-spf and go/spf"
	case len(voids) > 0:
		v.Severity, v.Seen = finding.Note, strings.Join(voids, ", ")
		v.Remedy = finding.Text("take out what has no records")
	}
	l.add(v)
}

// costs lists the terms of the record with their look-ups.
func (l *look) costs() string {
	var list []string
	below := l.record.Below
	for _, t := range l.record.SPF.Terms() {
		switch {
		case !t.Lookup():
		case len(below) > 0 && below[0].Term == t.String():
			list = append(list, fmt.Sprintf("%s %d", t, 1+below[0].Lookups))
			below = below[1:]
		default:
			list = append(list, t.String()+" 1")
		}
	}
	return strings.Join(list, ", ")
}

// all looks at what becomes of all other senders.
func (l *look) all() {
	end, name := allOf(l.record)
	f := finding.Finding{ID: "spf.all", Seen: end, Expected: "-all or ~all"}
	if name != "" && name != l.d.Name {
		f.Seen += " of " + name
	}
	wanted := l.d.Wanted != nil && l.d.Wanted.SPF.All == "neutral"
	switch {
	case end == "+all":
		f.Severity, f.Remedy = finding.Problem, l.withAll()
	case everybody(l.record) != "":
		f.Severity, f.Seen = finding.Problem, everybody(l.record)+" passes every address there is"
		f.Remedy = finding.Text("take out " + everybody(l.record))
	case end == "":
		return // the record behind the redirect is missing: spf.include-dead
	case (end == "?all" || end == "no all") && wanted:
		f.Severity = finding.Note
	case end == "?all" || end == "no all":
		f.Severity, f.Remedy = finding.Warning, l.withAll()
	}
	l.add(f)
}

// allOf returns how a record ends, and whose the end is; "" where a redirect leads
// nowhere.
func allOf(r *spfcheck.Record) (end, name string) {
	for _, t := range r.SPF.Terms() {
		if t.Name == "all" {
			return string(t.Qualifier) + "all", r.Name
		}
	}
	if to := r.SPF.Redirect(); to != "" {
		for _, b := range r.Below {
			if b.Term == "redirect="+to && b.SPF.String() != "" {
				return allOf(b)
			}
		}
		return "", ""
	}
	return "no all", r.Name
}

// everybody returns a term of the record that passes all senders, "" for none.
func everybody(r *spfcheck.Record) string {
	for _, t := range r.SPF.Terms() {
		n, ok := t.Network()
		if t.Qualifier == '+' && (ok && n.Bits() == 0 || (t.Name == "a" || t.Name == "mx") && t.Open()) {
			return t.String()
		}
	}
	for _, b := range r.Below {
		if end, _ := allOf(b); strings.HasPrefix(b.Term, "include:") && (end == "+all" || everybody(b) != "") {
			return b.Term
		}
	}
	return ""
}

// style looks at what is not a mistake, and not wise.
func (l *look) style() {
	f := finding.Finding{ID: "spf.ptr"}
	if t, ok := l.record.SPF.Find("ptr"); ok {
		f.Severity, f.Seen, f.Expected = finding.Warning, t.String(), "ip4:, ip6: or a:"
		f.Remedy = l.publish(l.named(l.record.SPF.Without(t)))
	}
	l.add(f)
	r := finding.Finding{ID: "spf.redirect-lost"}
	for _, t := range l.record.SPF.Ignored() {
		if t.Name == "redirect" {
			r.Severity, r.Seen, r.Expected = finding.Note, t.String()+" beside an all", "one of the two"
			r.Remedy = l.publish(l.record.SPF.Without(t))
			if all, ok := l.record.SPF.Find("all"); ok && t.Column() < all.Column() {
				r.Severity, r.Seen = finding.Warning, r.Seen+": receivers differ, libspf2 1.2.10 (Exim and OpenDMARC of Debian) goes by the redirect"
			}
		}
	}
	l.add(r)
}

// The sizes of answers: what fits without EDNS (RFC 1035 section 4.2.1), and what
// passes every path in one datagram (DNS flag day 2020).
const (
	plainAnswer = 512
	largeAnswer = 1232
)

// size looks at the answer that has the record.
func (l *look) size() {
	n := 12 + len(l.d.Name) + 2 + 4 + 11 // header, question, OPT
	for _, t := range l.texts {
		n += 12 + len(t) + max(1, (len(t)+254)/255)
	}
	f := finding.Finding{ID: "spf.size", Seen: fmt.Sprintf("%d octets, %s", n, text.Count(len(l.texts), "TXT record")), Expected: fmt.Sprintf("at most %d octets", largeAnswer)}
	switch {
	case n > largeAnswer:
		f.Severity = finding.Warning
		f.Remedy = finding.Text("take out TXT records of " + l.d.Name + " that nobody needs any more (proofs of ownership), or move terms behind an include")
	case n > plainAnswer:
		f.Severity, f.Expected = finding.Note, fmt.Sprintf("%d octets fit any receiver", plainAnswer)
	}
	l.add(f)
}

// relics looks at what nobody reads any more.
func (l *look) relics(old []state.Record) {
	f := finding.Finding{ID: "spf.type99"}
	for _, r := range old {
		if r.Type == "SPF" {
			f.Severity, f.Seen, f.Remedy = finding.Note, r.Value, finding.Text("take the records of type SPF out of "+l.d.Name)
		}
	}
	l.add(f)
	s := finding.Finding{ID: "spf.senderid"}
	for _, t := range l.texts {
		if strings.HasPrefix(strings.ToLower(t), "spf2.0/") {
			s.Severity, s.Seen, s.Remedy = finding.Note, t, finding.Text("take it out of "+l.d.Name)
		}
	}
	l.add(s)
}
