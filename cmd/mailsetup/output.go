package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/adopt"
	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps"
)

// showPlan prints the whole plan, with every difference. What is left for the
// human comes at the end of the run, and here as well if it may help to decide.
func (s *session) showPlan(p plan.Plan) {
	decides := s.o.dryRun || s.asks() && s.o.root == ""
	p.Notes = plan.Few(slices.DeleteFunc(oneLiners(p.Notes), func(n state.Note) bool { return !n.Passing && !decides }), mostNotes)
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

// nothingToDo is the end of a run that found everything in place. Files say
// nothing about a daemon that was stopped since, or of what becomes of mail.
func (s *session) nothingToDo(ctx context.Context, w *work, p plan.Plan) error {
	proven := ""
	if s.Image == nil {
		err := s.hostProbes(ctx, w)
		if err == nil {
			proven, _, err = s.wholeWay(ctx, w, p.Notes)
		}
		if err != nil {
			return err
		}
	}
	s.settledNow(w.input)
	if s.o.json {
		return s.printResult(result{Notes: p.Notes, Proven: proven})
	}
	fmt.Fprintf(s.c.out, "Nothing to do: this %s is as you asked for.\n", s.Kind())
	if proven != "" {
		fmt.Fprintln(s.c.out, fold(proven, 78))
	}
	s.notes(p.Notes)
	return nil
}

// done is the short summary at the end: what was done, what is left for the
// human, what to type next.
func (s *session) done(ctx context.Context, w *work, p plan.Plan, r apply.Report) error {
	if err := s.SaveOwners(); err != nil {
		return err
	}
	s.settledNow(w.input)
	s.applied = r
	switch {
	case s.observed:
		return nil
	case s.keyPlan != nil && s.o.json: // all of the run in the end
		s.left = append(s.left, slices.DeleteFunc(slices.Clone(p.Notes), func(n state.Note) bool { return n.Passing })...)
		return nil
	}
	var found error
	proven := ""
	if !s.o.json {
		fmt.Fprintf(s.c.out, "\n%s\n", fold(r.String(), 78))
	}
	if s.Image == nil {
		proven, found = s.verdict(ctx, w, p)
	}
	if s.o.json {
		return cmp.Or(s.printResult(result{
			Changed: true, ID: r.ID, Paths: paths(p), Notes: p.Notes, Adopted: s.taken.Data(), Proven: proven,
		}), found)
	}
	if proven != "" {
		fmt.Fprintln(s.c.out, fold(proven, 78))
	}
	s.notes(p.Notes)
	if s.Image == nil {
		fmt.Fprintf(s.c.out, "\nTo take it back: mailsetup rollback %s\n", apply.FirstID(r.ID))
	} else {
		fmt.Fprintf(s.c.out, "\nOwners are listed in %s/%s.\nOn the machine itself, later: mailsetup init --yes\n",
			strings.TrimRight(s.o.root, "/"), strings.TrimLeft(string(system.ManifestPath), "/"))
	}
	return found
}

// verdict says what was proven of the mail that leaves. A run that did not act on
// the signer has not asked it yet. One about the turns of keys has asked it about
// each, and sends no message.
func (s *session) verdict(ctx context.Context, w *work, p plan.Plan) (proven string, found error) {
	if !w.input.Spec.Signs() {
		return "Mail of this server is left to the signer that was here before.", nil
	}
	if s.keyPlan == nil { // a unit that somebody stopped is why, and no other check says so
		for _, h := range steps.Halted(w.input) {
			if !actsOn(p, h.Unit) {
				return "", s.staysBut(fail(h.Do, "%s", h.Text))
			}
		}
	}
	if !asksSigner(p) {
		if err := s.signs(ctx, w); err != nil {
			return "", s.staysBut(err)
		}
	}
	if s.keyPlan != nil {
		return signerAsked, nil
	}
	proven, whole, err := s.wholeWay(ctx, w, p.Notes)
	switch {
	case ctx.Err() != nil:
		return "", nil // interrupted when all was done
	case err != nil:
		return "", s.staysBut(err)
	case whole:
		apart := ""
		others := slices.ContainsFunc(w.input.Spec.Domains, func(d spec.Domain) bool { return d.SignedBy != "" })
		if h := w.input.Spec.Host; len(h.LeaveServices) > 0 || h.SignBounces == "no" || others {
			apart = ", apart from what you left out"
		}
		proven = "Mail of this server leaves signed" + apart + ". " + proven
	}
	return proven, nil
}

// staysBut tells of a check that failed after everything was done. A rotation has
// proven its keys itself.
func (s *session) staysBut(err error) error {
	s.c.say("all of this stays, but %s", harmless(err))
	s.c.hints(hint.Of(err))
	if s.keyPlan != nil {
		return nil
	}
	return errProblemsFound
}

// actsOn reports whether a plan reloads or starts a unit: what was down is up then.
func actsOn(p plan.Plan, unit string) bool {
	return slices.ContainsFunc(p.Stages, func(st plan.StageChanges) bool {
		return slices.ContainsFunc(st.Units, func(u state.Unit) bool { return u.Name == unit && !u.Action.AtBoot() })
	})
}

func asksSigner(p plan.Plan) bool {
	for _, st := range p.Stages {
		for _, u := range st.Units {
			if slices.ContainsFunc(u.Settled, func(q state.Probe) bool { return q.Kind == state.ProbeSigns }) {
				return true
			}
		}
	}
	return false
}

// signs asks the running signer for a signature of the host's own mail.
func (s *session) signs(ctx context.Context, w *work) error {
	if s.o.root != "" {
		return nil
	}
	proof, ok := steps.Proof(w.input)
	if !ok {
		return nil
	}
	if err := s.Sys.Probe(ctx, proof); err != nil {
		return cmp.Or(ctx.Err(), fail("systemctl start opendkim if it is down; journalctl -u opendkim -n 20 says why it does not sign",
			"mail does not leave signed, although the files are as they should be: %w", err))
	}
	return nil
}

// mostNotes is how many notes on one topic are printed.
const mostNotes = 20

// notes prints what is left for the human. Records to paste stand at the
// margin: in a zone file, leading white space would mean the name above.
func (s *session) notes(notes []state.Note) {
	notes = plan.Few(slices.DeleteFunc(slices.Clone(notes), func(n state.Note) bool { return n.Passing }), mostNotes)
	if len(notes) == 0 {
		return
	}
	s.left = append(s.left, notes...)
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
