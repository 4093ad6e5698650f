// Package state is the vocabulary in which mailsetup says how a machine
// should look: values only, no access to the machine.
package state

import (
	"io/fs"
	"time"
)

// Kind is the kind of object at a path.
type Kind string

// The kinds of objects. The zero value means nothing stands there.
const (
	Absent    Kind = ""
	Regular   Kind = "file"
	Directory Kind = "directory"
	Symlink   Kind = "symlink"
	Special   Kind = "special" // socket, device, pipe
)

// Owner names the user and group of an object. Names, not numbers: the users
// of Debian's mail packages have dynamic numbers, and may not exist yet when
// a plan is made.
type Owner struct {
	User  string `json:"user"`
	Group string `json:"group"`
}

// Root is root:root.
var Root = Owner{User: "root", Group: "root"}

// String returns user:group as chown(1) takes it.
func (o Owner) String() string { return o.User + ":" + o.Group }

// Object is an existing or wanted object at a path.
type Object struct {
	Kind    Kind
	Mode    fs.FileMode // permission bits and ModeSetgid only
	Owner   Owner
	Content []byte // of a regular file; the target of a symlink
	// Text, if any, stands for the content: see Bytes.
	Text   *Text `json:"-"`
	Secret bool  // Content must never reach a diff, a log or an error
}

// File is a whole file that belongs to mailsetup.
type File struct {
	Path    Path
	Mode    fs.FileMode
	Owner   Owner
	Content []byte
	// Make, if any, makes the content, which the plan then does not hold. It returns the
	// same each time.
	Make   func() []byte
	Secret bool // a private key: never shown, never overwritten
	// AdminOwned: the content belongs to the administrator (host.toml), so an edit by
	// hand is not drift.
	AdminOwned bool
	Why        string
}

// Dir is a directory. The setgid bit is fs.ModeSetgid, not octal 02000, which
// fs.FileMode would drop in silence.
type Dir struct {
	Path  Path
	Mode  fs.FileMode
	Owner Owner
	Why   string
}

// Meta is the owner and the mode of somebody else's file, whose content stays.
type Meta struct {
	Path  Path
	Mode  fs.FileMode
	Owner Owner
	Why   string
}

// Edit is a change inside somebody else's file, as data. Evaluating it twice
// gives the same bytes as evaluating it once.
type Edit interface {
	Target() Path
	// Settings returns what the edit sets, a line each, shown if the file itself does
	// not exist yet.
	Settings() []string
	Why() string
}

// Package is a Debian package to be installed.
type Package struct {
	Name string
	Why  string
}

// Validator is a daemon's own checker. Argv receives a function that maps the
// path of a file of the stage to its copy in a scratch tree, where copies
// name each other by their scratch paths. Exit status 0 accepts.
type Validator struct {
	Name string
	// Needs are files of the live machine that the checker wants beside the
	// stage's own (master.cf beside main.cf).
	Needs []Path
	Argv  func(scratch func(Path) string) []string
	// Input are files that are made for the checker alone.
	Input map[Path][]byte
	// Each are asked one by one, side by side, where this one does not accept: it looks
	// at all that they look at, and they say what is wrong.
	Each []Validator
	// LogTag is the syslog(3) identifier under which the checker says what is wrong
	// where it has no terminal, "" if it prints that.
	LogTag string
	// Early validators are asked before anything is touched. Earlier stages do not
	// change the answer, and a pass is not asked for again.
	Early bool
}

// Stage is a set of things that become true together: validated, saved, committed,
// acted on, settled.
type Stage struct {
	Name     string
	Packages []Package
	Dirs     []Dir
	Files    []File
	Remove   []Path // files of ours that are no longer wanted
	// Discard are further files that go, whatever they say: keys, and what the
	// administrator may edit. A directory goes if it is empty then.
	Discard    []Path
	Metas      []Meta
	Edits      []Edit
	Derived    []Derived
	Updates    []Update // of zones on their primaries, once the files are in place
	Units      []Unit
	Validators []Validator
	// Probes must pass once something of the stage changed and its units have
	// settled.
	Probes []Probe
	// Only returns the units and the validators for the paths that really change, where
	// those of the whole stage would be too many; nil if they are the same.
	Only func(changes func(Path) bool) ([]Unit, []Validator)
	// Checkpoint stages are not taken back by a later failure.
	Checkpoint bool
	// Questions are the consents that this stage needs and nobody gave yet.
	Questions []Question
}

// State is the desired state, in the order in which it must become true.
type State struct {
	Stages []Stage
	// Notes are what is left for the human, shown after the plan.
	Notes []Note
	// Questions are those of the stages. The stages hold what a yes would do.
	Questions []Question
}

