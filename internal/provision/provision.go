package provision

import (
	"context"
	"errors"
	"io"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// Request is what a run should make true. The zero values of its switches are
// those of a run about the whole host, as init is.
//
// A rotation sets Steps to those that its transitions need, Keys to what becomes of
// the keys, KeysOnly, OnDrift: RefuseDrift and Proof: ProveSigner, leaves Advice
// out, and sets Quiet for a round that only records what DNS has. To put a lost
// record back is the same with empty Keys.
type Request struct {
	Want spec.Spec
	Have *spec.Spec // the spec of earlier runs, nil for the first one

	// Touched are the domains that the run is about, nil for all, and Settled those
	// that are as an earlier run left them. Both become a Scope.
	Touched, Settled map[string]bool
	Removed          []spec.Domain // that the run takes out of the spec, as they were

	Facts  state.Facts
	Record plan.Record // hashes of what earlier runs wrote

	Steps []steps.Step // nil: all
	Keys  KeyPlan
	Notes []state.Note // added to those of the steps

	// KeysOnly: nothing but keys and their records may change. No domain gets its
	// first key, and neither other milters nor Postfix are asked what they do.
	KeysOnly bool
	// Quiet: there is nothing to show or to confirm.
	Quiet bool
	// Advice adds the notes about what could be better (steps.Advice).
	Advice  bool
	OnDrift OnDrift
	Proof   Proof
}

// KeyPlan is what becomes of DKIM keys in a run. With the zero values of all but
// Ledger, a domain without a key that signs gets one.
type KeyPlan struct {
	Ledger keyring.Ledger // as it is now
	OnDisk keyring.Ledger // the part of it whose files need not be written again

	// After is the ledger as the run leaves it, but for keys that it makes or
	// withdraws, and During what is written down until that is proven; nil: Ledger.
	During, After keyring.Ledger
	// Successors are the domains that get a second key. One that was made for a run
	// that was undone serves the next run of the same Provisioner.
	Successors []string
	// Withdraw are keys whose record and private key go: selectors, by domain.
	Withdraw map[string][]string
	// Replaced are domains whose private key may be missing: another one takes its
	// place.
	Replaced map[string]bool

	// Permissions are private keys that were here before mailsetup, as OpenDKIM wants
	// them, and Copies the texts of those of which OpenDKIM gets a copy, by its file.
	Permissions []state.Meta
	Copies      map[state.Path][]byte
}

// OnDrift says what a run does about a file of mailsetup's that somebody edited.
type OnDrift int

// What to do about drift.
const (
	ShowDrift   OnDrift = iota // show the difference, and refuse
	RefuseDrift                // refuse: runs about other domains may go on
)

// Proof is what a run proves once all is done.
type Proof int

// What to prove.
const (
	// ProveDelivery: every unit runs, the signer signs, and a message goes all the
	// way through Postfix. What fails is Result.Problem.
	ProveDelivery Proof = iota
	// ProveSigner: the signer signs, where no stage of the run has asked it.
	ProveSigner
)

// Options are the flags that say how a run works.
type Options struct {
	Command        string
	DryRun         bool
	Install        bool // missing packages, and not an error
	OverwriteDrift bool
	MakeKeys       bool                        // false below --root without --root-keys
	Consents       map[state.QuestionKind]bool // given or refused by flags
	Interactive    bool                        // a person can be asked
}

// UI is the person in front of a run, or the flags that stand for one.
type UI interface {
	// ShowPlan prints a plan with every difference.
	ShowPlan(p plan.Plan)
	// ConfirmPlan asks for the word that carries a plan out. The error says why
	// nobody can be asked.
	ConfirmPlan(ctx context.Context, p plan.Plan, question string) (bool, error)
	// AskConsents asks each question by itself, in order, below a sentence that
	// introduces them ("" for none). It stops after a no to one that cannot be
	// declined.
	AskConsents(ctx context.Context, questions []state.Question, introduction string) ([]bool, error)
	// AskKeep asks whether a run goes on and leaves alone what a step refused.
	AskKeep(ctx context.Context, refusal *steps.Refusal) (bool, error)
	// ShowQuestions prints questions that nobody is there to answer.
	ShowQuestions(questions []state.Question)

	// Logf says in a line what is happening.
	Logf(format string, a ...any)
	// Progress tells of an event of apply.
	Progress(e apply.Event)
	// StartBar begins to count work of many steps.
	StartBar(what string, total int) (step, end func())
	// PackageLog takes what apt and dpkg print.
	PackageLog() io.Writer
	// Applied tells what was done, before it is proven.
	Applied(r apply.Report)
	// Hold keeps the process from being stopped while it changes something.
	Hold() (release func())
}

// Draft is a request with its plan. Nothing is changed yet.
type Draft struct {
	Request
	// Plan has placeholders for keys that are not made yet.
	Plan plan.Plan
	// Input is what the steps made the plan from: with the answers of the person,
	// whose memory goes into the spec.
	Input steps.Input
}

// Result is what a run did.
type Result struct {
	Report    apply.Report // the zero value if there was nothing to do
	Plan      plan.Plan    // that was applied
	Notes     []state.Note // what is left for the administrator
	Proven    string       // what was proven of the mail that leaves, "" for nothing
	Problem   error        // why it was not, although everything is done
	Installed []string     // packages
}

// FatalError is an error after which no other run may be tried: the machine is
// not as it was found.
type FatalError struct{ Err error }

// Error implements error.
func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *FatalError) Unwrap() error { return e.Err }

// Provisioner carries requests out on one machine.
type Provisioner struct {
	Options Options
	UI      UI
}

// Plan works out what a request needs, with an answer of its own to every change
// of what is the administrator's. It touches nothing. A *state.Trouble in the
// error names the domains that are in the way of others.
func (p *Provisioner) Plan(ctx context.Context, r Request) (*Draft, error) {
	return nil, errors.ErrUnsupported
}

// Confirm shows the plan and asks for the word, unless the request is quiet.
func (p *Provisioner) Confirm(ctx context.Context, d *Draft) error {
	return errors.ErrUnsupported
}

// Run installs the packages of a confirmed draft, makes its keys, applies its plan
// and proves that mail leaves signed. An empty plan is proven only. After an error
// the machine is as it was, but for packages; errors after that are fatal.
func (p *Provisioner) Run(ctx context.Context, d *Draft) (Result, error) {
	return Result{}, errors.ErrUnsupported
}
