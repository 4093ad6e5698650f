// Package steps is the table of contents of the product: what a run makes true, in
// the order in which it must become true.
package steps

import (
	"fmt"
	"slices"

	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/steps/daemons"
	"mailsetup/steps/dns"
	"mailsetup/steps/exim"
	"mailsetup/steps/inbound"
	"mailsetup/steps/keys"
	"mailsetup/steps/postfix"
	"mailsetup/steps/recipients"
	"mailsetup/steps/sendonly"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// FragmentRebuild returns the step that makes a lost fragment again, from the records
// of all domains of its zone. The caller compares the result with the hash of what was
// written there.
func FragmentRebuild() []step.Step {
	return []step.Step{{Name: "DNS", About: "a part of a zone here that is gone", Build: dns.RebuildFragments, DNS: true}}
}

// IncludeRestoration returns the step that puts the $INCLUDE lines of our fragments
// back into zones of this machine. It compares nothing and publishes nothing new.
func IncludeRestoration() []step.Step {
	return []step.Step{{Name: "DNS", About: "records that are gone from a zone here", Build: dns.RestoreIncludes, DNS: true}}
}

// The steps. Those for which a rotation has a use have a name here.
var (
	installPackages  = step.Step{Name: "Packages", About: "the Debian packages that are missing", Build: Packages, Host: true}
	writeSpec        = step.Step{Name: "Settings", About: "what you asked for, as files you may edit", Build: SpecFiles}
	createKeys       = step.Step{Name: "Keys", About: "DKIM keys and the ledger of their lives", Build: keys.Create}
	publishRecords   = step.Step{Name: "DNS", About: "SPF, DKIM and DMARC records in the local BIND", Build: dns.Publish, DNS: true}
	deferMail        = step.Step{Name: "DeferMail", About: "mail waits while the signer restarts", Build: postfix.DeferMail, Postfix: true}
	configureSigner  = step.Step{Name: "OpenDKIM", About: "the milter that signs", Build: signer.Configure, Postfix: true}
	configureExim    = step.Step{Name: "Exim", About: "exim4 signs what it sends", Build: exim.Configure, Exim: true}
	startDaemons     = step.Step{Name: "Daemons", About: "the units that mail needs run, and start at boot", Build: daemons.Start, Host: true}
	skipReinjection  = step.Step{Name: "Reinjection", About: "mail that comes back from a content filter is not signed again", Build: postfix.Reinjection, Host: true, Postfix: true}
	provideSPF       = step.Step{Name: "SPF", About: "the service that checks SPF of incoming mail", Build: inbound.SPFService, Host: true, Postfix: true}
	provideDMARC     = step.Step{Name: "DMARC", About: "the milter that checks DMARC of incoming mail", Build: inbound.DMARC, Host: true, Postfix: true}
	listenHere       = step.Step{Name: "SendOnly", About: "nothing is accepted from outside", Build: sendonly.Listen, Host: true}
	configurePostfix = step.Step{Name: "Postfix", About: "Postfix hands its mail to the milter", Build: postfix.Configure, Host: true, Postfix: true}
	guardDoor        = step.Step{Name: "Door", About: "incoming mail meets SPF and block lists", Build: inbound.Door, Host: true, Postfix: true}
	writeChecks      = step.Step{Name: "Checks", About: "what exim4 asks of incoming mail", Build: inbound.EximChecks, Host: true, Exim: true}
	guardExim        = step.Step{Name: "Door", About: "incoming mail meets SPF and block lists", Build: inbound.EximDoor, Host: true, Exim: true}
	retireExim       = step.Step{Name: "Retired", About: "what incoming mail no longer meets", Build: inbound.RetireExim, Host: true, Exim: true}
	retireChecks     = step.Step{Name: "Retired", About: "what incoming mail no longer meets", Build: inbound.Retire, Host: true, Postfix: true}
	clearUp          = step.Step{Name: "Directories", About: "directories that nothing uses any more", Build: inbound.RetireDirectories, Host: true, Postfix: true}
	replaceSigner    = step.Step{Name: "OtherSigner", About: "who signed until now no longer does", Build: postfix.ReplaceSigner, Postfix: true}
	makeTables       = step.Step{Name: "Tables", About: "tables of Postfix that are missing beside their text", Build: recipients.Tables, Host: true, Postfix: true}
	setAliases       = step.Step{Name: "Aliases", About: "who reads root's mail", Build: recipients.Aliases, Host: true}
	withdrawKeys     = step.Step{Name: "OldKeys", About: "records of keys that no mail under way needs any more", Build: dns.Withdraw, DNS: true}
	recordKeys       = step.Step{Name: "Ledger", About: "which keys sign, since when, and which are gone", Build: keys.Record}

	// withdrawAlone is withdrawKeys in a run that publishes nothing.
	withdrawAlone = step.Step{Name: withdrawKeys.Name, About: withdrawKeys.About, Build: dns.WithdrawAlone, DNS: true}
)

// All returns the product's table of contents, in the order in which things must
// become true: a record is served before its key signs, and a milter answers
// before Postfix asks it.
func All() []step.Step {
	return []step.Step{
		installPackages, writeSpec, createKeys, publishRecords, deferMail, configureSigner, configureExim, startDaemons, skipReinjection,
		provideSPF, provideDMARC, listenHere, configurePostfix, guardDoor, retireChecks, writeChecks, guardExim, retireExim, clearUp, replaceSigner, makeTables, setAliases, withdrawKeys, recordKeys,
	}
}

// Withdrawal returns the steps that end the lives of keys and change nothing else.
func Withdrawal() []step.Step { return []step.Step{withdrawAlone, recordKeys} }

// Rotation returns the steps that these transitions of keys take: the ledger always,
// the others as far as something has to change there.
func Rotation(moves []keyring.Transition) []step.Step {
	acts := func(any ...keyring.Action) bool {
		return slices.ContainsFunc(moves, func(m keyring.Transition) bool { return slices.Contains(any, m.Action) })
	}
	list := []step.Step{createKeys}
	publishes := acts(keyring.Generate, keyring.Revoke)
	if publishes {
		list = append(list, publishRecords)
	}
	if acts(keyring.Activate) {
		list = append(list, deferMail, configureSigner, configureExim)
	}
	switch {
	case acts(keyring.Withdraw) && publishes:
		list = append(list, withdrawKeys)
	case acts(keyring.Withdraw):
		list = append(list, withdrawAlone)
	}
	return append(list, recordKeys)
}

// Prepare returns the input with what the steps of a list need and what stays the
// same if they run again, as they do once keys have taken the place of placeholders.
func Prepare(list []step.Step, in step.Input) step.Input {
	if slices.ContainsFunc(list, func(s step.Step) bool { return s.Name == configureSigner.Name && in.Takes(s) }) {
		if made, err := signer.RenderTables(in); err == nil { // else the step says what is wrong
			in.Tables = made
		}
	}
	return in
}

// Build runs the steps of a list and gathers the desired state.
func Build(list []step.Step, in step.Input) (state.State, error) {
	var want state.State
	in = in.Counted()
	for _, s := range list {
		if s.Host && !in.Scope.WholeHost() || !in.Takes(s) {
			continue
		}
		stage, notes, err := s.Build(in)
		if err != nil {
			return state.State{}, fmt.Errorf("%s: %w", s.Name, err)
		}
		stage.Name = s.Name
		if want.Stages = append(want.Stages, stage); s.Name == configurePostfix.Name {
			daemons.StartLast(in, want.Stages)
		}
		want.Notes = append(want.Notes, notes...)
		want.Questions = append(want.Questions, stage.Questions...)
	}
	return want, nil
}
