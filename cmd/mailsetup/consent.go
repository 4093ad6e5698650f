package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
	"mailsetup/steps"
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
		removeMissing(),
		&cli.BoolFlag{Name: "any-release", Usage: "go on where the system is neither Debian 12 nor 13"},
	}
}

// removeMissing is the one that every command needs which makes the tables anew.
func removeMissing() cli.Flag {
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

// agreed plans until each change to what is the administrator's has its own
// yes or no, by a flag or by the person there. A dry run leaves open what only
// a person could answer.
func (s *session) agreed(ctx context.Context, w *work) (plan.Plan, error) {
	for {
		p, err := s.planned(ctx, w)
		if refusal := (*steps.Refusal)(nil); errors.As(err, &refusal) && refusal.Keep != nil {
			if err := s.leave(ctx, w, refusal, err); err != nil {
				return p, err
			}
			continue
		}
		if err == nil {
			err = s.acceptable(ctx, p)
		}
		if err != nil || len(p.Questions) == 0 {
			return p, err
		}
		if again, err := s.settle(ctx, w, p.Questions); !again || err != nil {
			return p, err
		}
	}
}

// settle takes answers to the questions of a plan. With them the plan is made
// again: it may do something else now, and ask something else.
func (s *session) settle(ctx context.Context, w *work, questions []state.Question) (again bool, err error) {
	open, err := s.byFlag(w, questions)
	switch {
	case err != nil:
		return false, err
	case len(open) < len(questions):
		return true, nil
	case s.o.dryRun:
		return false, nil
	case !s.asks():
		return false, s.unanswered(open)
	}
	return true, s.byPerson(ctx, w, open)
}

// byFlag answers what a flag answers and returns the rest.
func (s *session) byFlag(w *work, questions []state.Question) (open []state.Question, err error) {
	for _, q := range questions {
		yes, given := s.o.consents[q.Kind]
		switch {
		case !given:
			open = append(open, q)
		case !yes && q.Declined == "":
			flag, _ := plan.Consent(q.Kind)
			return nil, usage(flag+" allows it", "%s", placed(q))
		default:
			if err := s.answer(w, q, yes); err != nil {
				return nil, err
			}
		}
	}
	return open, nil
}

// placed is a question on one line, with its place in front.
func placed(q state.Question) string {
	switch {
	case q.Path == "":
		return q.Text
	case q.Line == 0:
		return fmt.Sprintf("%s: %s", q.Path, q.Text)
	}
	return fmt.Sprintf("%s:%d: %s", q.Path, q.Line, q.Text)
}

// byPerson shows each question by itself and takes a yes for it. Anything else
// is a no.
func (s *session) byPerson(ctx context.Context, w *work, questions []state.Question) error {
	if len(w.answered) == 0 {
		s.introduce()
	}
	// Who signs decides what else is to be asked.
	if signers := slices.DeleteFunc(slices.Clone(questions), func(q state.Question) bool { return q.Kind != state.AskSigner }); len(signers) > 0 {
		questions = signers
	}
	for i, q := range questions {
		yes, err := s.consent(ctx, q, fmt.Sprintf("%d of %d", i+1, len(questions)), changeThis[q.Kind])
		if err != nil {
			return err
		}
		if !yes && q.Declined == "" {
			return s.notConfirmed()
		}
		if err := s.answer(w, q, yes); err != nil {
			return err
		}
	}
	fmt.Fprintln(s.c.out)
	return nil
}

// introduce says why there are questions about a plan that nobody has seen.
func (s *session) introduce() {
	text := "What follows would change something of yours, so each is asked by itself."
	if len(s.installed) == 0 {
		text += " Nothing is changed before you agree to the whole plan."
	}
	fmt.Fprintf(s.c.out, "\n%s\n", fold(text, 78))
}

// changeThis are the words of which the person takes one button.
var changeThis = map[state.QuestionKind]string{
	state.AskRecord:   "Change this record?",
	state.AskService:  "Change this service?",
	state.AskOverride: "Take this out of the override?",
	state.AskRemoval:  "Stop signing its mail?",
	state.AskBounces:  "Sign bounces, too?",
	state.AskRelease:  "Go on all the same?",
	state.AskMTA:      "Let Postfix take its place?",
	state.AskWildcard: "Publish copies?",
	state.AskSigner:   "Sign here, and no longer there?",
}

// consent shows a question and takes a yes to the words; No is in front.
func (s *session) consent(ctx context.Context, q state.Question, which, words string) (bool, error) {
	fmt.Fprintln(s.c.out)
	if err := plan.Ask(s.c.out, q, which, plan.TextOptions{Color: s.c.color}); err != nil {
		return false, err
	}
	fmt.Fprintln(s.c.out)
	return wizard.Confirm(ctx, s.terminal(wizard.Options{}), words, "")
}

// answer takes a yes for this run, and remembers a no for the following ones.
func (s *session) answer(w *work, q state.Question, yes bool) error {
	if w.answered[q.ID] {
		return fmt.Errorf("plan: asks again for what was answered: %s", q.ID)
	}
	w.answered[q.ID] = true
	if yes {
		w.input.Consents[q.ID] = true
		w.consented = append(w.consented, q.Path)
	}
	remembered := remember(&w.input.Spec, q, yes)
	if q.Kind == state.AskSigner {
		remembered = s.signerChosen(w, q, yes) || remembered
	}
	if !remembered {
		return nil
	}
	var err error
	w.input.Documents, err = s.documents(w.input.Spec)
	return err
}

// remember writes an answer into the spec, if it has a place there.
func remember(sp *spec.Spec, q state.Question, yes bool) bool {
	i := slices.IndexFunc(sp.Domains, func(d spec.Domain) bool { return d.Name == q.Domain })
	switch {
	case q.Kind == state.AskBounces:
		sp.Host.SignBounces = map[bool]string{true: "yes", false: "no"}[yes]
	case q.Kind == state.AskWildcard && i >= 0:
		sp.Domains = slices.Clone(sp.Domains) // shared with the spec that was asked for
		sp.Domains[i].WildcardRecords = map[bool]string{true: spec.Copy, false: spec.Drop}[yes]
	case yes:
		return false
	case q.Kind == state.AskService:
		sp.Host.LeaveServices = with(sp.Host.LeaveServices, q.Subject)
	case q.Kind == state.AskRecord && i >= 0:
		sp.Domains = slices.Clone(sp.Domains) // shared with the spec that was asked for
		sp.Domains[i].Keep = with(sp.Domains[i].Keep, q.Subject)
	default:
		return false
	}
	return true
}

// with returns a list of its own that has the item.
func with(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(slices.Clone(list), item)
}

// leave goes on without what stands in the way, if a flag or the person there
// says that it may stay as it is.
func (s *session) leave(ctx context.Context, w *work, refusal *steps.Refusal, refused error) error {
	q := *refusal.Keep
	change, given := s.o.consents[q.Kind]
	if !given && s.asks() && !s.o.dryRun {
		yes, err := s.consent(ctx, inTheWay(refusal), "", goOn(q.Kind))
		if err != nil {
			return err
		}
		change, given = !yes, true
	}
	if !given || change {
		return &hint.Error{Err: refused, Lines: append(hint.Of(refused), keeping(refusal)), Usage: true}
	}
	return s.answer(w, q, false)
}

// goOn asks whether the run goes on with what stands in the way.
func goOn(k state.QuestionKind) string {
	if k == state.AskWildcard {
		return "Go on without?"
	}
	return "Leave it as it is, and go on?"
}

// inTheWay is a refusal as a question, to which a no ends the run.
func inTheWay(r *steps.Refusal) state.Question {
	q := *r.Keep
	q.Text = r.What
	if r.Hint != "" {
		q.Text += "\nhint: " + r.Hint
	}
	if q.Declined != "" {
		q.Text += "\nWith a yes: " + q.Declined
	}
	q.Before, q.After, q.Declined = "", "", ""
	return q
}

// keeping is the flag that lets a refused run go on.
func keeping(r *steps.Refusal) string {
	_, no := plan.Consent(r.Keep.Kind)
	return no + refused(r.Keep.Kind)
}

// refused says behind the word for a no what that means.
func refused(k state.QuestionKind) string {
	if k == state.AskWildcard {
		return " goes on without"
	}
	return " leaves it as it is"
}

// notConfirmed ends a run before it changed what it asked about.
func (s *session) notConfirmed() error { return fail("", "not confirmed: %s", s.untouched()) }

// untouched says what a run did that stops at a question.
func (s *session) untouched() string {
	if len(s.installed) > 0 {
		return "nothing else was changed"
	}
	return "nothing was changed"
}

// unanswered shows the questions that nobody is there to answer.
func (s *session) unanswered(open []state.Question) error {
	for _, q := range open {
		_ = plan.Ask(s.c.err, q, "", plan.TextOptions{})
	}
	return &missingConsent{open, s.untouched()}
}

// missingConsent is a run that may not go on for want of a consent.
type missingConsent struct {
	open      []state.Question
	untouched string
}

// Error implements error.
func (m *missingConsent) Error() string {
	what := "this change needs a consent of its own"
	if n := len(m.open); n > 1 {
		what = fmt.Sprintf("%d changes need a consent of their own", n)
	}
	return what + ": " + m.untouched
}

// IsUsage says that nothing was touched.
func (m *missingConsent) IsUsage() bool { return true }

// Hints returns the flags that answer, once each.
func (m *missingConsent) Hints() []string {
	var hints, gone []string
	for _, q := range m.open {
		if q.Kind == state.AskRemoval {
			gone = append(gone, q.Domain)
		}
	}
	if len(gone) > 0 {
		hints = append(hints, fmt.Sprintf("put the files back in %s, from a backup or with mailsetup add-domain %s: the same keys go on signing",
			spec.DomainsDir(), strings.Join(gone, " ")))
	}
	for _, q := range m.open {
		yes, no := plan.Consent(q.Kind)
		hint := yes + " allows it"
		if no != "" && q.Declined != "" {
			_, word, _ := strings.Cut(no, " ")
			hint += ", " + word + refused(q.Kind)
		}
		if !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	return hints
}
