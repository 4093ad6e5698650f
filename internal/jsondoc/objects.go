package jsondoc

import (
	"time"

	"mailsetup/internal/check/finding"
)

// Error says why a run failed. Standard error has the same in words.
type Error struct {
	Message string   `json:"message"` // one line; of several faults of files or flags one line each
	Hints   []string `json:"hints"`   // what to type, a line each
	Exit    int      `json:"exit"`    // the exit code of the run
}

// Domain is a mail domain. Each document has of it what it is about.
type Domain struct {
	Domain   string `json:"domain"`                                                       // its name in lower case, with A-labels (RFC 5890)
	Primary  bool   `json:"primary,omitempty"`                                            // the one of the host itself
	Removed  bool   `json:"removed,omitempty"`                                            // no longer signed; its keys stay for mail under way
	DNS      string `json:"dns,omitempty" enum:"bind rfc2136 hook slots delegate manual"` // where its records go
	SignedBy string `json:"signed_by,omitempty" enum:"other"`                             // not by mailsetup
	Keys     []Key  `json:"keys,omitzero"`
	// The records that it needs in DNS.
	Records []Record `json:"records,omitzero"`
	Notes   []Note   `json:"notes,omitempty"` // what is to be known of its records
	// The last look at its records; of dns --wait that of this run.
	Checked *Look `json:"checked,omitempty"`
	// The rows of a SigningTable made by hand that are about it.
	Rows []Row `json:"rows,omitempty"`
}

// Key is a DKIM key.
type Key struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	Bits     int    `json:"bits,omitempty"`
	// Absent if only root may know: staged (made, and not asked about yet), publishing (not on
	// every name server yet), published (signs next), active (signs), draining (no longer
	// signs), revoked (its record says that it counts no more), unused (no table of OpenDKIM
	// names it).
	Stage    string    `json:"stage,omitempty" enum:"staged publishing published active draining revoked gone unused"`
	Since    time.Time `json:"since,omitzero"`      // when this stage began
	Made     time.Time `json:"made,omitzero"`       // when the key was made
	Seen     time.Time `json:"seen,omitzero"`       // when its record was first seen in DNS
	Active   time.Time `json:"active,omitzero"`     // when it began to sign
	Retired  time.Time `json:"retired,omitzero"`    // when it signed no longer
	Next     time.Time `json:"next,omitzero"`       // when its next step is due, at the earliest
	WaitsFor string    `json:"waits_for,omitempty"` // what the next step waits for, in the words of mailsetup status --help
	Gone     string    `json:"gone,omitempty"`      // what name servers said when none of them had its record
	Unusable string    `json:"unusable,omitempty"`  // why OpenDKIM cannot sign with it
	Why      string    `json:"why,omitempty"`       // why it does not sign yet
	Record   *Record   `json:"record,omitempty"`    // that a person has to publish
	File     string    `json:"file,omitempty"`      // the private key, of one that is taken over
}

// Record is a DNS record: one that a domain needs, or with status and seen what there is of
// it on a name server.
type Record struct {
	Name     string   `json:"name"`                               // absolute, with the final dot
	Type     string   `json:"type" enum:"A AAAA MX TXT NS CNAME"` // of the record
	TTL      uint32   `json:"ttl"`                                // in seconds
	Value    string   `json:"value"`                              // as in a zone file; of TXT the joined text without quotes
	Zone     string   `json:"zone,omitempty"`                     // that holds the name
	Replaces []string `json:"replaces,omitempty"`                 // the values that have to go when this one comes
	Status   string   `json:"status,omitempty"`                   // ok, or what is wrong in a word or two: missing, differs, …
	Found    string   `json:"found,omitempty"`                    // what is wrong, in a sentence
	Remedy   string   `json:"remedy,omitempty"`                   // what to do about it
	Seen     []string `json:"seen,omitempty"`                     // what there is, with the type before it if that is another
}

// Look is a look at the records of a domain in DNS.
type Look struct {
	At       time.Time `json:"at,omitzero"`         // when it was; absent for now
	OK       bool      `json:"ok"`                  // every name server has every record
	Found    string    `json:"found,omitempty"`     // what was wrong, in a sentence
	Problems []Problem `json:"problems,omitempty"`  // of the last look of rotate-dkim
	Servers  []Server  `json:"servers,omitzero"`    // of dns --wait
	NoServer []Record  `json:"no_server,omitempty"` // of dns --wait: records whose name servers were not found
}

