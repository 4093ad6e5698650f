package report

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
)

// Score is how well mail of this server will be taken, out of ten as web testers give.
// It is counted in tenths, so that what is lost adds up.
type Score struct {
	Points Tenths
	Of     Tenths // 10 less what could not be looked at
	Lost   []Lost
	// Unrated are the areas that nothing is known of.
	Unrated []string
}

// Lost is what one area costs, and the findings that give it back when they are mended.
type Lost struct {
	Area   string
	Points Tenths
	Mend   []string // IDs
}

// Tenths is a number of points, in tenths.
type Tenths int

// String returns it in points: 9.5.
func (t Tenths) String() string { return fmt.Sprintf("%d.%d", t/10, t%10) }

// data returns it in points.
func (t Tenths) data() float64 { return float64(t) / 10 }

// area is a part of the score. A problem in it costs all of its points, and warnings
// alone a third of them; how many there are, and of how many domains, makes no
// difference.
type area struct {
	name   string
	points Tenths
	groups string
}

// areas are those of the score, ten points in all: what makes receivers refuse mail
// weighs most.
var areas = []area{
	{"host and addresses", 20, "host addr net"},
	{"zones and MX", 10, "dns mx zone"},
	{"SPF", 10, "spf"},
	{"DKIM", 15, "dkim"},
	{"DMARC", 10, "dmarc"},
	{"live path", 20, "live relay smtp"},
	{"TLS", 5, "tls sts tlsrpt dane caa"},
	{"reputation", 5, "bl rep"},
	{"message and operation", 5, "in msg queue ops client autoconfig"},
}

// rate counts the score of a report.
func rate(r Report) Score {
	known, problems, warnings := map[string]bool{}, map[string][]string{}, map[string][]string{}
	for id := range r.Passed {
		known[finding.Kind{ID: id}.Group()] = true
	}
	for _, f := range r.Findings {
		g := finding.Kind{ID: f.ID}.Group()
		switch {
		case f.Severity == finding.Unknown:
			continue
		case f.Severity == finding.Problem && counts(f):
			problems[g] = append(problems[g], f.ID)
		case f.Severity == finding.Warning && counts(f):
			warnings[g] = append(warnings[g], f.ID)
		}
		known[g] = true
	}
	s := Score{Lost: []Lost{}, Unrated: []string{}}
	for _, a := range areas {
		rated, cost, mend := false, Tenths(0), []string(nil)
		for g := range strings.FieldsSeq(a.groups) {
			rated = rated || known[g]
			if len(warnings[g]) > 0 {
				cost = max(cost, (a.points+2)/3)
			}
			if len(problems[g]) > 0 {
				cost = a.points
			}
			mend = append(mend, problems[g]...)
		}
		if cost > 0 && cost < a.points {
			for g := range strings.FieldsSeq(a.groups) {
				mend = append(mend, warnings[g]...)
			}
		}
		if !rated {
			s.Unrated = append(s.Unrated, a.name)
			continue
		}
		s.Of += a.points
		s.Points += a.points - cost
		if cost > 0 {
			s.Lost = append(s.Lost, Lost{a.name, cost, slices.Compact(mend)})
		}
	}
	return s
}
