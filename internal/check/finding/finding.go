// Package finding is the vocabulary of mailsetup check: what can be found out
// about a mail server, how much it matters, and what was found.
package finding

import (
	"slices"
	"strings"
	"time"
)

// Severity says how much a finding matters.
type Severity string

// The severities. Unknown is never passed and never failed.
const (
	Problem Severity = "problem" // mail is lost, unsigned or refused
	Warning Severity = "warning" // it will become one, or it weakens
	Note    Severity = "note"    // worth knowing, nothing to be done
	OK      Severity = "ok"
	Unknown Severity = "unknown" // it could not be found out
)

// Severities returns them as they are reported: what has to be mended first.
func Severities() []Severity { return []Severity{Problem, Warning, Unknown, Note, OK} }

// Finding is one thing that was found out about a server or a domain.
type Finding struct {
	ID string `json:"id"` // of its Kind: "spf.pass"
	// Severity is problem (mail is lost, unsigned or refused), warning (it will become one, or
	// it weakens), note (worth knowing), ok, or unknown (it could not be found out, which is
	// neither passed nor failed).
	Severity Severity `json:"severity"`
	// Domain is the mail domain that it is about, "" for the server.
	Domain string `json:"domain,omitempty"`
	// Subject is what was looked at: an address, the name of a record, a unit, a file.
	// ID, Domain and Subject identify a finding from run to run.
	Subject  string `json:"subject,omitempty"`
	Seen     string `json:"seen,omitempty"`     // what is there
	Expected string `json:"expected,omitempty"` // what should be
	// Why says in one sentence why it matters; that of the Kind if it is empty.
	Why string `json:"why,omitempty"`
	// Remedy is what to type, the record to publish, or whom to ask, ready to paste.
	Remedy Remedy `json:"remedy,omitempty"`
	Source string `json:"source,omitempty"` // an RFC with its section, or a manual; that of the Kind if it is empty
	// Fixable: mailsetup check --fix mends it.
	Fixable bool `json:"fixable"`
	// CausedBy is the ID of the finding of which this one is a consequence: told with
	// it, and not counted, if the server or the same domain has one that is not OK.
	CausedBy string `json:"caused_by,omitempty"`
	// Ignored is the administrator's reason not to be told, "" if there is none.
	Ignored string `json:"ignored,omitempty"`
}

// Text returns what was seen, after what was looked at: unless that is the domain, or what
// was seen begins with it, as the error of a file with its path.
func (f Finding) Text() string {
	if f.Subject == f.Domain || strings.HasPrefix(f.Seen, f.Subject) {
		return f.Seen
	}
	return strings.TrimSuffix(f.Subject+": "+f.Seen, ": ")
}

// Kind is what a finding can be about: a row of the catalogue.
type Kind struct {
	ID     string
	Title  string // a few words, without a verb where possible: "PTR of each address"
	Why    string // one sentence: why it matters
	Source string // an RFC with its section, or a manual
	Needs  Need
	// Excluded says why there is never a finding of the kind, "" if there is.
	Excluded string
}

// Need is what a check cannot do without.
type Need uint8

// The needs.
const (
	Resolver Need = 1 << iota // DNS: left out by --offline
	Outside                   // hosts of others: asked for by --online only
	Root                      // what only root may read
	Setup                     // a server on which mailsetup init has run
)

// Result is what a group of checks found.
type Result struct {
	Findings []Finding
	Messages []Message
	SPF      []SPFTree
	Keys     []KeyLife
	// Unlisted counts by ID what is right and was taken off Findings.
	Unlisted map[string]int
}

// Condense takes what is right off the list and counts it, and drops what pictures are
// made of: of thousands of domains nobody reads that.
func (r *Result) Condense() {
	left := []Finding{} // of its own: what is right would stay in memory behind the others
	for _, f := range r.Findings {
		if f.Severity == OK {
			r.count(f.ID, 1)
		} else {
			left = append(left, f)
		}
	}
	r.Findings, r.SPF, r.Keys = left, nil, nil
}

func (r *Result) count(id string, n int) {
	if r.Unlisted == nil {
		r.Unlisted = map[string]int{}
	}
	r.Unlisted[id] += n
}

// Add appends another result.
func (r *Result) Add(other Result) {
	r.Findings = append(r.Findings, other.Findings...)
	r.Messages = append(r.Messages, other.Messages...)
	r.SPF = append(r.SPF, other.SPF...)
	r.Keys = append(r.Keys, other.Keys...)
	for id, n := range other.Unlisted {
		r.count(id, n)
	}
}

// Message is the way of one test message through this server, station by station.
type Message struct {
	Domain   string    `json:"domain"`
	Way      string    `json:"way"` // how it came in: sendmail, smtp, submission, bounce, alias, reinject
	Stations []Station `json:"stations"`
}

// Station is one station of a message.
type Station struct {
	Name     string   `json:"name"`           // "sendmail(1)", "OpenDKIM", "transport smtp", "sink"
	Severity Severity `json:"severity"`       // of what happened there
	Text     string   `json:"text,omitempty"` // what happened there
}

// SPFTree is an SPF record with all that it includes.
type SPFTree struct {
	Domain string `json:"domain"`
	SPFNode
}

// SPFNode is one record of the tree.
type SPFNode struct {
	Name     string    `json:"name"`              // whose record it is
	Term     string    `json:"term,omitempty"`    // the term that leads here: include:…, redirect=…
	Record   string    `json:"record,omitempty"`  // as published
	Lookups  int       `json:"lookups"`           // of this record and of what is below
	Problem  string    `json:"problem,omitempty"` // why receivers cannot use it
	Children []SPFNode `json:"children,omitempty"`
}

// KeyLife is the life of one DKIM key on a time line.
type KeyLife struct {
	Domain   string
	Selector string
	Bits     int
	Stage    string
	Made     time.Time
	Active   time.Time // since when it signs
	Retired  time.Time
	Next     time.Time // when its next step is due
}

// Catalogue returns all kinds, in the order in which they are reported.
func Catalogue() []Kind {
	return slices.Concat(hostKinds, zoneKinds, spfKinds, dkimKinds, dmarcKinds, liveKinds, inboundKinds, transportKinds, reputationKinds, messageKinds, operationKinds)
}

// maxExcerpt is how much of a text of others is repeated, in characters.
const maxExcerpt = 200

// Excerpt returns the beginning of a text that somebody else wrote.
func Excerpt(s string) string {
	s = strings.ReplaceAll(s, "\n", "; ")
	n := 0
	for i := range s {
		if n++; n > maxExcerpt {
			return s[:i] + "…"
		}
	}
	return s
}
