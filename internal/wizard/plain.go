package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mailsetup/internal/text"
)

// backWord is what goes back in a plain prompt; no answer looks like it.
const backWord = "<"

// errBack says that the administrator wants the previous question.
var errBack = errors.New("back")

// askPlainly asks one question after the other, in lines. Forms of huh are not used:
// they take the end of the input for consent, the numbers of choices only and not
// their words, and show no descriptions.
func askPlainly(ctx context.Context, o Options, f *flow) error {
	p := newPrompter(o)
	for greeted := false; ; {
		if l := f.lookup(); l != nil {
			p.say(lookingAround)
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
		if err := p.step(ctx, f); err != nil {
			return err
		}
	}
}

// confirmPlainly asks for a yes.
func confirmPlainly(ctx context.Context, o Options, title string, details bool) (answer, error) {
	p := newPrompter(o)
	prompt := title + " [y/N] "
	if details {
		prompt = title + " [y/N, or a to see all of it] "
	}
	for {
		line, err := p.line(ctx, prompt)
		switch {
		case errors.Is(err, errBack), errors.Is(err, io.EOF):
			return no, nil
		case err != nil:
			return no, err
		}
		switch line = strings.ToLower(line); {
		case line == "y" || line == "yes":
			return yes, nil
		case line == "" || line == "n" || line == "no":
			return no, nil
		case details && (line == "a" || line == "all"):
			return showAll, nil
		}
		p.say("Please type yes or no.")
	}
}

// prompter asks single questions in lines of text.
type prompter struct {
	in    lines
	out   io.Writer
	width int
}

func newPrompter(o Options) *prompter {
	return &prompter{in: lines{o.In}, out: o.Out, width: columns(o.Width)}
}

// line prints a prompt and returns the line that is typed, without white space
// around it; or errBack, io.EOF, or the error of the context or the reader.
func (p *prompter) line(ctx context.Context, prompt string) (string, error) {
	_, _ = fmt.Fprint(p.out, prompt)
	line, err := p.in.next(ctx)
	if line = strings.TrimSpace(line); err == nil && line == backWord {
		err = errBack
	}
	if err != nil && !errors.Is(err, errBack) {
		_, _ = fmt.Fprintln(p.out) // nobody pressed Enter
	}
	return line, err
}

// step asks the current question and advances the flow.
func (p *prompter) step(ctx context.Context, f *flow) error {
	q := f.question()
	p.introduce(f, q)
	for {
		line, err := p.line(ctx, p.prompt(f, q))
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
		if err = f.submit(q.typed(f, line)); err == nil {
			return nil
		}
		p.say(explain(err))
	}
}

// introduce prints what the question is about; huh's prompts show titles only.
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
	if q.options != nil {
		for i, o := range options(q.options(f)) {
			p.say(fmt.Sprintf("%d. %s", i+1, o.Key))
		}
	}
}

// prompt names what is to be typed, with the proposal in brackets.
func (p *prompter) prompt(f *flow, q question) string {
	prompt, value := q.prompt, offerName(f, q, f.value())
	if q.options != nil {
		prompt = fmt.Sprintf("Number from 1 to %d, or the word", len(q.options(f)))
	}
	if value != "" {
		prompt += " [" + value + "]"
		if q.optional {
			prompt += " (" + none + " for none)"
		}
	}
	return prompt + ": "
}

// typed is the answer that a line at a plain prompt stands for. An empty one takes the
// proposal, so a word empties a field; a choice is named by its number or its word.
func (q question) typed(f *flow, line string) string {
	switch {
	case line == "":
		return f.value()
	case q.optional && strings.EqualFold(line, none):
		return ""
	case q.options == nil:
		return line
	}
	list := q.options(f)
	for _, o := range list { // before the numbers: 1024 is a word
		if strings.EqualFold(line, o.name) {
			return o.value
		}
	}
	if n, err := strconv.Atoi(line); err == nil && n >= 1 && n <= len(list) {
		return list[n-1].value
	}
	return line
}

func (p *prompter) say(s string) { _, _ = fmt.Fprintln(p.out, text.Wrap(s, p.width)) }
