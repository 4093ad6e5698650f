package recordwatch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// Problem is a record, or a name server, with a fault.
type Problem struct {
	Domain   string
	About    string // name and type of a record, or a name server
	Since    time.Time
	Fault    string
	Found    string
	Remedy   string
	Gone     bool // no name server has it
	Restored bool // it was put back in this run
}

// Data returns problems as data.
func Data(list []Problem) []jsondoc.Problem {
	all := make([]jsondoc.Problem, 0, len(list))
	for _, p := range list {
		all = append(all, jsondoc.Problem{
			Domain: p.Domain, About: p.About, Since: p.Since, Status: p.Fault, Found: p.Found, Remedy: p.Remedy, Gone: p.Gone, Restored: p.Restored,
		})
	}
	return all
}

// Problems returns the problems of a domain that have to be reported, sorted by what
// they are about.
func Problems(domain string, problems map[string]keyring.Problem, now time.Time) []Problem {
	var list []Problem
	for _, about := range slices.Sorted(maps.Keys(problems)) {
		if p := problems[about]; p.Reportable(now) {
			list = append(list, Problem{Domain: domain, About: about, Since: p.Since, Fault: p.Fault, Found: p.Text, Remedy: p.Remedy, Gone: p.Gone})
		}
	}
	return list
}

// NotInDNS is what lists say of a key whose record no name server has any more.
const NotInDNS = "not in DNS"

// KeyGone returns what the name servers answered if the last check found the record of
// a key on none of them, else "".
func KeyGone(last keyring.LastCheck, domain, selector string) string {
	p := last.Watch.Problems[ID(state.Record{Name: dnsname.Key(selector, domain) + ".", Type: "TXT"})]
	if !p.Gone {
		return ""
	}
	return p.Text
}

// Lines returns the messages about a domain: problems, restored records, and hints.
func Lines(sp spec.Spec, d spec.Domain, r Result, now time.Time) []string {
	var lines, wasGone []string
	for _, p := range Problems(d.Name, r.Restored, now) {
		wasGone = append(wasGone, p.About)
	}
	if len(wasGone) > 0 {
		lines = append(lines,
			fmt.Sprintf("%s: gone from its zone, and put back: %s", d.Name, strings.Join(wasGone, ", ")),
			"hint: something rewrites the zone file; if it does so again within a week, you are only told")
	}
	left := Problems(d.Name, r.Watch.Problems, now)
	for _, p := range Group(left, func(p Problem) string { return p.Found }) {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", d.Name, p.About, p.Found))
	}
	if r.Failed != nil {
		lines = append(lines, fmt.Sprintf("%s: not put back: %s", d.Name, hint.Message(r.Failed)))
		if hints := hint.Of(r.Failed); len(hints) > 0 {
			for _, h := range hints {
				lines = append(lines, "hint: "+h)
			}
			return lines
		}
	}
	if len(left) == 0 {
		return lines
	}
	return append(lines, Hints(sp, d, r, left)...)
}

// Group joins problems with the same text.
func Group(list []Problem, text func(Problem) string) []Problem {
	var groups []Problem
	for _, p := range list {
		i := slices.IndexFunc(groups, func(g Problem) bool { return text(g) == text(p) })
		if i < 0 {
			groups = append(groups, p)
		} else {
			groups[i].About += ", " + p.About
		}
	}
	return groups
}

// Hints returns the hints about problems of a domain, a line each.
func Hints(sp spec.Spec, d spec.Domain, r Result, problems []Problem) []string {
	var hints []string
	add := func(format string, a ...any) {
		if h := "hint: " + fmt.Sprintf(format, a...); !slices.Contains(hints, h) {
			hints = append(hints, h)
		}
	}
	for _, p := range problems {
		switch at := r.Watch.Restored[p.About]; {
		case !p.Gone:
			add("%s", p.Remedy)
		case sp.ByHand(d):
			add("mailsetup dns %s prints what to publish", d.Name)
		default:
			// Restoring did not help a record that was gone before the attempt.
			if sp.DNSOf(d) == spec.DNSBind && sp.Repairs(d) && !at.IsZero() && p.Since.After(at) {
				add("it was put back on %s: find out what rewrites the zone file, and keep its $INCLUDE line there", at.Format(time.DateOnly))
			}
			add("mailsetup init --yes puts it back")
		}
	}
	add("mailsetup dns --wait %s shows what each name server has", d.Name)
	return hints
}
