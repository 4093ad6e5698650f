package provision

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// planWithConsents plans until each change of something of the administrator's has its
// own yes or no, by a flag or a person. A dry run leaves open what only a person could
// answer.
func (p *Provisioner) planWithConsents(ctx context.Context, d *Draft) error {
	for {
		var err error
		if d.specChanged { // perhaps by thousands of answers
			if d.Input.SpecFiles, err = specFiles(p, d.Request, d.Input.Spec); err != nil {
				return err
			}
			d.specChanged = false
		}
		d.Plan, err = p.makePlan(ctx, d)
		if refusal := (*step.Refusal)(nil); errors.As(err, &refusal) && refusal.Keep != nil {
			if err := p.keepRefused(ctx, d, refusal, err); err != nil {
				return err
			}
			continue
		}
		if err == nil {
			err = p.checkAllowed(ctx, d)
		}
		if err != nil || len(d.Plan.Questions) == 0 {
			return err
		}
		if again, err := p.answerQuestions(ctx, d, d.Plan.Questions); !again || err != nil {
			return err
		}
	}
}

// answerQuestions gets answers to the questions of a plan. The plan has to be made
// again with them: it may change and ask something else.
func (p *Provisioner) answerQuestions(ctx context.Context, d *Draft, questions []state.Question) (again bool, err error) {
	open, err := p.answerFromFlags(d, questions)
	switch {
	case err != nil:
		return false, err
	case len(open) < len(questions):
		return true, nil
	case p.Options.DryRun && !p.Options.Strict:
		return false, nil
	case !p.Options.Interactive:
		p.UI.ShowQuestions(open)
		return false, &MissingConsentError{open, d.sayUntouched()}
	}
	return true, p.askPerson(ctx, d, open)
}

// answerFromFlags answers questions by flags and returns the others.
func (p *Provisioner) answerFromFlags(d *Draft, questions []state.Question) (open []state.Question, err error) {
	for _, q := range questions {
		yes, given := p.Options.Consents[q.Kind]
		switch {
		case !given:
			open = append(open, q)
		case !yes && q.Declined == "":
			flag, _ := plan.ConsentFlags(q.Kind)
			return nil, hint.NewUsage(flag+" allows it", "%s", withLocation(q))
		default:
			if err := p.recordAnswer(d, q, yes); err != nil {
				return nil, err
			}
		}
	}
	return open, nil
}

// withLocation returns a question on one line, beginning with its place.
func withLocation(q state.Question) string {
	switch {
	case q.Path == "":
		return q.Text
	case q.Line == 0:
		return fmt.Sprintf("%s: %s", q.Path, q.Text)
	}
	return fmt.Sprintf("%s:%d: %s", q.Path, q.Line, q.Text)
}

// askPerson asks each question. Anything but a yes is a no.
func (p *Provisioner) askPerson(ctx context.Context, d *Draft, questions []state.Question) error {
	introduction := ""
	if len(d.answered) == 0 {
		introduction = "What follows would change something of yours, so each is asked by itself."
		if len(d.installed) == 0 {
			introduction += " Nothing is changed before you agree to the whole plan."
		}
	}
	// Who signs decides what else is to be asked.
	if signers := slices.DeleteFunc(slices.Clone(questions), func(q state.Question) bool { return q.Kind != state.AskSigner }); len(signers) > 0 {
		questions = signers
	}
	answers, err := p.UI.AskConsents(ctx, questions, introduction)
	if err != nil {
		return err
	}
	for i, q := range questions {
		if i == len(answers) || !answers[i] && q.Declined == "" {
			return d.notConfirmed()
		}
		if err := p.recordAnswer(d, q, answers[i]); err != nil {
			return err
		}
	}
	return nil
}

// recordAnswer applies a yes to this run, and stores a no for later ones.
func (p *Provisioner) recordAnswer(d *Draft, q state.Question, yes bool) error {
	if d.answered[q.ID] {
		return fmt.Errorf("plan: asks again for what was answered: %s", q.ID)
	}
	d.answered[q.ID] = true
	d.consents = append(d.consents, consent{q.Kind, yes})
	if yes {
		d.Input.Consents[q.ID] = true
		d.consented = append(d.consented, q.Path)
	}
	if !d.ownSpec {
		d.Input.Spec.Domains = slices.Clone(d.Input.Spec.Domains) // shared with the spec that was asked for
		d.ownSpec = true
	}
	changed := storeAnswer(&d.Input.Spec, q, yes)
	if q.Kind == state.AskSigner {
		choice := signers.Choice{Files: p.Machine.Sys, Ledger: d.Keys.Ledger, Selector: d.Keys.Selector, Now: p.Machine.Now}
		d.pairs, changed = choice.Apply(&d.Input, d.pairs, q, yes)
	}
	d.specChanged = d.specChanged || changed
	return nil
}

