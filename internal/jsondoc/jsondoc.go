// Package jsondoc is the contract of --json: the documents that commands print, one a
// run, and the objects in them. An idea has one shape wherever it is printed.
// docs/schema/mailsetup.schema.json and mailsetup-json(7) are made from these types and
// their comments (go test ./internal/jsondoc -update).
//
// Until the first release the contract may change; after it there are only additions.
package jsondoc

import (
	"iter"
	"time"
)

// Schema is the version of the contract. It changes when a field goes or gets another
// meaning, and not when fields, documents or words of an enumeration are added.
const Schema = 1

// Document is all that a run prints with --json.
type Document interface {
	// Document is its name, which it says of itself.
	Document() string
}

// Failure is printed by every command that did not get as far as another document.
type Failure struct {
	Error Error `json:"error"`
}

// Document implements Document.
func (Failure) Document() string { return "error" }

// Plan is what a run would do: of apply with --check, and with --dry-run of init,
// add-domain, remove-domain, adopt, inbound, rollback, uninstall, rotate-dkim and check --fix.
type Plan struct {
	// Something is to be done.
	Pending bool `json:"pending"`
	// What would be done, in this order; each stage works before the next one begins.
	Stages []Stage `json:"stages"`
	// Files of mailsetup that somebody edited: a run stops here without --overwrite-drift.
	Drift []Drift `json:"drift"`
	// Consents that the run needs.
	Questions []Question `json:"questions"`
	Notes     []Note     `json:"notes"`
	// The domains of an OpenDKIM made by hand that is taken over.
	Adopted []Domain `json:"adopted,omitzero"`
	// Of rotate-dkim: steps of keys that would be taken now.
	Steps []Step `json:"steps,omitzero"`
	// Of rotate-dkim: the keys as they are.
	Keys []Key `json:"keys,omitzero"`
	// Why this is not all that would be done.
	Error *Error `json:"error,omitempty"`
}

// Document implements Document.
func (Plan) Document() string { return "plan" }

// Backup is a backup that was written, of backup.
type Backup struct {
	File    string   `json:"file"`              // that was written
	Octets  int      `json:"octets"`            // how long it is
	Domains int      `json:"domains"`           // how many there are
	Keys    int      `json:"keys"`              // how many private keys are in it
	Missing []string `json:"missing,omitempty"` // files of keys that are not there, of this machine alone, or where a backup puts nothing, and hooks that do not come with mailsetup
}

// Document implements Document.
func (Backup) Document() string { return "backup" }

// Result is what a run did: of init, add-domain, remove-domain, apply, adopt, inbound,
// rotate-dkim, rollback, restore, uninstall and recover.
type Result struct {
	// Something was changed.
	Changed bool `json:"changed"`
	// The run, to be named to mailsetup rollback; absent if nothing was changed.
	Run   *Run   `json:"run,omitempty"`
	Notes []Note `json:"notes"` // what is left for a person, and what explains the plan
	// The domains of an OpenDKIM made by hand that was taken over.
	Adopted []Domain `json:"adopted,omitzero"`
	Proven  string   `json:"proven,omitempty"` // what was proven of the mail that leaves, in a sentence
	// What mailsetup check finds wrong without asking DNS, after a change.
	Findings []Finding `json:"findings,omitempty"`
	Steps    []Step    `json:"steps,omitzero"` // of rotate-dkim: the steps of keys that were taken
	// Of rotate-dkim: keys that do not sign yet and wait for somebody, each told once a day.
	Waiting []Key    `json:"waiting,omitzero"`
	Failed  []Domain `json:"failed,omitzero"` // of rotate-dkim: domains that the run went on without
	// Of rotate-dkim: what was found wrong with records that it looked at.
	Problems []Problem `json:"problems,omitzero"`
	// Why the run failed, or what is wrong although it is done (exit 3).
	Error *Error `json:"error,omitempty"`
}

// Document implements Document.
func (Result) Document() string { return "result" }

// List is what mailsetup list prints.
type List struct {
	// By name; those that were removed as long as they have keys.
	Domains []Domain `json:"domains"`
}

// Document implements Document.
func (List) Document() string { return "list" }

// DNS is what mailsetup dns prints: of each domain the records, or with --wait what its
// name servers have.
type DNS struct {
	Domains []Domain `json:"domains"`
}

// Document implements Document.
func (DNS) Document() string { return "dns" }

// Status is what mailsetup status prints.
type Status struct {
	Keys []Key `json:"keys"`
	// What the last look of rotate-dkim found wrong with records.
	Problems []Problem `json:"problems"`
	Notes    []Note    `json:"notes"` // what is wrong with keys and settings
}

// Document implements Document.
func (Status) Document() string { return "status" }

// History is what mailsetup history prints.
type History struct {
	// The oldest first; of a run that is named those of its command, with what they did.
	Runs []Run `json:"runs"`
}

// Document implements Document.
func (History) Document() string { return "history" }

// Inbound is what mailsetup inbound prints where nothing is asked for: what mail that
// comes in meets.
type Inbound struct {
	SPF   string `json:"spf" enum:"off mark reject"`              // of mail from servers that its sender's domain forbids
	DMARC string `json:"dmarc" enum:"off mark quarantine reject"` // of mail that fails the policy of the domain in From
	// Block lists, each with the answers that count; keys of accounts there are left out.
	DNSBL   []string `json:"dnsbl"`
	Allow   []string `json:"allow"`             // who is let past: addresses, networks, hosts, senders
	MX      []string `json:"mx,omitempty"`      // other MX hosts of the domains here
	AsAsked *bool    `json:"as_asked"`          // this server is as the settings ask; null where that could not be found out
	Unknown string   `json:"unknown,omitempty"` // and why
}

// Document implements Document.
func (Inbound) Document() string { return "inbound" }

// Check is what mailsetup check prints, also with --fix after it was mended.
type Check struct {
	Server  string    `json:"server"` // the name of this server in EHLO; empty if nothing here sends mail
	Time    time.Time `json:"time"`
	Domains []Domain  `json:"domains"` // that were looked at, by their names
	Summary Summary   `json:"summary"`
	Score   *Score    `json:"score,omitempty"` // absent with --only
	// Of more than a hundred domains, those that are ok are in passed alone.
	Findings iter.Seq[Finding] `json:"findings"`
	Messages []Message         `json:"messages,omitempty"` // the ways of test messages through this server
	SPF      []SPFTree         `json:"spf,omitempty"`      // SPF records, with all that they include
	Keys     []Key             `json:"keys,omitempty"`     // the lives of keys
	Passed   map[string]int    `json:"passed"`             // how many findings of each ID are ok
	Skipped  []Skipped         `json:"skipped"`            // checks without any finding
	Changes  []ChangedFinding  `json:"changes,omitzero"`   // with --changed: what differs from what was told before
	Since    time.Time         `json:"since,omitzero"`     // with --changed: when something was told before
	Error    *Error            `json:"error,omitempty"`    // of --fix: why nothing, or not all, was mended
}

// Document implements Document.
func (Check) Document() string { return "check" }

// Version is what mailsetup version prints.
type Version struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"` // that it was built from
	Go      string `json:"go"`               // that built it
}

// Document implements Document.
func (Version) Document() string { return "version" }
