package jsondoc

import (
	"iter"
	"time"
)

// Run is a run that changed something, as the journal has it. The result of a command
// has its ID and paths alone.
type Run struct {
	ID      string    `json:"id"`                // to be named to mailsetup history and rollback
	Command string    `json:"command,omitempty"` // that was typed, without its flags
	Started time.Time `json:"started,omitzero"`  // when it began to change something
	// done, undone (it failed, and was taken back at once), open (it was killed, and
	// mailsetup recover takes it back).
	Status       string   `json:"status,omitempty" enum:"done undone open"`
	RolledBackBy string   `json:"rolled_back_by,omitempty"` // the run that took it back
	TakesBack    []string `json:"takes_back,omitempty"`     // of a rollback: the runs that it takes back
	Paths        []string `json:"paths,omitzero"`           // that it changed
	Notes        []Note   `json:"notes,omitempty"`          // what was said
	Stages       []Stage  `json:"stages,omitempty"`         // what it did, of a run that was named
	Hints        []string `json:"hints,omitempty"`          // how it is taken back, or why it cannot be
}

// Stage is a part of a plan or of a run that works before the next one begins.
type Stage struct {
	Name       string           `json:"name"`
	Packages   []Package        `json:"packages,omitempty"`  // to be installed
	Install    []string         `json:"install,omitempty"`   // what apt installs, with what those depend on
	Uninstall  []string         `json:"uninstall,omitempty"` // what apt removes
	Changes    iter.Seq[Change] `json:"changes,omitempty"`
	Updates    []Update         `json:"updates,omitempty"`    // of zones on their primaries
	Units      []Unit           `json:"units,omitempty"`      // that are acted on
	Checkpoint bool             `json:"checkpoint,omitempty"` // it stays if a later stage fails
}

// Package is a package of Debian.
type Package struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
}

// Change is a change of one path.
type Change struct {
	// create (a file), modify (its content), meta (owner or mode alone), mkdir, remove, later
	// (of a file that a package of this plan brings first).
	Op       string   `json:"op" enum:"create modify meta mkdir remove later"`
	Path     string   `json:"path"`
	Why      string   `json:"why,omitempty"`
	Before   *File    `json:"before,omitempty"` // absent if there is nothing
	After    *File    `json:"after,omitempty"`
	Secret   bool     `json:"secret,omitempty"`   // a private key, of which no content and no hash is told
	Diff     string   `json:"diff,omitempty"`     // unified
	Settings []string `json:"settings,omitempty"` // the lines that an edit makes true
	From     string   `json:"from,omitempty"`     // the file that a program makes it from
	Argv     []string `json:"argv,omitempty"`     // and the program
}

// File is a file or directory.
type File struct {
	Kind   string `json:"kind" enum:"file directory symlink special"` // what it is; special is a device, a socket or a pipe
	Owner  string `json:"owner"`                                      // user:group
	Mode   string `json:"mode"`                                       // octal, four digits
	SHA256 string `json:"sha256,omitempty"`                           // of a file that is no secret
}

// Update is a change of a zone on its primary (RFC 2136).
type Update struct {
	Zone    string   `json:"zone"`     // with the final dot
	Server  string   `json:"server"`   // the primary, with the port, or the program that changes the zone
	KeyFile string   `json:"key_file"` // of the TSIG key; empty for a program
	Add     []Record `json:"add,omitempty"`
	Remove  []Record `json:"remove,omitempty"`
	Why     string   `json:"why,omitempty"`
}

// Unit is a unit of systemd, and what happens to it.
type Unit struct {
	Name         string   `json:"name"`
	Action       string   `json:"action" enum:"reload restart start stop enable disable"` // as of systemctl(1)
	Why          string   `json:"why,omitempty"`
	DaemonReload bool     `json:"daemon_reload,omitempty"` // systemd reads its files again before
	Probes       []string `json:"probes,omitempty"`        // what it has to answer afterwards, by kind
}

// Drift is a file of mailsetup, or lines of it in another, that somebody edited.
type Drift struct {
	Path string `json:"path"`
	Why  string `json:"why"`
	Diff string `json:"diff,omitempty"` // unified
}

// Question asks for the consent to change something of the administrator's.
type Question struct {
	ID string `json:"id"` // the same in every run
	// What it is about; each kind has a flag.
	Kind     string   `json:"kind" enum:"record service override removal bounces release mta wildcard signer checks delegation"`
	Flag     string   `json:"flag"`               // that says yes
	Subject  string   `json:"subject,omitempty"`  // the service, or the kind of record
	Domain   string   `json:"domain,omitempty"`   // of a record
	Domains  []Domain `json:"domains,omitempty"`  // whose mail another signer signs
	Text     string   `json:"text"`               // what is there, why that is not right, and what a yes changes
	Path     string   `json:"path,omitempty"`     // where it is
	Line     int      `json:"line,omitempty"`     // in the file
	Before   string   `json:"before,omitempty"`   // the line now
	After    string   `json:"after,omitempty"`    // the line after a yes
	Declined string   `json:"declined,omitempty"` // what a no means; absent if the run cannot go on without a yes
}