// storeAnswer writes an answer into the spec, if there is a place for it. Its domains are no
// other spec's.
func storeAnswer(sp *spec.Spec, q state.Question, yes bool) bool {
	i := slices.IndexFunc(sp.Domains, func(d spec.Domain) bool { return d.Name == q.Domain })
	switch {
	case q.Kind == state.AskBounces:
		sp.Host.SignBounces = map[bool]string{true: "yes", false: "no"}[yes]
	case q.Kind == state.AskWildcard && i >= 0:
		sp.Domains[i].WildcardRecords = map[bool]string{true: spec.Copy, false: spec.Drop}[yes]
	case yes:
		return false
	case q.Kind == state.AskService:
		sp.Host.LeaveServices = appendNew(sp.Host.LeaveServices, q.Subject)
	case q.Kind == state.AskRecord && i >= 0:
		sp.Domains[i].Keep = appendNew(sp.Domains[i].Keep, q.Subject)
	default:
		return false
	}
	return true
}

// appendNew returns a list of its own that has the item.
func appendNew(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(slices.Clone(list), item)
}

// keepRefused goes on without what a step refused, if a flag or a person says that it
// may stay as it is.
func (p *Provisioner) keepRefused(ctx context.Context, d *Draft, refusal *step.Refusal, refused error) error {
	q := *refusal.Keep
	change, given := p.Options.Consents[q.Kind]
	if !given && p.Options.Interactive && !p.Options.DryRun {
		yes, err := p.UI.AskKeep(ctx, refusal.Question())
		if err != nil {
			return err
		}
		change, given = !yes, true
	}
	if !given || change {
		_, no := plan.ConsentFlags(q.Kind)
		return &hint.Error{Err: refused, Lines: append(hint.Of(refused), no+meaningOfNo(q.Kind)), Usage: true}
	}
	return p.recordAnswer(d, q, false)
}

// meaningOfNo says what a no leads to.
func meaningOfNo(k state.QuestionKind) string {
	if k == state.AskWildcard {
		return " goes on without"
	}
	return " leaves it as it is"
}

// notConfirmed ends a run before it changed what it asked about. The answers that led
// there are not lost.
func (d *Draft) notConfirmed() error {
	return hint.New(d.again(), "not confirmed: %s", d.sayUntouched())
}

// sayUntouched says what a run that ends at a question has changed.
func (d *Draft) sayUntouched() string {
	if len(d.installed) > 0 {
		return "nothing else was changed"
	}
	return "nothing was changed"
}

// MissingConsentError is the error of a run that needs a consent which nobody gave.
type MissingConsentError struct {
	Questions []state.Question
	untouched string
}

// Error implements error.
func (e *MissingConsentError) Error() string {
	what := "this change needs a consent of its own"
	if n := len(e.Questions); n > 1 {
		what = fmt.Sprintf("%d changes need a consent of their own", n)
	}
	return what + ": " + e.untouched
}

// IsUsage says that nothing was touched.
func (e *MissingConsentError) IsUsage() bool { return true }

// maxNames is how many domains a hint names.
const maxNames = 20

// Hints returns the flags that answer the questions, once each.
func (e *MissingConsentError) Hints() []string {
	var hints, gone []string
	for _, q := range e.Questions {
		if q.Kind == state.AskRemoval {
			gone = append(gone, q.Domain)
		}
	}
	if len(gone) > 0 {
		names := strings.Join(gone, " ")
		if len(gone) > maxNames {
			names = fmt.Sprintf("--from-file FILE (the names of %d domains, a line each)", len(gone))
		}
		hints = append(hints, fmt.Sprintf("put the files back in %s, from a backup or with mailsetup add-domain %s: the same keys go on signing", spec.DomainsDir(), names))
	}
	for _, q := range e.Questions {
		yes, no := plan.ConsentFlags(q.Kind)
		line := yes + " allows it"
		if no != "" && q.Declined != "" {
			_, word, _ := strings.Cut(no, " ")
			line += ", " + word + meaningOfNo(q.Kind)
		}
		if !slices.Contains(hints, line) {
			hints = append(hints, line)
		}
	}
	return hints
}
