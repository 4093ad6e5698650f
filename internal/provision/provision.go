// Package provision carries a spec out: plan, consents, confirmation, packages,
// keys, apply, proof.
package provision

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"

	"mailsetup/internal/apply"
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/standby"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/steps/step"
)

// Request is what a run should make true. The zero values of its switches are
// those of a run about the whole host, as init is.
//
// A rotation sets Steps to those that its transitions need, Keys to what becomes of
// the keys, KeysOnly, OnDrift: RefuseDrift and Proof: ProveSigner, leaves Advice
// out, and sets Quiet for a round that only records what DNS has. To put a lost
// record back is the same with empty Keys.
type Request struct {
	Want    spec.Spec
	Have    *spec.Spec // the spec of earlier runs, nil for the first one
	Scope   step.Scope
	Removed []spec.Domain // that the run takes out of the spec, as they were
	Given   *store.Given  // the files of Want, which take the place of those that are there; nil: they are edited

	Facts  state.Facts
	Hashes plan.FileHashes // hashes of what earlier runs wrote

	Steps []step.Step // nil: all
	Keys  KeyPlan
	Notes []state.Note // added to those of the steps

	// Command is what to type to be asked the last question again, where a person
	// answered others: the flags for that are not on the command line.
	Command []string

	// KeysOnly: nothing but keys and their records may change. No domain gets its
	// first key, and neither other milters nor Postfix are asked what they do.
	KeysOnly bool
	// Quiet: there is nothing to show or to confirm, and nothing to prove.
	Quiet bool
	// Advice adds the notes about what could be better (steps.Advice).
	Advice  bool
	OnDrift OnDrift
	Proof   Proof
}

// OnDrift says what a run does about a file of mailsetup's that was edited.
type OnDrift int

// What to do about drift.
const (
	ShowDrift   OnDrift = iota // show the difference, and refuse
	RefuseDrift                // refuse: runs about other domains may go on
)

// Proof is what a run proves at its end.
type Proof int

// What to prove.
const (
	// ProveDelivery: every unit runs, the signer signs, and a message goes all the
	// way through Postfix. What fails is Result.Problem.
	ProveDelivery Proof = iota
	// ProveSigner: the signer signs, where no stage of the run has asked it.
	ProveSigner
)

// Options are the flags of a run.
type Options struct {
	DryRun         bool
	Install        bool // missing packages, and not an error
	OverwriteDrift bool
	MakeKeys       bool                        // false below --root without --root-keys
	Consents       map[state.QuestionKind]bool // given or refused by flags
	Interactive    bool                        // a person can be asked
	SkipUnreadable bool                        // go on without domains whose files are wrong, see store.Earlier
	Strict         bool                        // a dry run is refused what the run would be
}

// UI is the person in front of a run, or the flags that stand for one.
type UI interface {
	// ShowPlan prints a plan, as far as nobody is asked about it.
	ShowPlan(p plan.Plan)
	// ConfirmPlan shows the plan and asks for the word that carries it out. The error
	// says why nobody can be asked.
	ConfirmPlan(ctx context.Context, p plan.Plan, question string) (bool, error)
	// AskConsents asks each question by itself, in order, below a sentence that
	// introduces them ("" for none). It stops after a no to one that cannot be
	// declined.
	AskConsents(ctx context.Context, questions []state.Question, introduction string) ([]bool, error)
	// AskKeep asks whether a run goes on and leaves alone what a step refused.
	AskKeep(ctx context.Context, refused state.Question) (bool, error)
	// ShowQuestions prints questions that nobody is there to answer.
	ShowQuestions(questions []state.Question)

	// Logf says in a line what is happening.
	Logf(format string, a ...any)
	// StartBar begins to count work of many steps.
	StartBar(what string, total int) (step, end func())
	// Applied tells what was done, before it is proven.
	Applied(what string)
	// Hold keeps the process from being stopped while it changes something.
	Hold() (release func())
}

// Facts gathers facts for a run. For an input with KeysOnly, and for a directory, most
// of it is not needed and skipped.
type Facts interface {
	// Gather looks at the machine again, and at DNS for the names of a request, which
	// gets what was found.
	Gather(ctx context.Context, r *Request) error
	// Zones adds to the facts of an input what only its records show: the zones that
	// take dynamic updates, and what wildcards of zones elsewhere answer.
	Zones(ctx context.Context, r Request, in *step.Input) error
	// Recipients returns what Postfix does with mail for the addresses of an input,
	// and an error if nobody has one of them and that was not so before.
	Recipients(ctx context.Context, r Request, in step.Input) (map[string]state.Recipient, error)
	// Milters returns the other milters of Postfix with what they sign, and false if
	// nobody asked them.
	Milters(ctx context.Context, r Request, in step.Input) ([]state.Milter, bool)
	// Delegation returns the name servers of a domain, and false if it could not be
	// found out.
	Delegation(ctx context.Context, domain string) ([]string, bool)
	// SaveFingerprints remembers the domains of an input as the run leaves them, so that
	// those that stay so are skipped.
	SaveFingerprints(in step.Input) error
}

