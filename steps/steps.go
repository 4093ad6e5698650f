// Package steps turns what the administrator wants and what was found on the
// machine into the desired state. Everything here is a pure function.
package steps

import (
	"fmt"
	"slices"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/steps/step"
)

// Step provides one stage of the desired state.
type Step struct {
	Name  string
	About string
	Build func(Input) (state.Stage, []state.Note, error)
	// Host: about the host alone, and left out of runs that are about some of
	// its domains.
	Host bool
}

// Input is everything a step may look at.
type Input struct {
	Spec  spec.Spec
	Facts state.Facts
	Keys  keyring.Ledger
	// Written are the keys as the files of the ledger have them, where that is
	// known: a file that says the right thing is not made again.
	Written keyring.Ledger
	// NewKeys are the PEM texts of private keys made by this run, by file; a
	// placeholder while the run is not yet confirmed.
	NewKeys map[state.Path][]byte
	// Documents are the texts of the TOML files as they should be on disk.
	Documents map[state.Path][]byte
	// Scope says which domains this run is about.
	Scope step.Scope
	// Removed are domains that this run takes out of the spec, as they were.
	Removed []spec.Domain
	// Retire are keys whose record and private key go in this run, once nothing
	// signs with them: selectors, by domain.
	Retire map[string][]string
	// Unsafe are private keys that were there before, as OpenDKIM wants them: it
	// could not read them, or refuse what others can read.
	Unsafe []state.Meta
	// Copies are the PEM texts of private keys that were there before, by the file
	// in which opendkim finds them from now on.
	Copies map[state.Path][]byte
	// Early is what the ledger says of domains until the new tables are proven,
	// where that is something else than Keys: a key that begins to sign in this
	// run does not do so before.
	Early keyring.Ledger
	// Milters are those that Postfix asks beside ours, and content filters, with
	// what they were found to sign; MiltersAsked is false where nobody looked.
	Milters      []state.Milter
	MiltersAsked bool
	// Consents are the questions that were answered with yes, by ID.
	Consents map[string]bool
	Now      time.Time
	// Rendered, if not nil, has the tables of an earlier plan of the run.
	Rendered *Rendered

	publishes bool // the step that publishes records is one of this run's
	// keysOnly: the run is about keys that get successors. What else the domains
	// have in DNS is not judged: nobody may be there to answer.
	keysOnly bool
	// trustStays: the run switches keys or takes domains out, so that no more is
	// signed afterwards than before if TrustedHosts stays as it is.
	trustStays bool
}

// unanswered are the questions nobody said yes to yet.
func (in Input) unanswered(all ...state.Question) []state.Question {
	return slices.DeleteFunc(all, func(q state.Question) bool { return in.Consents[q.ID] })
}

// All is the product's table of contents, in the order in which things must
// become true: a record is served before its key signs, and a milter answers
// before Postfix asks it.
func All() []Step {
	return []Step{
		{"Packages", "the Debian packages that are missing", Packages, true},
		{"Intent", "what you asked for, as files you may edit", Intent, false},
		{"Keys", "DKIM keys and the ledger of their lives", Keys, false},
		{"Zone", "SPF, DKIM and DMARC records in the local BIND", Zone, false},
		{"Guard", "mail waits while the signer restarts", Guard, false},
		{"OpenDKIM", "the milter that signs", OpenDKIM, false},
		{"Daemons", "the units that mail needs run, and start at boot", Daemons, true},
		{"Reinjection", "mail that comes back from a content filter is not signed again", Reinjection, true},
		{"Postfix", "Postfix hands its mail to the milter", Postfix, true},
		{"OtherSigner", "who signed until now no longer does", OtherSigner, false},
		{"Aliases", "who reads root's mail", Aliases, true},
		{"Withdraw", "records of keys that no mail under way needs any more", Withdraw, false},
		{"Ledger", "which keys sign, since when, and which are gone", Ledger, false},
	}
}

// Ending are the steps that end the lives of keys and change nothing else.
func Ending() []Step {
	return slices.DeleteFunc(All(), func(s Step) bool { return s.Name != "Withdraw" && s.Name != "Ledger" })
}

// Rotating are the steps that a turn of the keys takes: the ledger always, the
// others as far as something there has to change.
func Rotating(moves []keyring.Move) []Step {
	names := map[string]bool{"Keys": true, "Ledger": true}
	for _, m := range moves {
		switch m.Act {
		case keyring.Make, keyring.Revoke:
			names["Zone"] = true
		case keyring.Switch:
			names["Guard"], names["OpenDKIM"] = true, true
		case keyring.Withdraw:
			names["Withdraw"] = true
		}
	}
	return slices.DeleteFunc(All(), func(s Step) bool { return !names[s.Name] })
}

// Build runs every step and gathers the desired state.
func Build(in Input) (state.State, error) { return Some(All(), in) }

// Some runs a part of the steps.
func Some(list []Step, in Input) (state.State, error) {
	var want state.State
	takes := func(name string) bool { return slices.ContainsFunc(list, func(s Step) bool { return s.Name == name }) }
	in.publishes = takes("Zone")
	in.keysOnly = in.publishes && !takes("Intent")
	in.trustStays = !takes("Intent") || !in.Scope.WholeHost() && !slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool { return in.Scope.Selects(d.Name) })
	for _, s := range list {
		if s.Host && !in.Scope.WholeHost() {
			continue
		}
		stage, notes, err := s.Build(in)
		if err != nil {
			return state.State{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		stage.Name = s.Name
		want.Stages = append(want.Stages, stage)
		want.Notes = append(want.Notes, notes...)
		want.Questions = append(want.Questions, stage.Questions...)
	}
	return want, nil
}

// Refusal is a machine or a wish that a step will not work on. Hint says what
// to type instead.
type Refusal struct {
	What string
	Hint string
	Then []string // what to type after that, in order
	// Keep, if not nil, is the question to which a no lets the run go on: what
	// stands in the way is then left alone.
	Keep *state.Question
}

// Error implements error. It is one line: others may have written what it tells.
func (r *Refusal) Error() string { return text.Printable(r.What) }

// Hints returns what to type instead, and after that.
func (r *Refusal) Hints() []string {
	if r.Hint == "" {
		return r.Then
	}
	return append([]string{r.Hint}, r.Then...)
}

// IsUsage says that nothing was touched.
func (r *Refusal) IsUsage() bool { return true }

func refuse(hint, format string, a ...any) error {
	return &Refusal{What: fmt.Sprintf(format, a...), Hint: hint}
}