// Question asks for the consent to change something of the administrator's,
// on which a yes to the whole plan is not enough.
type Question struct {
	// ID names it the same in every run: "record _dmarc.example.org DMARC".
	ID   string       `json:"id"`
	Kind QuestionKind `json:"kind"`
	// Subject is what a no is stored for: the service, or the kind of record (spf,
	// helo, dmarc); and Domain the domain of a record.
	Subject string `json:"subject,omitempty"`
	Domain  string `json:"domain,omitempty"`
	// Domains are those whose mail another signer signs.
	Domains []string `json:"domains,omitempty"`
	// Text says what is there, why that is not right, and what a yes changes.
	Text string `json:"text"`
	// Path and Line are the place; Before and After the line before and after the
	// change, "" for no line.
	Path   Path   `json:"path,omitempty"`
	Line   int    `json:"line,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
	// Declined says what a no means; "" if the run cannot go on without a yes.
	Declined string `json:"declined,omitempty"`
}

// QuestionKind says what a question is about.
type QuestionKind string

// The kinds, each answered for all by one flag.
const (
	AskRecord     QuestionKind = "record"     // --existing-records
	AskService    QuestionKind = "service"    // --service-milters
	AskOverride   QuestionKind = "override"   // --replace-override
	AskRemoval    QuestionKind = "removal"    // --remove-missing
	AskBounces    QuestionKind = "bounces"    // --sign-bounces
	AskRelease    QuestionKind = "release"    // --any-release
	AskMTA        QuestionKind = "mta"        // --replace-mta
	AskWildcard   QuestionKind = "wildcard"   // --wildcard-records
	AskSigner     QuestionKind = "signer"     // --other-signer
	AskChecks     QuestionKind = "checks"     // --replace-checks
	AskDelegation QuestionKind = "delegation" // --delegate-keys
)

// Note is something the administrator should know or do.
type Note struct {
	Topic  string `json:"topic"` // a word or two: "dns", "ptr", "myhostname"
	Text   string `json:"text"`
	Action string `json:"action,omitempty"` // the command to type or the record to paste
	// Informational: the note explains the plan and asks for nothing to be done.
	Informational bool `json:"informational,omitempty"`
	// Doubt: the note doubts an answer, so it is told before what follows from it.
	Doubt bool `json:"-"`
}

// Derived is a file that a program makes from another one (aliases.db from aliases):
// made again if its source changes or it is missing.
type Derived struct {
	Path Path
	From Path
	Argv []string
	// Always: made again in any case, since another program may have made the existing
	// one.
	Always bool
}

// UnitAction is what happens to a unit when something of its stage changed.
type UnitAction string

// The actions, in the words of systemctl(1).
const (
	Reload  UnitAction = "reload"
	Restart UnitAction = "restart"
	Start   UnitAction = "start" // a unit that is down, whether or not it gave up
	Stop    UnitAction = "stop"  // a unit that nobody asks any more; undo starts it again
	// Enable has a unit started at boot, Disable is its way back. Neither starts or
	// stops it now.
	Enable  UnitAction = "enable"
	Disable UnitAction = "disable"
)

// AtBoot reports whether an action is about the next boot only.
func (a UnitAction) AtBoot() bool { return a == Enable || a == Disable }

// Unit is a systemd unit that is acted on if something of its stage changed, or
// Always. Recovery acts on the units that an interrupted run did not come to.
type Unit struct {
	Name   string
	Action UnitAction
	// WakeSocket is a socket to connect to once while the unit stops: libmilter
	// looks at its stop flag only at a connection or every five seconds.
	WakeSocket Path
	// Probes must pass before the action counts as done.
	Probes []Probe
	// UndoProbes must pass in an undo, once the unit was acted on with its old files
	// and before earlier stages are taken back. A probe that did not pass before the
	// stage (of a milter that was down) need not pass then.
	UndoProbes []Probe
	// Zones are what a reload of BIND is about, nil for all that it has. A unit that
	// cannot be told of them is reloaded.
	Zones *ZoneReload
	// NeedsDaemonReload: files of the unit itself change with the stage, so systemd
	// reads them again (daemon-reload) before the action, and in an undo.
	NeedsDaemonReload bool
	// Starting: it was still starting when a run found it, and may never be up: in an
	// undo its job need not succeed, and what it answered then decides.
	Starting bool
	// Always: acted on also if nothing of the stage changed, unless another stage of
	// the plan does that.
	Always bool
	Why    string
}

// Probe is a question to the running system whose answer decides whether a
// unit action worked. A job result of "done" is not enough: a reload of
// OpenDKIM reports it whatever happened.
type Probe struct {
	Kind ProbeKind `json:"kind"`
	// Unit to be found active (ProbeActive).
	Unit string `json:"unit,omitempty"`
	// Socket of the milter, host:port of the SMTP server, or path of main.cf.
	Address string `json:"address,omitempty"`
	// Signers are addresses whose mail must come out of the milter with a
	// valid signature of the domain and selector named (ProbeSigns).
	Signers []Signer `json:"signers,omitempty"`
	// Records that the name server at Address must serve (ProbeServed).
	Origin  string   `json:"origin,omitempty"`
	Records []Record `json:"records,omitempty"`
	// Gone are records that must no longer be served.
	Gone []Record `json:"gone,omitempty"`
	// View of BIND that has the zone, and the zone's File. Where this machine is
	// answered from another view, BIND must have loaded the file's serial.
	View string `json:"view,omitempty"`
	File Path   `json:"file,omitempty"`
	// Serial that the zone's SOA must have reached (RFC 1982), 0 for any.
	Serial uint32 `json:"serial,omitempty"`
	// Recipients that the SMTP server at Address must not call unknown, and
	// Deliver, a name without a domain, "" for none (ProbeRecipients). ProbeDoor asks for
	// each, whatever the answer is.
	Recipients []string `json:"recipients,omitempty"`
	Deliver    string   `json:"deliver,omitempty"`
	// Name is what the MTA calls itself (ProbeDMARC, ProbeFilters).
	Name string `json:"name,omitempty"`
	// Once: the first answer of the name server counts, whatever it is (ProbeServed).
	Once bool `json:"once,omitempty"`
	// Within bounds the whole probe, retries included.
	Within time.Duration `json:"within,omitempty"`
}

// ProbeKind names what a probe asks.
type ProbeKind string

// The probes.
const (
	ProbeActive ProbeKind = "active" // the unit is active, and still is a second later
	ProbeMilter ProbeKind = "milter" // the socket accepts and negotiates
	ProbeSigns  ProbeKind = "signs"  // a message through the milter comes out signed
	// ProbeExim: messages of the signers leave Exim, configured as in the file Address but
	// for a queue of their own, by its transport with a signature that verifies.
	ProbeExim ProbeKind = "exim"
	// ProbeUnsigned: messages of the signers come out without a signature of
	// their domain, since another milter signs them now.
	ProbeUnsigned ProbeKind = "unsigned"
	// ProbeOther: messages of the signers come out of another milter with a
	// signature of their domain and selector, whatever its key is.
	ProbeOther    ProbeKind = "other"
	ProbeGreeting ProbeKind = "greeting" // a reply of SMTP to a connection, whatever it says
	ProbeSMTP     ProbeKind = "smtp"     // 220, EHLO, MAIL FROM accepted, RSET
	ProbeServed   ProbeKind = "served"   // the name server answers with the records
	ProbePostfix  ProbeKind = "postfix"  // postmulti -i - -p status
	// ProbeSessions: no process that takes mail began before main.cf was put
	// in place. A reload lets sessions go on with what they have read.
	ProbeSessions ProbeKind = "sessions"
	// ProbeRecipients: Postfix takes mail for addresses, and delivers that of a
	// user of this machine, by its own word; no message is sent.
	ProbeRecipients ProbeKind = "recipients"
	// ProbePolicy: a policy service (SMTPD_POLICY_README) at a socket file answers.
	ProbePolicy ProbeKind = "policy"
	// ProbeDoor: the SMTP server decides about a recipient, for clients at addresses of
	// this machine: it has gone through its restrictions.
	ProbeDoor ProbeKind = "door"
	// ProbeEximDoor: Exim decides about each recipient, for a client of no known address and
	// for one that every block list has, and asks what File has before that; Name is a block
	// list among it, "" for none.
	ProbeEximDoor ProbeKind = "exim-door"
	// ProbeDMARC: a message from outside comes out of the milter with a result of DMARC
	// under the name of the MTA.
	ProbeDMARC ProbeKind = "dmarc"
	// ProbeFilters: such a message comes out of rspamd so, or is refused, as a filter may,
	// once it has read what is in the directory File now.
	ProbeFilters ProbeKind = "filters"
)

// Signer is an address and the signature its mail must carry.
type Signer struct {
	From     string `json:"from"`
	Domain   string `json:"domain"`
	Selector string `json:"selector"`
	// Public is the key record's text, against which the signature verifies.
	Public string `json:"public"`
}

// Record is one DNS resource record with an absolute owner name (final dot).
type Record struct {
	Name  string `json:"name"`
	Type  string `json:"type"` // A, AAAA, MX, TXT, NS
	TTL   uint32 `json:"ttl"`
	Value string `json:"value"` // rdata; for TXT the joined text without quotes
}