// Provisioner carries out requests on one machine.
type Provisioner struct {
	Machine   *machine.Machine
	Earlier   store.Earlier // what earlier runs left
	Options   Options
	UI        UI
	Facts     Facts
	Selectors func(keyring.Ledger, []state.Zone) dkimkeys.Selectors
	// Brought is what runs put in place that was made elsewhere: a backup.
	Brought Brought

	// pairs are keys that were made for a run that was undone, by domain.
	pairs map[string]dkimkeys.Pair
}

// FatalError is an error after which no other run may be tried: the machine is not as
// it was.
type FatalError struct{ Err error }

// Error implements error.
func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *FatalError) Unwrap() error { return e.Err }

// Result is what a run did.
type Result struct {
	Report  apply.Report // the zero value if there was nothing to do
	Paths   []state.Path // that the plan changed, once each
	Notes   []state.Note // what is left for the administrator
	Proven  string       // what was proven of the mail that leaves, "" for nothing
	Problem error        // why it was not, although everything is done

	Machine    string // what messages call the machine, see machine.Kind
	OwnersFile string // of a directory: where the owners of its files are listed
	SetUp      bool   // domains are set up after it
}

// Changed reports whether the run changed the machine.
func (r Result) Changed() bool { return r.Report.ID != "" }

// Next says what to type after a run that changed something, "" after another one.
func (r Result) Next() string {
	switch {
	case !r.Changed():
		return ""
	case r.OwnersFile == "":
		return fmt.Sprintf("\nTo take it back: mailsetup rollback %s\n", r.TakeBackID())
	case !r.SetUp:
		return fmt.Sprintf("\nOwners are listed in %s.\n", r.OwnersFile)
	}
	return fmt.Sprintf("\nOwners are listed in %s.\nOn the machine itself, later: mailsetup init --yes\n", r.OwnersFile)
}

// TakeBackID is the ID with which a rollback takes back what the command did.
func (r Result) TakeBackID() string { return apply.FirstID(r.Report.ID) }

// isDirectory reports whether the machine is a directory: nothing runs there.
func (p *Provisioner) isDirectory() bool { return p.Machine.Root != "" }

// Plan makes the plan of a request, with an answer to every change of something of the
// administrator's. It changes nothing. A state.DomainErrors in the error names domains
// without which the plan may succeed.
func (p *Provisioner) Plan(ctx context.Context, r Request) (*Draft, error) {
	d, err := p.newDraft(ctx, r)
	if err != nil {
		return nil, err
	}
	if !p.Options.DryRun && d.Keys.Until.IsZero() {
		d.ahead = makeAhead(ctx, d.pairs)
	}
	if err := p.checkNewZones(ctx, d); err != nil {
		return nil, err
	}
	if err := p.checkStopped(d, true); err != nil {
		return nil, err
	}
	if err := checkGreeting(ctx, p.Machine, d); err != nil {
		return nil, err
	}
	if err := p.planWithConsents(ctx, d); err != nil {
		return nil, err
	}
	if d.Plan.Empty() {
		return d, p.checkStopped(d, false)
	}
	if err := refuseSuspended(ctx, p.Machine, d); err != nil {
		return nil, err
	}
	return d, checkFiles(ctx, p.Machine, d)
}

// Confirm shows the plan and asks for confirmation, unless the request is quiet.
func (p *Provisioner) Confirm(ctx context.Context, d *Draft) error {
	if d.Quiet {
		return nil
	}
	p.UI.ShowPlan(d.Plan)
	return p.confirm(ctx, d, "Do this?")
}

func (p *Provisioner) confirm(ctx context.Context, d *Draft, question string) error {
	switch yes, err := p.UI.ConfirmPlan(ctx, d.Plan, question); {
	case err == nil && !yes:
		return d.notConfirmed()
	case err != nil && d.Command != nil && len(hint.Of(err)) == 0: // interrupted
		return &hint.Error{Err: err, Lines: []string{d.again()}}
	default:
		return err
	}
}