// Server is a name server, and what it has of a domain.
type Server struct {
	Name    string   `json:"name"`
	Address string   `json:"address,omitempty"` // with the port
	Zone    string   `json:"zone"`              // that it serves, with the final dot
	OK      bool     `json:"ok"`                // it has all records
	Status  string   `json:"status"`            // of the server as a whole: ok, no answer, refuses, lame, broken, no address, not asked
	Found   string   `json:"found,omitempty"`
	Remedy  string   `json:"remedy,omitempty"`
	Records []Record `json:"records"`
}

// Problem is a record, or a name server, with which something is wrong.
type Problem struct {
	Domain   string    `json:"domain"`
	About    string    `json:"about"`  // name and type of the record, or the name server
	Since    time.Time `json:"since"`  // when it was first seen
	Status   string    `json:"status"` // in a word or two, as of a record and of a server
	Found    string    `json:"found"`  // what is wrong, in a sentence
	Remedy   string    `json:"remedy,omitempty"`
	Gone     bool      `json:"gone"`               // no name server has the record
	Restored bool      `json:"restored,omitempty"` // it was put back in this run
}

// Row is a row of a SigningTable that was made by hand.
type Row struct {
	Pattern  string `json:"pattern"`            // whose mail it signs
	Identity string `json:"identity,omitempty"` // i= of the signature
	At       string `json:"at"`                 // file and line
}

// Step is a step in the life of a key.
type Step struct {
	Domain   string `json:"domain"`
	Selector string `json:"selector,omitempty"` // absent for a key that is made
	// generate (make a key and publish its record), confirm (the record is seen everywhere),
	// lost (it is no longer), activate (sign with it), revoke (publish an empty p=), withdraw
	// (take the record away, then the private key).
	Action string `json:"action" enum:"generate confirm lost activate revoke withdraw"`
	Why    string `json:"why"`
}

// Note is something to know or to do.
type Note struct {
	Topic         string `json:"topic,omitempty"` // a word or two: dns, ptr
	Text          string `json:"text"`
	Action        string `json:"action,omitempty"`        // what to type, or the record to publish
	Informational bool   `json:"informational,omitempty"` // it explains, and nothing is to be done
}

// A Finding of mailsetup check, and what belongs to it, as the checks have it.
type (
	Finding = finding.Finding
	Message = finding.Message
	SPFTree = finding.SPFTree
)

// ChangedFinding is a finding that was told otherwise before.
type ChangedFinding struct {
	Finding
	Before finding.Severity `json:"before,omitempty"` // what it was then; absent for what is new
	Gone   bool             `json:"gone,omitempty"`   // it is right now, or does not apply any more
}

// Summary is how many findings there are. Consequences of others and ignored ones are in
// no number but their own.
type Summary struct {
	Problems     int `json:"problems"`
	Warnings     int `json:"warnings"`
	Unknown      int `json:"unknown"`
	Notes        int `json:"notes"`
	OK           int `json:"ok"`
	Ignored      int `json:"ignored"`      // that the administrator does not want to be told
	Consequences int `json:"consequences"` // of other findings
	Skipped      int `json:"skipped"`      // checks without any finding
	Fixable      int `json:"fixable"`      // problems and warnings that mailsetup itself can mend
}

// Score is how well mail will be taken, out of ten as web testers give.
type Score struct {
	Points  float64  `json:"points"`
	Of      float64  `json:"of"` // 10, less the areas that nothing is known of
	Lost    []Lost   `json:"lost"`
	Unrated []string `json:"unrated"` // areas that nothing is known of
}

// Lost is what an area costs.
type Lost struct {
	Area   string   `json:"area"`
	Points float64  `json:"points"`
	Mend   []string `json:"mend"` // the IDs of the findings that cost them
}

// Skipped is a check without any finding.
type Skipped struct {
	ID     string `json:"id"`
	Reason string `json:"reason"` // --only, --skip, --offline, needs --online, needs root, needs mailsetup init, does not apply, never checked
}
