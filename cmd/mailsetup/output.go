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
	p.Notes = plan.LimitPerTopic(slices.DeleteFunc(oneLiners(p.Notes), func(n state.Note) bool { return !n.Passing && !decides }), mostNotes)
	_ = p.Text(s.c.out, plan.TextOptions{Color: s.c.color, Diff: true})
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
			data.Paths, data.Adopted = paths(r.Plan), s.taken.Data()
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
	notes = plan.LimitPerTopic(slices.DeleteFunc(slices.Clone(notes), func(n state.Note) bool { return n.Passing }), mostNotes)
	if len(notes) == 0 {
		return
	}
	fmt.Fprintln(s.c.out, "\nLeft for you:")
	plan.WriteNotes(s.c.out, notes)
}

// oneLiners are the notes that a plan on the screen can hold; records to paste
// come at the end of the run.
func oneLiners(notes []state.Note) []state.Note {
	return slices.DeleteFunc(slices.Clone(notes), func(n state.Note) bool { return strings.Contains(n.Do, "\n") })
}

// progress tells what is happening while it takes time.
func (s *session) progress(e apply.Event) {
	switch e.Kind {
	case apply.UnitBegins:
		if e.Stage == "" { // while everything is put back
			e.Stage = "back"
		}
		s.c.say("%s: %s %s", e.Stage, e.Action, e.Unit)
		s.zonesAsked = 0
	case apply.ProbeWaits:
		s.waits(e.Stage, e.Probe)
	case apply.UpdateBegins:
		s.c.say("%s: update %s on %s", e.Stage, strings.TrimSuffix(e.Update.Origin, "."), e.Update.Server)
	case apply.UndoBegins:
		s.c.say("putting everything back")
	}
}

// waits tells of a probe; of those that ask about one zone each, the first.
func (s *session) waits(stage string, p state.Probe) {
	const most = 3
	if p.Kind == state.ProbeServed {
		s.zonesAsked++
	}
	switch {
	case p.Kind != state.ProbeServed || s.zonesAsked <= most:
		s.c.say("%s: %s", stage, asked(p))
	case s.zonesAsked == most+1:
		s.c.say("%s: and the other zones", stage)
	}
}

// asked says what a probe wants to know.
func asked(p state.Probe) string {
	switch p.Kind {
	case state.ProbeActive:
		return "is " + p.Unit + " up, and does it stay up"
	case state.ProbeMilter:
		return "does the signer answer"
	case state.ProbeSigns:
		if n := len(p.Signers); n > few { // some 200 a second
			return fmt.Sprintf("does a message of each of %d senders come out signed", n)
		}
		return "does a message come out signed"
	case state.ProbeOther:
		return "does the other signer sign again"
	case state.ProbeUnsigned:
		return "has the other signer stopped"
	case state.ProbeSMTP:
		return "does Postfix take mail"
	case state.ProbeSessions:
		return "have the mail sessions ended that began before (a client may hold one for five minutes)"
	case state.ProbePostfix:
		return "does Postfix run"
	case state.ProbeServed:
		return "does the name server serve " + strings.TrimSuffix(p.Origin, ".")
	case state.ProbeRecipients:
		if p.Deliver != "" {
			return "would Postfix deliver mail for " + p.Deliver + ", by its own word"
		}
		return "does Postfix take mail for " + strings.Join(p.Recipients, ", ")
	}
	return string(p.Kind)
}

// paths are what a plan touches, in order and once each.
func paths(p plan.Plan) []state.Path {
	var all []state.Path
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			all = append(all, c.Path)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
