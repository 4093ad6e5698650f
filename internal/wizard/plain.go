package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"mailsetup/internal/text"

	"github.com/charmbracelet/huh"
)

// backWord is what goes back in a plain prompt; no answer looks like it.
const backWord = "<"

// errBack says that the administrator wants the previous question.
var errBack = errors.New("back")

// askPlainly asks one question after the other, in lines.
//
// huh's own loop over a form is not used: it takes the end of the input for
// consent, asks hidden groups, shows no descriptions and drops errors. A field
// alone, fed line by line, does what we want.
func askPlainly(ctx context.Context, o Options, f *flow) error {
	p := &prompter{ctx: ctx, in: newLines(o.In), out: o.Out, width: columns(o.Width)}
	for greeted := false; ; {
		if l := f.lookup(); l != nil {
			p.say("Looking at this machine and at DNS ...")
			found, err := l.run(ctx)
			if err != nil {
				return err
			}
			f.setProposals(l, found)
			continue
		}
		if f.done() {
			return nil
		}
		if !greeted {
			p.say("Enter alone takes the proposal in brackets, " + backWord +
				" goes back to the previous question, Ctrl-C stops. Nothing is changed before you agree to the plan.")
			greeted = true
		}
		if err := p.step(f); err != nil {
			return err
		}
	}
}

// confirmPlainly asks for a yes.
func confirmPlainly(ctx context.Context, o Options, title, description string) (bool, error) {
	p := &prompter{ctx: ctx, in: newLines(o.In), out: o.Out, width: columns(o.Width)}
	if description != "" {
		p.say(description)
	}
	var yes bool
	err := p.run(huh.NewConfirm().Title(title).Value(&yes))
	switch {
	case errors.Is(err, errBack), errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, err
	}
	return yes, nil
}

// prompter asks single questions in lines of text.
type prompter struct {
	ctx   context.Context // of one Ask or Confirm; fields of huh take no context
	in    *lines
	out   io.Writer
	width int
}

// step asks the current question and moves the flow.
func (p *prompter) step(f *flow) error {
	q := f.question()
	p.introduce(f, q)
	value := f.value()
	err := p.run(p.field(f, q, &value))
	switch {
	case errors.Is(err, errBack):
		if !f.back() {
			p.say("This is the first question.")
		}
		return nil
	case errors.Is(err, io.EOF):
		return ErrAborted
	case err != nil:
		return err
	}
	// huh fills in the proposal after its check, so check again.
	if err := f.submit(cleared(q, value)); err != nil {
		p.say(explain(err))
	}
	return nil
}

// introduce says what the question is about; huh's prompts show titles only.
func (p *prompter) introduce(f *flow, q question) {
	for _, line := range f.findings() {
		p.say("Found: " + line)
	}
	text := strings.ToUpper(f.progress()[:1]) + f.progress()[1:] + ": " + q.title(f)
	p.say("\n" + text)
	p.say(q.about(f))
	if offer := q.offer(f); offer.Why != "" && offer.Value != "" {
		p.say("Proposed: " + offerName(f, q, offer.Value) + ", " + offer.Why + ".")
	}
}

// field is the field of huh for a question, with the proposal in its title.
func (p *prompter) field(f *flow, q question, value *string) huh.Field {
	if q.options != nil {
		opts, chosen := options(q.options(f)), 1
		for i, o := range opts {
			if o.Value == *value {
				chosen = i + 1
			}
		}
		title := fmt.Sprintf("Enter alone takes %d.", chosen)
		return huh.NewSelect[string]().Title(title).Options(opts...).Value(value)
	}
	title := q.prompt
	if *value != "" {
		title += " [" + *value + "]"
		if q.optional {
			title += " (" + none + " for none)"
		}
	}
	proposal := *value
	check := func(s string) error {
		if strings.TrimSpace(s) == "" && proposal != "" {
			return nil // means the proposal, which is checked afterwards
		}
		_, err := q.validate(f, cleared(q, s))
		return explained(err, p.width)
	}
	return huh.NewInput().Title(title + ":").Value(value).Validate(check)
}

// cleared is how a plain prompt empties an optional field: an empty line takes
// the proposal.
func cleared(q question, s string) string {
	if q.optional && strings.EqualFold(strings.TrimSpace(s), none) {
		return ""
	}
	return s
}

// run runs one field and says how its input ended: nil, errBack, io.EOF, or
// the error of the context or the reader.
func (p *prompter) run(field huh.Field) error {
	_, choice := field.(*huh.Select[string])
	feed := &lineReader{ctx: p.ctx, lines: p.in, enter: choice}
	if err := field.WithTheme(bareTheme()).RunAccessible(p.out, feed); err != nil {
		return err
	}
	return feed.err
}

func (p *prompter) say(s string) { _, _ = fmt.Fprintln(p.out, text.Wrap(s, p.width)) }
