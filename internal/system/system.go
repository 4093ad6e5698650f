// Package system is the one seam to the machine: files, units, programs. Everything
// that reads, writes, runs or asks goes through these small interfaces, so that
// planning can be given one that cannot write, and tests one that fails where they
// like.
package system

import (
	"context"
	"errors"
	"io"
	"time"

	"mailsetup/internal/state"
)

// Reader looks without touching.
type Reader interface {
	// Read returns what stands at p, symbolic links not followed in the last
	// element. Nothing there is Kind Absent and no error.
	Read(p state.Path) (state.Object, error)
	// Stat is Read without the content.
	Stat(p state.Path) (state.Object, error)
	// List returns the names in a directory, sorted; none if it is absent.
	List(p state.Path) ([]string, error)
	// Evaluate returns the content that the edit's target would have. It may
	// run a daemon's own tool on a copy, and never changes the machine.
	Evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error)
}

// Writer changes files. Each method is one step that may be interrupted before
// or after, never within.
type Writer interface {
	// Create makes a new regular file with content, owner and mode; the file
	// is readable by nobody else at any instant (0600, chown, chmod). An
	// existing path is an error. The content is not yet synced.
	Create(p state.Path, o state.Object) error
	Rename(from, to state.Path) error
	// Remove removes a file, a symbolic link or an empty directory.
	Remove(p state.Path) error
	Mkdir(p state.Path, o state.Object) error
	// SetMeta sets owner and mode, owner first.
	SetMeta(p state.Path, o state.Object) error
	// Append adds one line to a file, made 0600 if absent, and syncs it.
	Append(p state.Path, line []byte) error
	// Sync flushes the files and the directories that hold them, in one batch.
	Sync(paths ...state.Path) error
}

// UnitStatus is what systemd says of a unit.
type UnitStatus struct {
	Load       string // loaded, not-found, masked
	Active     string // active, inactive, failed, activating
	Sub        string
	Type       string // oneshot, forking, notify
	Invocation string // changes with each start
	Restarts   uint32
	PID        uint32 // of the main process, 0 for none
	AtBoot     string // whether it is started then: enabled, disabled, static
	Result     string // how it ended: success, signal, exit-code
	Ran        bool   // it has been active since the boot, and is no longer
	// NeedsDaemonReload: files of the unit changed since systemd read them.
	NeedsDaemonReload bool
}

// Units drives systemd.
type Units interface {
	Status(ctx context.Context, unit string) (UnitStatus, error)
	// Act starts the job and waits for its result; anything but "done" is an
	// error. A start-limited unit is reset first. Wake, if not empty, is a
	// socket to connect to once while the unit stops.
	Act(ctx context.Context, unit string, action state.UnitAction, wake state.Path) error
	// Stop stops a unit (undo of one that was not running).
	Stop(ctx context.Context, unit string) error
	// DaemonReload makes systemd read the files of all units again, systemctl(1).
	// What runs goes on as it was started.
	DaemonReload(ctx context.Context) error
	// Log returns the last lines the unit wrote to the journal since then.
	Log(ctx context.Context, unit string, since time.Time, lines int) ([]string, error)
}

// Command is a program to run. Argv[0] is looked up in the system's path, the
// environment is clean (PATH, LANG=C.UTF-8) plus Env.
type Command struct {
	Argv   []string
	Env    []string
	Stdin  []byte
	Output io.Writer // a copy of stdout and stderr while it runs, may be nil
	Stdout io.Writer // takes stdout, in place of Result and Output, if it is not nil
	// Within is how long it may run, DefaultWithin if it is zero.
	Within time.Duration
}

// DefaultWithin is how long a program may run that is given no time of its own: it may
// wait for a pipe that nobody writes to. LongWithin is for work on a table or the queue.
const DefaultWithin, LongWithin = 2 * time.Minute, 10 * time.Minute

// Result is what a program left behind.
type Result struct {
	Stdout, Stderr []byte
	Code           int
}

// Runner runs programs. The error tells that the program could not be run or
// was cut short, a *SlowError after Command.Within; an exit status is in the result
// and no error.
type Runner interface {
	Run(ctx context.Context, c Command) (Result, error)
}

// Checker runs validators over staged files in a scratch tree readable by root
// only. Secret files are not copied there.
type Checker interface {
	Check(ctx context.Context, vs []state.Validator, files map[state.Path]state.Object) error
}

// Prober asks the running system. A nil error means the answer was right.
type Prober interface {
	Probe(ctx context.Context, p state.Probe) error
}

// Updater changes zones on the name servers that have them, here or elsewhere.
type Updater interface {
	// Update does as much of the update as is still due: all of it, by one
	// message, or nothing. It returns once the primary serves the result. An
	// error that is ErrUntouched left the zone as it was; after any other it may
	// be one or the other.
	Update(ctx context.Context, u state.Update) error
}

// ErrUntouched says of a failed update that the zone is as it was.
var ErrUntouched = errors.New("the zone is as it was")

// System is the whole machine.
type System interface {
	Reader
	Writer
	Units
	Runner
	Checker
	Prober
	Updater
}
