package main

import (
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// consentFlags answer the questions that a yes to the whole plan does not.
func consentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "existing-records", Usage: "`ANSWER`, change or keep: records in your zones that say something else"},
		&cli.StringFlag{Name: "wildcard-records", Usage: "`ANSWER`, copy or drop: what a wildcard of the zone answered for names that exist from now on"},
		&cli.StringFlag{Name: "service-milters", Usage: "`ANSWER`, merge or keep: milters that a service in master.cf has to itself"},
		&cli.BoolFlag{Name: "replace-override", Usage: "take out what an override of OpenDKIM's unit says about its socket"},
		&cli.StringFlag{Name: "sign-bounces", Usage: "`ANSWER`, yes or no: let other milters see bounces, so that they get signed"},
		&cli.StringFlag{Name: "other-signer", Usage: "`ANSWER`, replace or keep: a milter or filter that signs your mail already"},
		&cli.BoolFlag{Name: "replace-checks", Usage: "change what policyd-spf or OpenDMARC was set up to do with incoming mail"},
		&cli.BoolFlag{Name: "replace-mta", Usage: "let the mail server of --mta replace another one (without --mta: Postfix an exim4 that is here)"},
		&cli.BoolFlag{Name: "delegate-keys", Usage: "with --dns delegate: have the keys of all senders of the domain here"},
		removeMissingFlag(),
		&cli.BoolFlag{Name: "any-release", Usage: "go on where the system is not Debian 12, 13 or 14"},
	}
}

// removeMissingFlag is the one that every command needs which makes the tables anew.
func removeMissingFlag() cli.Flag {
	return &cli.BoolFlag{Name: "remove-missing", Usage: "stop signing for domains whose file in " + string(spec.DomainsDir()) + " is gone"}
}

// consentsGiven are those that were given or refused by a flag. A word that is
// neither is reported with the other flags.
func consentsGiven(ctx *cli.Context) map[state.QuestionKind]bool {
	given := map[state.QuestionKind]bool{}
	for name, q := range map[string]struct {
		kind    state.QuestionKind
		yes, no string
	}{
		"existing-records": {state.AskRecord, "change", "keep"}, "wildcard-records": {state.AskWildcard, spec.Copy, spec.Drop},
		"service-milters": {state.AskService, "merge", "keep"}, "sign-bounces": {state.AskBounces, "yes", "no"},
		"other-signer": {state.AskSigner, "replace", "keep"},
	} {
		if word := strings.ToLower(strings.TrimSpace(ctx.String(name))); word == q.yes || word == q.no {
			given[q.kind] = word == q.yes
		}
	}
	for name, kind := range map[string]state.QuestionKind{
		"replace-override": state.AskOverride, "any-release": state.AskRelease, "replace-mta": state.AskMTA, "remove-missing": state.AskRemoval,
		"replace-checks": state.AskChecks, "delegate-keys": state.AskDelegation,
	} {
		if ctx.IsSet(name) {
			given[kind] = ctx.Bool(name)
		}
	}
	return given
}
