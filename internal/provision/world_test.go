package provision_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps/step"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// world is a machine in memory, what is known of it, and the person in front of it.
type world struct {
	*systemtest.Mem
	t       *testing.T
	machine *machine.Machine
	options provision.Options
	ledger  keyring.Ledger
	record  plan.FileHashes
	facts   state.Facts // of the machine as it is
	person

	delegation    []string // name servers of every domain, nil if that is not known
	milters       []state.Milter
	recipients    map[string]state.Recipient
	recipientsErr error
	seen          map[string]time.Time
	gathered      int // how often the machine was looked at again
	zonesErr      error

	p *provision.Provisioner
}

// newWorld returns a machine on which nothing is installed; root is "" or the
// directory that the machine is.
func newWorld(t *testing.T, root string) *world {
	t.Helper()
	w := &world{
		Mem: systemtest.NewMem(), t: t, ledger: keyring.Ledger{}, record: plan.FileHashes{},
		options: provision.Options{Install: true, MakeKeys: true, Interactive: true},
		facts:   state.Facts{Release: state.Release{ID: "debian", Version: "13"}, Files: map[state.Path][]byte{}},
	}
	w.PutFile("/etc/os-release", "ID=debian\nVERSION_ID=\"13\"\n")
	w.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	w.person.answers = map[string]bool{}
	w.machine = machine.New(w.Mem, nil, machine.Options{Root: root, Command: "init", Clock: func() time.Time { return november }})
	w.p = &provision.Provisioner{
		Machine: w.machine, UI: &w.person, Facts: w,
		Selectors: func(l keyring.Ledger, zones []state.Zone) dkimkeys.Selectors {
			return dkimkeys.Selectors{Ledger: l, Files: w.Mem, Zones: zones, Now: november, Seen: func(string) map[string]time.Time { return w.seen }, Random: func(n int) string { return strings.Repeat("x", n) }}
		},
	}
	return w
}

// lab is the spec of a host with its first domain.
func lab(t *testing.T) spec.Spec {
	t.Helper()
	sp, findings := spec.Answers{Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"}, KeyBits: "1024"}.Spec(nil, november)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return sp
}

// request asks for a spec, by the steps that are given; all without any.
func (w *world) request(sp spec.Spec, list ...step.Step) provision.Request {
	return provision.Request{
		Want: sp, Facts: w.facts, Hashes: w.record, Steps: list, Keys: provision.KeyPlan{Ledger: w.ledger}, Advice: true,
	}
}

// plan plans a request with the options of the world.
func (w *world) plan(r provision.Request) (*provision.Draft, error) {
	w.p.Options = w.options
	return w.p.Plan(w.t.Context(), r)
}

// run carries a request out to its end.
func (w *world) run(r provision.Request) (provision.Result, error) {
	d, err := w.plan(r)
	if err != nil {
		return provision.Result{}, err
	}
	if err := w.p.Confirm(w.t.Context(), d); err != nil {
		return provision.Result{}, err
	}
	return w.p.Run(w.t.Context(), d)
}

func (w *world) content(p state.Path) string {
	o, _ := w.Read(p)
	return string(o.Content)
}

// Gather implements provision.Facts.
func (w *world) Gather(_ context.Context, r *provision.Request) error {
	w.gathered++
	r.Facts = w.facts
	return nil
}

// Zones implements provision.Facts.
func (w *world) Zones(context.Context, provision.Request, *step.Input) error { return w.zonesErr }

// Recipients implements provision.Facts.
func (w *world) Recipients(context.Context, provision.Request, step.Input) (map[string]state.Recipient, error) {
	return w.recipients, w.recipientsErr
}

// Milters implements provision.Facts.
func (w *world) Milters(context.Context, provision.Request, step.Input) ([]state.Milter, bool) {
	return w.milters, w.milters != nil
}

// Delegation implements provision.Facts.
func (w *world) Delegation(context.Context, string) ([]string, bool) {
	return w.delegation, w.delegation != nil
}

// SaveFingerprints implements provision.Facts.
func (w *world) SaveFingerprints(in step.Input) error {
	return store.New(w).SaveFingerprints(in, nil)
}

// person answers questions by a script.
type person struct {
	answers map[string]bool // to questions, by ID, and to confirmations, by their words
	leaves  error           // what asking ends with: nobody is there, or Ctrl-C
	asked   []string        // IDs and words, in order
	intro   []string        // what introduced questions
	said    bytes.Buffer
	shown   []plan.Plan
	applied []string
	onHold  func()
}

// ShowPlan implements provision.UI.
func (p *person) ShowPlan(shown plan.Plan) { p.shown = append(p.shown, shown) }

// ConfirmPlan implements provision.UI: whoever said nothing agrees.
func (p *person) ConfirmPlan(_ context.Context, _ plan.Plan, question string) (bool, error) {
	p.asked = append(p.asked, question)
	answer, scripted := p.answers[question]
	return answer || !scripted, p.leaves
}

// AskConsents implements provision.UI.
func (p *person) AskConsents(_ context.Context, questions []state.Question, introduction string) ([]bool, error) {
	if introduction != "" {
		p.intro = append(p.intro, introduction)
	}
	var list []bool
	for _, q := range questions {
		p.asked = append(p.asked, q.ID)
		list = append(list, p.answers[q.ID])
		if !p.answers[q.ID] && q.Declined == "" {
			break
		}
	}
	return list, p.leaves
}

// AskKeep implements provision.UI.
func (p *person) AskKeep(_ context.Context, q state.Question) (bool, error) {
	p.asked = append(p.asked, "keep "+q.ID)
	return p.answers["keep "+q.ID], p.leaves
}

// ShowQuestions implements provision.UI.
func (p *person) ShowQuestions(questions []state.Question) {
	for _, q := range questions {
		p.Logf("question %s", q.ID)
	}
}

// Logf implements provision.UI.
func (p *person) Logf(format string, a ...any) { fmt.Fprintf(&p.said, format+"\n", a...) }

// StartBar implements provision.UI.
func (p *person) StartBar(what string, total int) (step, end func()) {
	done := 0
	return func() { done++ }, func() { p.Logf("%s: %d of %d", what, done, total) }
}

// Applied implements provision.UI.
func (p *person) Applied(what string) { p.applied = append(p.applied, what) }

// Hold implements provision.UI.
func (p *person) Hold() (release func()) {
	if p.onHold != nil {
		p.onHold()
	}
	return func() {}
}

// says fails the test unless all texts were said.
func (w *world) says(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		if !strings.Contains(w.said.String(), text) {
			w.t.Errorf("nothing of %q in\n%s", text, &w.said)
		}
	}
}

// errIs is an error of a test's own.
var errBroken = errors.New("broken")

// files is a step that writes files, and nothing else.
func files(content string, paths ...state.Path) step.Step {
	return step.Step{Name: "Files", Build: func(step.Input) (state.Stage, []state.Note, error) {
		var stage state.Stage
		for _, p := range paths {
			stage.Files = append(stage.Files, state.File{Path: p, Mode: 0o644, Owner: state.Root, Content: []byte(content)})
		}
		return stage, nil, nil
	}}
}

// nothing is a step that changes nothing.
var nothing = step.Step{Name: "Nothing", Build: func(step.Input) (state.Stage, []state.Note, error) { return state.Stage{}, nil, nil }}
