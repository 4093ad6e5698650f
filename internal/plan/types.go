// Package plan compares the desired state with the machine. A plan is a plain
// value: it can be printed, compared, refused, and applied.
package plan

import (
	"slices"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Op is what a change does to its path.
type Op string

// The operations.
const (
	Create Op = "create" // a file that was not there
	Modify Op = "modify" // other content (perhaps other owner and mode too)
	Meta   Op = "meta"   // owner or mode only
	Mkdir  Op = "mkdir"
	Remove Op = "remove"
	// Later is an edit of a file that a package of this plan still has to
	// bring: only its settings are known (the first half of a bare machine's
	// plan).
	Later Op = "later"
)

// Change is one change at one path. Before is compared with the machine again
// when the plan is applied.
type Change struct {
	Op       Op
	Path     state.Path
	Before   state.Object
	After    state.Object
	Why      string
	Settings []string // of an edit: the lines it makes true
	// Serial marks a zone file: undone forward, by the old text under a higher
	// serial.
	Serial bool
	// More is how many further changes that are alike a summary counts with this one.
	More int
}

// StageChanges are the changes that a stage needs.
type StageChanges struct {
	Name       string
	Packages   []state.Package // to be installed
	Install    []string        // what apt would install, dependencies included
	Uninstall  []string        // what apt would remove
	Changes    []Change
	Derived    []state.Derived // to be made again
	Updates    []state.Update  // to be sent
	Units      []state.Unit    // to be acted on
	Validators []state.Validator
	Probes     []state.Probe // that must pass in the end
	// Unchanged are files of the stage that are right already: validators
	// want them beside the ones that change.
	Unchanged  []state.Path
	Checkpoint bool
}

// Files returns the regular files of the stage as they will be, those that are right
// already among them: what its validators look at.
func (s StageChanges) Files(r system.Reader) (map[state.Path]state.Object, error) {
	files := map[state.Path]state.Object{}
	for _, c := range s.Changes {
		if c.After.Kind == state.Regular {
			o, err := c.After.Held()
			if err != nil {
				return nil, err
			}
			files[c.Path] = o
		}
	}
	beside := slices.Clone(s.Unchanged)
	for _, d := range s.Derived {
		beside = append(beside, d.From)
	}
	for _, p := range beside {
		if _, ok := files[p]; ok {
			continue
		}
		o, err := r.Read(p)
		if err != nil {
			return nil, err
		}
		if o.Kind == state.Regular {
			files[p] = o
		}
	}
	return files, nil
}

// Empty reports whether the stage has nothing left to do.
func (s StageChanges) Empty() bool {
	return len(s.Units) == 0 && len(s.Packages) == 0 && len(s.Changes) == 0 && len(s.Derived) == 0 && len(s.Updates) == 0
}

// Empty reports whether nothing has to be done.
func (p Plan) Empty() bool { return len(p.Stages) == 0 }

// Plan is what has to be done, in order. Stages without changes are left out.
type Plan struct {
	Stages []StageChanges
	// Drift are managed files that someone edited since we wrote them, or that
	// were there before us with settings of their own.
	Drift []Drift
	Notes []state.Note
	// Questions are consents that are still to be given. The plan holds what a
	// yes to each would do.
	Questions []state.Question
	// Answers are what the plan goes by, in a few lines for a person; nil where
	// nobody asked for anything.
	Answers []Answer
}

// Answer is something that was asked for: its name, and what was said.
type Answer struct{ Name, Text string }

// Drift is a managed file, or lines of ours in another, not as mailsetup left it.
type Drift struct {
	Path state.Path
	Why  string // "edited since mailsetup wrote it", "not written by mailsetup", "lines of … were edited by hand"
	Diff string // unified, "" for a secret
}

// Paths returns the paths that a plan changes, in order and once each.
func (p Plan) Paths() []state.Path {
	var all []state.Path
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			all = append(all, c.Path)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
