// Package steps turns what the administrator wants and what was found on the
// machine into the desired state. Everything here is a pure function.
package steps

import (
	"fmt"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// What a step is and may look at.
type (
	Step    = step.Step
	Input   = step.Input
	Refusal = step.Refusal
)

// The steps. Those for which a rotation has a use have a name here.
var (
	packages    = Step{Name: "Packages", About: "the Debian packages that are missing", Build: Packages, Host: true}
	specFiles   = Step{Name: "Intent", About: "what you asked for, as files you may edit", Build: SpecFiles}
	keys        = Step{Name: "Keys", About: "DKIM keys and the ledger of their lives", Build: Keys}
	records_    = Step{Name: "Zone", About: "SPF, DKIM and DMARC records in the local BIND", Build: Zone, DNS: true}
	deferMail   = Step{Name: "Guard", About: "mail waits while the signer restarts", Build: Guard}
	signer_     = Step{Name: "OpenDKIM", About: "the milter that signs", Build: OpenDKIM}
	daemons_    = Step{Name: "Daemons", About: "the units that mail needs run, and start at boot", Build: Daemons, Host: true}
	reinjection = Step{Name: "Reinjection", About: "mail that comes back from a content filter is not signed again", Build: Reinjection, Host: true}
	postfix_    = Step{Name: "Postfix", About: "Postfix hands its mail to the milter", Build: Postfix, Host: true}
	otherSigner = Step{Name: "OtherSigner", About: "who signed until now no longer does", Build: OtherSigner}
	aliases_    = Step{Name: "Aliases", About: "who reads root's mail", Build: Aliases, Host: true}
	withdraw    = Step{Name: "Withdraw", About: "records of keys that no mail under way needs any more", Build: Withdraw, DNS: true}
	ledger      = Step{Name: "Ledger", About: "which keys sign, since when, and which are gone", Build: Ledger}

	// withdrawAlone is withdraw in a run that publishes nothing.
	withdrawAlone = Step{Name: withdraw.Name, About: withdraw.About, Build: WithdrawAlone, DNS: true}
)

// All is the product's table of contents, in the order in which things must
// become true: a record is served before its key signs, and a milter answers
// before Postfix asks it.
func All() []Step {
	return []Step{
		packages, specFiles, keys, records_, deferMail, signer_, daemons_, reinjection, postfix_,
		otherSigner, aliases_, withdraw, ledger,
	}
}

// Ending are the steps that end the lives of keys and change nothing else.
func Ending() []Step { return []Step{withdrawAlone, ledger} }

// Rotating are the steps that a turn of the keys takes: the ledger always, the
// others as far as something there has to change.
func Rotating(moves []keyring.Move) []Step {
	acts := func(any ...keyring.Act) bool {
		return slices.ContainsFunc(moves, func(m keyring.Move) bool { return slices.Contains(any, m.Act) })
	}
	list := []Step{keys}
	publishes := acts(keyring.Make, keyring.Revoke)
	if publishes {
		list = append(list, records_)
	}
	if acts(keyring.Switch) {
		list = append(list, deferMail, signer_)
	}
	switch {
	case acts(keyring.Withdraw) && publishes:
		list = append(list, withdraw)
	case acts(keyring.Withdraw):
		list = append(list, withdrawAlone)
	}
	return append(list, ledger)
}

// Build runs every step and gathers the desired state.
func Build(in Input) (state.State, error) { return Some(All(), in) }

// Some runs a part of the steps. It takes the input for that of a rotation where
// the steps are those of one.
func Some(list []Step, in Input) (state.State, error) {
	takes := func(name string) bool { return slices.ContainsFunc(list, func(s Step) bool { return s.Name == name }) }
	in.KeysOnly = takes("Ledger") && !takes("Intent")
	return Run(list, in)
}

// Prepare returns the input with what the steps of a list need and what stays the
// same if they run again, as they do once keys have taken the place of placeholders.
func Prepare(list []Step, in Input) Input {
	if slices.ContainsFunc(list, func(s Step) bool { return s.Name == signer_.Name }) {
		if made, err := RenderTables(in); err == nil { // else the step says what is wrong
			in.Tables = made
		}
	}
	return in
}

// Run runs the steps of a list and gathers the desired state.
func Run(list []Step, in Input) (state.State, error) {
	var want state.State
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
