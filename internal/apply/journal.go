package apply

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unique"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// JournalDir is where the journal lives on a machine.
const JournalDir = state.JournalDir

// DefaultKeep is how many runs Prune should leave for rollback.
const DefaultKeep = 50

// Journal is the history of runs, and what it takes to undo each of them. One
// directory for each run holds run.jsonl, a line for each step, and the
// contents that the run replaced in files named by number. Everything in it is
// for root only, since private keys may be among the contents.
type Journal struct {
	files interface {
		system.Reader
		system.Writer
	}
	dir state.Path
}

// NewJournal uses the journal in dir, which is made by the first run.
func NewJournal(s system.System, dir state.Path) *Journal {
	return &Journal{files: s, dir: dir}
}

// NewID names a run so that names sort by time. The tail, a few random
// letters, keeps apart two runs of the same second.
func NewID(now time.Time, tail string) string {
	return now.UTC().Format("20060102T150405") + "-" + tail
}

// Status tells how a run ended.
type Status string

// The statuses.
const (
	Open   Status = "open"   // did not end: to be recovered
	Done   Status = "done"   // everything was applied
	Undone Status = "undone" // everything was taken back
)

// Entry is one run as the journal tells it.
type Entry struct {
	ID        string
	Started   time.Time
	Command   string
	Status    Status
	Paths     []state.Path // sorted; what the run changed or was about to
	TakesBack []string     // the runs that it takes back, of a rollback
	Notes     []state.Note // what was said of the plan

	dir    state.Path
	stages []*stage
}

// runFile is the name of the event list in a run's directory.
const runFile = "run.jsonl"

func (j *Journal) runDir(id string) state.Path { return j.dir.Join(id) }

// liesBelow reports whether the journal is below p: a directory that the run itself
// needs, and does not remove.
func (j *Journal) liesBelow(p state.Path) bool {
	return p == j.dir || strings.HasPrefix(string(j.dir), string(p)+"/")
}

// Open returns the run that did not end, nil if there is none.
func (j *Journal) Open() (*Entry, error) {
	ids, err := j.files.List(j.dir)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Backward(ids) {
		if e, err := j.loadOpen(id); e != nil || err != nil {
			return e, err
		}
	}
	return nil, nil
}

// loadOpen loads a run that did not end, nil for one that did. Of the latter it parses
// no more than the last event, since there may be many long runs.
func (j *Journal) loadOpen(id string) (*Entry, error) {
	dir := j.runDir(id)
	text, err := system.ReadFile(j.files, dir.Join(runFile))
	if err != nil || len(text) == 0 || hasEnded(text) {
		return nil, err
	}
	e, err := parseRun(dir, text)
	if err != nil || e == nil || e.Status != Open {
		return nil, err
	}
	return e, nil
}

