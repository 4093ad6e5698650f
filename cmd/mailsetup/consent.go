package main

import (
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
		&cli.BoolFlag{Name: "replace-mta", Usage: "let Postfix replace another mail server"},
		removeMissingFlag(),
		&cli.BoolFlag{Name: "any-release", Usage: "go on where the system is neither Debian 12 nor 13"},
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
	if yes, err := spec.ExistingRecords(ctx.String("existing-records")); err == nil {
		given[state.AskRecord] = yes
	}
	if word, err := spec.WildcardRecords(ctx.String("wildcard-records")); err == nil {
		given[state.AskWildcard] = word == spec.Copy
	}
	if yes, err := spec.ServiceMilters(ctx.String("service-milters")); err == nil {
		given[state.AskService] = yes
	}
	if word, err := spec.SignBounces(ctx.String("sign-bounces")); err == nil {
		given[state.AskBounces] = word == "yes"
	}
	if yes, err := spec.OtherSigner(ctx.String("other-signer")); err == nil {
		given[state.AskSigner] = yes
	}
	for name, kind := range map[string]state.QuestionKind{
		"replace-override": state.AskOverride, "any-release": state.AskRelease, "replace-mta": state.AskMTA, "remove-missing": state.AskRemoval,
	} {
		if ctx.IsSet(name) {
			given[kind] = ctx.Bool(name)
		}
	}
	return given
}
