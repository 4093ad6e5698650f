package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/memory"
)

// Last is what earlier checks found that was not right, and what people know of it.
type Last struct {
	Version  int       `json:"version"`
	Time     time.Time `json:"time,omitzero"` // of the last one that told something
	Findings []Known   `json:"findings"`
	// Facts are what the checks themselves remember.
	Facts []memory.Fact `json:"facts,omitempty"`
}

// Known is a finding of an earlier check.
type Known struct {
	identity
	Severity finding.Severity `json:"severity"` // as it was last seen
	// Told is what people were last told, "" for nothing yet.
	Told finding.Severity `json:"told,omitempty"`
	// Looks is how often in a row it could not be found out.
	Looks int `json:"looks,omitempty"`
}

// identity tells findings of two runs apart.
type identity struct {
	ID      string `json:"id"`
	Domain  string `json:"domain,omitempty"`
	Subject string `json:"subject,omitempty"`
}

// lastVersion is that of the form of Last.
const lastVersion = 1

// patience is in how many looks in a row something has to be unknown before it is told:
// a name server that restarts is no news.
const patience = 2

// ParseLast reads what Marshal wrote; nothing, for no text.
func ParseLast(text []byte) (Last, error) {
	var l Last
	if len(text) == 0 {
		return l, nil
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return Last{}, err
	}
	if l.Version != lastVersion {
		return Last{}, fmt.Errorf("version %d is not known", l.Version)
	}
	return l, nil
}

// Marshal returns the form that is kept.
func (l Last) Marshal() []byte {
	l.Version = lastVersion
	if l.Findings == nil {
		l.Findings = []Known{}
	}
	text, err := json.MarshalIndent(l, "", " ")
	if err != nil {
		panic(err) // these types can be marshalled
	}
	return append(text, '\n')
}

// Compare fills in Changes and returns what is known from now on. Tells: whoever asked
// for this run sees the report, or the changes in it. What this run did not look at
// stays as it was.
func (r *Report) Compare(last Last, tells bool) Last {
	next := Last{Time: last.Time}
	if r.Since = last.Time; tells {
		next.Time = r.Time
	}
	now, consequences, unsure := map[identity]bool{}, map[identity]bool{}, map[[2]string]bool{}
	for _, f := range r.Findings {
		id := identity{f.ID, f.Domain, f.Subject}
		switch {
		case rank(f.Severity) <= rank(finding.Note):
		case f.Ignored != "":
			consequences[id] = false
		case f.CausedBy != "":
			consequences[id] = true
		default:
			now[id] = true
		}
		if f.Severity == finding.Unknown {
			unsure[[2]string{finding.Kind{ID: f.ID}.Group(), f.Domain}] = true
		}
	}
	known := map[identity]Known{}
	var looked scope
	var right evidence
	if len(last.Findings) > 0 { // which takes memory where domains are many
		looked, right = r.scope(), r.evidence()
	}
	r.Changes = []Change{}
	for _, k := range last.Findings {
		folded, present := consequences[k.identity]
		still := now[k.identity]
		blind := false // a name server that is dead keeps all groups from looking
		for _, group := range []string{finding.Kind{ID: k.ID}.Group(), "dns"} {
			blind = blind || unsure[[2]string{group, k.Domain}] || unsure[[2]string{group, ""}]
		}
		switch {
		case r.asked.EveryDomain && !looked.domains[k.Domain]: // it has left
		case !looked.domains[k.Domain], looked.skipped[k.ID], folded:
			next.Findings = append(next.Findings, k)
		case present: // ignored, which the administrator knows
		case still:
			known[k.identity] = k
		case !right.of(k, blind):
			next.Findings = append(next.Findings, k)
		case k.Told != "":
			r.Changes = append(r.Changes, Change{
				Finding: finding.Finding{ID: k.ID, Domain: k.Domain, Subject: k.Subject, Severity: finding.OK}, Before: k.Told, Gone: true,
			})
		}
	}
	var changed []Change
	for _, f := range r.Findings {
		id := identity{f.ID, f.Domain, f.Subject}
		if !now[id] {
			continue
		}
		k := known[id].see(f)
		if k.identity = id; k.news() {
			changed = append(changed, Change{Finding: f, Before: k.Told})
			if tells {
				k.Told = k.Severity
			}
		}
		next.Findings = append(next.Findings, k)
	}
	r.Changes = append(changed, r.Changes...)
	if !tells {
		next.Findings = append(next.Findings, untold(r.Changes)...)
	}
	slices.SortFunc(next.Findings, func(a, b Known) int {
		return strings.Compare(a.ID+"\x00"+a.Domain+"\x00"+a.Subject, b.ID+"\x00"+b.Domain+"\x00"+b.Subject)
	})
	return next
}

// untold are findings that are gone and of which nobody has heard yet.
func untold(changes []Change) []Known {
	var list []Known
	for _, c := range changes {
		if c.Gone {
			list = append(list, Known{identity: identity{c.ID, c.Domain, c.Subject}, Severity: finding.OK, Told: c.Before})
		}
	}
	return list
}

// see takes a look into account. What is unknown for a moment keeps its severity.
func (k Known) see(f finding.Finding) Known {
	if f.Severity == finding.Unknown {
		if k.Looks++; k.Looks >= patience || k.Severity == "" {
			k.Severity = finding.Unknown
		}
		return k
	}
	k.Severity, k.Looks = f.Severity, 0
	return k
}

// news reports whether people do not know it yet.
func (k Known) news() bool {
	return k.Severity != k.Told && (k.Severity != finding.Unknown || k.Looks >= patience)
}

// scope is what a run looked at.
type scope struct {
	domains map[string]bool
	skipped map[string]bool // IDs
}

func (r *Report) scope() scope {
	s := scope{map[string]bool{"": true}, map[string]bool{}}
	for _, d := range r.Domains {
		s.domains[d] = true
	}
	for _, k := range r.Skipped {
		s.skipped[k.ID] = k.Reason != notHere
	}
	return s
}