// History returns the runs, oldest first, without what Summary tells.
func (j *Journal) History() ([]Entry, error) {
	ids, err := j.files.List(j.dir)
	if err != nil {
		return nil, err
	}
	all := []Entry{}
	for _, id := range ids {
		e, err := j.Load(id)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		for i, p := range e.Paths { // many runs change the same thousands
			e.Paths[i] = unique.Make(p).Value()
		}
		e.stages = nil
		all = append(all, *e)
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(FirstID(a.ID), FirstID(b.ID)), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
	return all, nil
}

// Load reads one run, nil for a directory in which no run began.
func (j *Journal) Load(id string) (*Entry, error) { return loadRun(j.files, j.runDir(id)) }

func loadRun(files system.Reader, dir state.Path) (*Entry, error) {
	text, err := system.ReadFile(files, dir.Join(runFile))
	if err == nil {
		return parseRun(dir, text)
	}
	return nil, err
}

// Prune removes the oldest runs until keep are left. Runs of one command are kept
// together, since they are rolled back together. A run that did not end is never
// removed.
func (j *Journal) Prune(keep int) error {
	ids, err := j.files.List(j.dir)
	ids = slices.DeleteFunc(ids, func(id string) bool { return id == state.OriginDir.Base() })
	if err != nil || len(ids) <= keep {
		return err
	}
	slices.Sort(ids) // they begin with the time
	end := len(ids) - keep
	for end > 0 && keep > 0 && FirstID(ids[end-1]) == FirstID(ids[end]) {
		end--
	}
	for _, id := range ids[:end] {
		e, err := j.loadOpen(id)
		if err == nil && e == nil {
			err = j.remove(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes a run. The event list goes first: contents without it are harmless,
// but it must not refer to contents that are gone.
func (j *Journal) remove(id string) error {
	dir := j.runDir(id)
	names, err := j.files.List(dir)
	if err != nil {
		return err
	}
	if i := slices.Index(names, runFile); i >= 0 {
		names[0], names[i] = names[i], names[0]
	}
	for _, name := range names {
		if err := j.files.Remove(dir.Join(name)); err != nil {
			return err
		}
	}
	return j.files.Remove(dir)
}

// reserve is room on the disk that a run sets aside for taking itself back: a
// disk that fills up in the middle must not keep it from that.
const (
	reserveFile = "reserve"
	reserveSize = 256 << 10
)

// freeReserve frees the reserved disk space for an undo. An error only means that the
// undo may lack it.
func (j *Journal) freeReserve(dir state.Path) { _ = j.files.Remove(dir.Join(reserveFile)) }

// begin makes the run's directory and reserves disk space.
func (j *Journal) begin(e *Entry) error {
	if err := j.makeDirs(j.dir); err != nil {
		return err
	}
	if err := j.files.Mkdir(e.dir, privateDir); err != nil {
		return err
	}
	room := make([]byte, reserveSize)
	_, _ = rand.Read(room) // zeros would take no room on some file systems; it never fails
	err := j.files.Create(e.dir.Join(reserveFile), state.Object{
		Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: room,
	})
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return j.files.Sync(e.dir.Join(reserveFile), e.dir)
}

var privateDir = state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root}

func (j *Journal) makeDirs(dir state.Path) error {
	o, err := j.files.Read(dir)
	if err != nil {
		return err
	}
	switch o.Kind {
	case state.Directory, state.Symlink:
		return nil
	case state.Absent:
	default:
		return fmt.Errorf("journal: %s is a %s", dir, o.Kind)
	}
	if dir != "/" {
		if err := j.makeDirs(dir.Dir()); err != nil {
			return err
		}
	}
	o = privateDir
	if dir != j.dir && dir != j.dir.Dir() {
		o.Mode = 0o755 // everybody's, /var/lib and above: missing in an image only
	}
	if err := j.files.Mkdir(dir, o); err != nil {
		return err
	}
	return j.files.Sync(dir)
}

// append writes one event and syncs it.
func (j *Journal) append(id string, ev event) error {
	line, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := j.files.Append(j.runDir(id).Join(runFile), line); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// close writes the last event of a run. An append that failed may have written
// its line all the same, so the file has the last word.
func (j *Journal) close(id string, ev event, want Status) error {
	err := j.append(id, ev)
	if err == nil {
		return nil
	}
	if e, rerr := j.Load(id); rerr == nil && e != nil && e.Status == want {
		return nil
	}
	return err
}

// hasEnded reports from the last line alone whether a run has ended, so that finding an
// open one need not parse all the others.
func hasEnded(content []byte) bool {
	content = bytes.TrimSuffix(content, []byte("\n"))
	last := content[bytes.LastIndexByte(content, '\n')+1:]
	var ev struct {
		Event string `json:"event"`
	}
	if json.Unmarshal(last, &ev) != nil {
		return false
	}
	return statusAfter(ev.Event) != Open
}

// ErrInterrupted says that an earlier run did not end.
var ErrInterrupted = errors.New("an earlier run was interrupted\nhint: mailsetup recover")
