package apply

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// The events of a run, in the order in which they may come.
const (
	evBegin  = "begin"
	evIntent = "intent" // of a stage: what it will do; nothing is touched yet
	evCommit = "commit" // from here its files may have changed
	evStage  = "stage"  // it has settled
	evUndo   = "undo"   // taking back begins
	evDone   = "done"   // the run is applied
	evUndone = "undone" // the run is taken back, and that was verified
)

func statusAfter(event string) Status {
	switch event {
	case evDone:
		return Done
	case evUndone:
		return Undone
	}
	return Open
}

// event is one line of run.jsonl.
type event struct {
	Event   string    `json:"event"`
	Time    time.Time `json:"time,omitzero"`
	ID      string    `json:"id,omitempty"`
	Command string    `json:"command,omitempty"`
	// TakesBack and Notes are of the beginning.
	TakesBack []string     `json:"takes_back,omitempty"`
	Notes     []state.Note `json:"notes,omitempty"`
	Intent    *stage       `json:"intent,omitempty"`
	Stage     int          `json:"stage,omitempty"`
}

// stage is what the journal knows of one stage: enough to take it back.
type stage struct {
	Number     int            `json:"number"`
	Name       string         `json:"name"`
	Checkpoint bool           `json:"checkpoint,omitempty"`
	Changes    []change       `json:"changes,omitempty"`
	Derived    []derived      `json:"derived,omitempty"`
	Updates    []state.Update `json:"updates,omitempty"`
	Units      []unit         `json:"units,omitempty"`

	sent       int  // how many of the updates may have been carried out
	committing bool // its files may have changed
	settled    bool // it is complete
}

// isKept reports whether a later failure leaves the stage as it is.
func (s *stage) isKept() bool { return s.Checkpoint && s.settled }

type change struct {
	Op     plan.Op    `json:"op"`
	Path   state.Path `json:"path"`
	Serial bool       `json:"serial,omitempty"`
	Staged state.Path `json:"staged,omitempty"` // holds the new content until the commit
	Before object     `json:"before"`
	After  object     `json:"after"`

	pos int // in the history of its path
}

type derived struct {
	Path   state.Path `json:"path"`
	Argv   []string   `json:"argv"`
	Before object     `json:"before"`
}

// unit is a unit of a stage, with its state before the stage.
type unit struct {
	Name       string           `json:"name"`
	Action     state.UnitAction `json:"action"`
	WakeSocket state.Path       `json:"wake_socket,omitempty"`
	Running    bool             `json:"running"`
	// Starting: it was not up, and may never have come to that; see state.Unit.
	Starting bool `json:"starting,omitempty"`
	// TookMail: the unit took mail before the stage, so it has to after an undo.
	TookMail bool          `json:"took_mail,omitempty"`
	Probes   []state.Probe `json:"probes,omitempty"`
	// UndoProbes are the undo probes that passed before the stage.
	UndoProbes        []state.Probe `json:"undo_probes,omitempty"`
	NeedsDaemonReload bool          `json:"daemon_reload,omitempty"`
	// Zones are what a reload is about; see state.Unit.
	Zones *state.ZoneReload `json:"zones,omitempty"`
	Why   string            `json:"why,omitempty"`
}

// milterSocket returns the socket of a milter after its stage.
func (un unit) milterSocket() state.Path {
	for _, p := range un.Probes {
		if at, err := state.ParsePath(p.Address); err == nil && p.Kind == state.ProbeMilter {
			return at
		}
	}
	return un.WakeSocket
}

func oldSessions(p state.Probe) bool { return p.Kind == state.ProbeSessions }

// object is a state.Object whose content is a hash, and a file of the run's
// directory where it was saved.
type object struct {
	Kind   state.Kind  `json:"kind,omitempty"`
	Mode   fs.FileMode `json:"mode,omitempty"` // Go's bits, not the octal ones
	Owner  state.Owner `json:"owner,omitzero"`
	Hash   string      `json:"sha256,omitempty"`
	Blob   string      `json:"blob,omitempty"`
	Secret bool        `json:"secret,omitempty"`
}

func summarise(o state.Object) object {
	s := object{Kind: o.Kind, Mode: o.Mode, Owner: o.Owner, Secret: o.Secret}
	if o.Kind == state.Regular {
		s.Hash = plan.HashOf(o)
	}
	return s
}

// parseRun parses run.jsonl; nil for a run that never began. A line cut short by a
// crash is ignored: what it announced had not begun. It can only be the last line, or
// the last before the undo that followed the crash.
func parseRun(dir state.Path, content []byte) (*Entry, error) {
	e := &Entry{Status: Open, dir: dir}
	torn := false
	for n, line := range bytes.Split(content, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var ev event
		if json.Unmarshal(line, &ev) != nil {
			torn = true
			continue
		}
		if torn && ev.Event != evUndo && statusAfter(ev.Event) == Open {
			return nil, damaged(dir, n, errors.New("is damaged"))
		}
		torn = false
		if err := e.addEvent(ev); err != nil {
			return nil, damaged(dir, n+1, err)
		}
	}
	if e.ID == "" {
		return nil, nil
	}
	e.Paths = e.paths()
	return e, nil
}

// damaged returns the error of a run of which the journal makes no sense. Others can
// be taken back without it.
func damaged(dir state.Path, line int, err error) error {
	return hint.New(fmt.Sprintf("put %s back from a backup; without one, that run cannot be taken back: its numbered files are what it replaced, and mv %s /root/ lets other runs go on", dir, dir),
		"journal %s: line %d: %w", dir.Join(runFile), line, err)
}

// addEvent adds an event to the entry.
func (e *Entry) addEvent(ev event) error {
	switch ev.Event {
	case evBegin:
		e.ID, e.Command, e.Started, e.TakesBack, e.Notes = ev.ID, ev.Command, ev.Time, ev.TakesBack, ev.Notes
	case evIntent:
		if ev.Intent == nil || ev.Intent.Number != len(e.stages)+1 {
			return fmt.Errorf("stage out of order")
		}
		ev.Intent.sent = len(ev.Intent.Updates)
		e.stages = append(e.stages, ev.Intent)
	case evCommit, evStage:
		if ev.Stage < 1 || ev.Stage > len(e.stages) {
			return fmt.Errorf("stage %d was not announced", ev.Stage)
		}
		st := e.stages[ev.Stage-1]
		st.committing = true
		st.settled = ev.Event == evStage
	case evUndo:
	case evDone, evUndone:
		e.Status = statusAfter(ev.Event)
	default:
		return fmt.Errorf("event %q is not known to this program", ev.Event)
	}
	return nil
}

func (e *Entry) paths() []state.Path {
	set := map[state.Path]bool{}
	for _, st := range e.stages {
		for _, c := range st.Changes {
			set[c.Path] = true
		}
		for _, d := range st.Derived {
			set[d.Path] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