// Run installs the packages of a confirmed draft, makes its keys, applies its plan and
// proves that mail leaves signed. An empty plan is only proven. After an error the
// machine is as it was, but for packages; otherwise the error is fatal.
func (p *Provisioner) Run(ctx context.Context, d *Draft) (Result, error) {
	var res Result
	var err error
	if d.Plan.Empty() {
		res, err = p.verify(ctx, d)
	} else if err = p.install(ctx, d); err == nil {
		res, err = p.apply(ctx, d)
	}
	if err != nil && len(d.installed) > 0 {
		p.UI.Logf("installed and left in place: %s", strings.Join(d.installed, ", "))
		if mta := standby.Of(d.installed); mta != "" {
			p.UI.Logf("%s is not started before it signs: mail waits until the command succeeds, or until systemctl start %s", mta, standby.Service(mta))
		}
	}
	res.SetUp = len(d.Want.Domains) > 0
	if res.Machine = p.Machine.Kind(); p.isDirectory() {
		res.OwnersFile = p.Machine.OwnersFile()
	}
	return res, err
}

// apply makes the keys and applies the plan that was confirmed.
func (p *Provisioner) apply(ctx context.Context, d *Draft) (Result, error) {
	defer p.UI.Hold()()
	if err := p.makeKeys(ctx, d); err != nil {
		return Result{}, err
	}
	m := p.Machine
	report, err := Apply(ctx, m, d.Plan, m.ApplyOptions())
	if err != nil {
		return Result{}, err
	}
	res := Result{Report: report, Paths: d.Plan.Paths(), Notes: d.Plan.Notes}
	d.Plan.Forget()
	if err := m.SaveOwners(); err != nil {
		return res, &FatalError{err}
	}
	for _, pair := range d.pairs { // no other attempt needs them
		delete(p.pairs, pair.Domain)
	}
	var saved error // the proof mostly waits for daemons
	var saving sync.WaitGroup
	saving.Go(func() { saved = p.saveFingerprints(d) })
	if !d.Quiet {
		p.UI.Applied(report.String())
		if !p.isDirectory() {
			res.Proven, res.Problem = p.prove(ctx, d)
		}
	}
	saving.Wait()
	sayUnsaved(p.UI, saved)
	return res, nil
}

// makeKeys makes every key that the confirmed plan announced, once, and plans again. It
// writes nothing.
func (p *Provisioner) makeKeys(ctx context.Context, d *Draft) error {
	if len(d.pairs) == 0 {
		return nil
	}
	pending := dkimkeys.Pending(d.pairs)
	switch len(pending) {
	case 0:
	case 1:
		one := d.pairs[pending[0]]
		p.UI.Logf("making a key of %d bits for %s", one.Key.Bits, one.Domain)
	default:
		p.UI.Logf("making %d keys, on all processors", len(pending))
	}
	step, end := p.UI.StartBar("keys made", len(pending))
	within, cancel := ctx, func() {}
	if !d.Keys.Until.IsZero() {
		within, cancel = context.WithDeadline(ctx, d.Keys.Until)
	}
	d.ahead.take(within, d.pairs, step)
	err := dkimkeys.Generate(within, d.pairs, step)
	cancel()
	end()
	p.keep(d.pairs)
	if err != nil {
		return cmp.Or(ctx.Err(), unmade(d.pairs, err))
	}
	dkimkeys.AddPairs(&d.Input, d.pairs)
	made := make([]dkimkeys.Pair, 0, len(pending)) // not those of an attempt before, which the confirmed plan has
	for _, i := range pending {
		made = append(made, d.pairs[i])
	}
	confirmed := d.Plan
	if d.Plan, err = p.makePlan(ctx, d); err != nil {
		return err
	}
	if diff := Differences(confirmed, d.Plan, made); len(diff) > 0 {
		return hint.New("run the command again", "the machine changed while the plan was on the screen: %s", diff[0])
	}
	return nil
}

// saveFingerprints saves the fingerprints of the domains after a run. If that fails,
// the next run only takes longer. A run with some of the steps knows too little.
func (p *Provisioner) saveFingerprints(d *Draft) error {
	if p.isDirectory() || d.Steps != nil {
		return nil
	}
	return p.Facts.SaveFingerprints(d.Input)
}

func sayUnsaved(ui UI, err error) {
	if err != nil {
		ui.Logf("the next run will look at all domains again: %v", err)
	}
}

// keep keeps pairs for another attempt.
func (p *Provisioner) keep(pairs []dkimkeys.Pair) {
	if p.pairs == nil {
		p.pairs = map[string]dkimkeys.Pair{}
	}
	for _, pair := range pairs {
		p.pairs[pair.Domain] = pair
	}
}

// exists reports whether a path exists.
func exists(files system.Reader, path state.Path) bool {
	o, err := files.Read(path)
	return err == nil && o.Kind != state.Absent
}

// readFacts adds the facts to an input that depend on its spec and its keys.
func (p *Provisioner) readFacts(ctx context.Context, d *Draft) (err error) {
	if err := p.Facts.Zones(ctx, d.Request, &d.Input); err != nil {
		return err
	}
	d.Input.Facts.Recipients, err = p.Facts.Recipients(ctx, d.Request, d.Input)
	return err
}
