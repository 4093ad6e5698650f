package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/adopt"
	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// showPlan prints the whole plan, with every difference. What is left for the
// human comes at the end of the run, and here as well if it may help to decide.
func (s *session) showPlan(p plan.Plan) {
	decides := s.o.dryRun || s.asks() && s.o.root == ""
	p.Notes = plan.Typed(plan.LimitPerTopic(slices.DeleteFunc(plan.OneLineNotes(p.Notes), func(n state.Note) bool { return !n.Informational && !decides }), mostNotes), s.c.typed())
	_ = p.Text(text.Raw(s.c.out), plan.TextOptions{Color: s.c.color, Diff: true})
}

// showDry is the end of --dry-run.
func (s *session) showDry(p plan.Plan) error {
	switch {
	case s.o.json:
		if err := s.printPlan(p); err != nil {
			return err
		}
	case p.Empty():
		fmt.Fprintln(s.c.out, "Nothing to do.")
		s.notes(p.Notes)
	default:
		s.showPlan(p)
	}
	if s.o.exitCode && !p.Empty() {
		return errChangesFound
	}
	return nil
}

func (s *session) printPlan(p plan.Plan) error {
	b, err := p.JSON()
	if err != nil {
		return err
	}
	if s.taken != nil {
		if b, err = beside(b, "adopted", s.taken.Data()); err != nil {
			return err
		}
	}
	fmt.Fprintln(s.c.out, string(b))
	return nil
}

// result is what --json prints after a run.
type result struct {
	Changed bool                  `json:"changed"`
	ID      string                `json:"id,omitempty"`
	Paths   []state.Path          `json:"paths,omitempty"`
	Notes   []state.Note          `json:"notes,omitempty"`
	Adopted []adopt.SigningDomain `json:"adopted,omitempty"`
	Proven  string                `json:"proven,omitempty"` // of the mail that leaves
}

// beside adds a value to an object of JSON as it is printed.
func beside(object []byte, name string, value any) ([]byte, error) {
	text, err := json.MarshalIndent(value, "  ", "  ")
	if err != nil {
		return nil, err
	}
	head := bytes.TrimSuffix(bytes.TrimSpace(object), []byte("\n}"))
	return fmt.Appendf(nil, "%s,\n  %q: %s\n}\n", head, name, text), nil
}

func (s *session) printResult(r result) error { return s.printJSON(r) }

func (s *session) printJSON(v any) error {
	enc := json.NewEncoder(s.c.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printRun prints what a run did that was not printed as it happened: what was
// proven, what is left for the human, what to type next. Its error says that
// something is wrong although all is done.
func (s *session) printRun(r provision.Result) error {
	var found error
	if r.Problem != nil {
		s.c.say("all of this stays, but %s", message(r.Problem))
		s.c.hints(hint.Of(r.Problem))
		found = errProblemsFound
	}
	if s.o.json {
		data := result{Changed: r.Changed(), ID: r.Report.ID, Notes: r.Notes, Proven: r.Proven}
		if r.Changed() {
			data.Paths, data.Adopted = r.Plan.Paths(), s.taken.Data()
		}
		return cmp.Or(s.printResult(data), found)
	}
	if !r.Changed() {
		fmt.Fprintf(s.c.out, "Nothing to do: this %s is as you asked for.\n", s.Kind())
	}
	if r.Proven != "" {
		fmt.Fprintln(s.c.out, text.Wrap(r.Proven, 78))
	}
	s.notes(r.Notes)
	switch {
	case !r.Changed():
	case s.o.root == "":
		fmt.Fprintf(s.c.out, "\nTo take it back: mailsetup rollback %s\n", apply.FirstID(r.Report.ID))
	default:
		fmt.Fprintf(s.c.out, "\nOwners are listed in %s/%s.\nOn the machine itself, later: mailsetup init --yes\n",
			strings.TrimRight(s.o.root, "/"), strings.TrimLeft(string(system.ManifestPath), "/"))
	}
	return found
}

// mostNotes is how many notes on one topic are printed.
const mostNotes = 20

// notes prints what is left for the human. Records to paste stand at the
// margin: in a zone file, leading white space would mean the name above.
func (s *session) notes(notes []state.Note) {
	notes = plan.LimitPerTopic(slices.DeleteFunc(slices.Clone(notes), func(n state.Note) bool { return n.Informational }), mostNotes)
	if len(notes) == 0 {
		return
	}
	fmt.Fprintln(s.c.out, "\nLeft for you:")
	plan.WriteNotes(s.c.out, plan.Typed(notes, s.c.typed()))
}
