// Package wizard asks a person for the answers that make a spec. It looks before it
// asks, proposes what was found, checks every answer when the field is left and lets
// the administrator go back. It is the only package that knows huh.
//
// There are two ways to ask, one flow behind both: a full-screen form
// (screen.go), and plain prompts for screen readers, TERM=dumb and scripts
// (plain.go).
package wizard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"mailsetup/internal/spec"
)

// ErrAborted says that the administrator left (Ctrl-C), the input ended or the
// context was cancelled before the last question. No answer is usable then.
var ErrAborted = errors.New("questions: interrupted before the last one")

// Proposal is a value found on the machine or in DNS for one question.
type Proposal struct {
	Value string // in the notation of spec.Answers; of a list, separated by spaces
	Why   string // one line, such as "the A record of mail.example.org"
}

// Proposals are the values for all questions. A question without one has an empty
// field, a choice its default.
type Proposals struct {
	Domain    Proposal
	Hostname  Proposal
	Addresses Proposal // the public ones, a list
	MTA       Proposal // the mail server that is here, if it is one that may stay
	Receive   Proposal // yes or no, from the live MX
	RootAlias Proposal
	NS        Proposal // name servers of a new zone, a list

	// Settings with a usual default; a value here replaces it.
	Selector, KeyBits, SPFAll, SPFInclude, DMARC, MilterDefaultAction Proposal
	Incoming                                                          Incoming
	// SPFRedirect is the domain whose SPF record decides for this one, "" for
	// a record of its own, and only that is asked about.
	SPFRedirect Proposal

	DNS          Proposal // bind or manual
	BIND         bool     // BIND runs here: offer to publish there
	ZoneServed   bool     // BIND is primary for the domain, so records can be added
	ZoneUnusable bool     // BIND has the domain in a way that nothing can be added

	// Found are short lines for the reader: "Postfix 3.10 is installed". They
	// are shown with the first question after they were found.
	Found []string
}

// Incoming are the values for the questions about mail that comes in. They are asked if
// SPF has one: a server that is set up is asked by mailsetup inbound.
type Incoming struct {
	SPF, DMARC Proposal
	DNSBL      Proposal // block lists, separated by spaces
	// Rspamd judges incoming mail, so DMARC can refuse some. Elsewhere OpenDKIM verifies, which does not tell a key that cannot be looked
	// up for the moment from a missing signature, and nothing is to be refused for that.
	Rspamd bool
	// NoDMARC: the mail server cannot check DMARC, so nobody is asked.
	NoDMARC bool
}

// clean makes everything printable: other people's DNS must not control the terminal.
func (p *Proposals) clean() {
	for _, q := range []*Proposal{
		&p.Domain, &p.Hostname, &p.Addresses, &p.MTA, &p.Receive, &p.RootAlias, &p.NS,
		&p.Incoming.SPF, &p.Incoming.DMARC, &p.Incoming.DNSBL,
		&p.Selector, &p.KeyBits, &p.SPFAll, &p.SPFInclude, &p.SPFRedirect, &p.DMARC, &p.MilterDefaultAction, &p.DNS,
	} {
		q.Value, q.Why = printable(q.Value), printable(q.Why)
	}
	lines := make([]string, 0, len(p.Found))
	for _, line := range p.Found {
		lines = append(lines, printable(line))
	}
	p.Found = lines
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// Options say whom to ask, and what not to ask.
type Options struct {
	In  io.Reader // a terminal, or whatever answers plain prompts
	Out io.Writer

	// Accessible asks with plain prompts, line by line. The caller sets it for
	// --accessible and for TERM=dumb.
	Accessible bool
	Width      int  // columns of the terminal; 0 means 80, which is also the most used
	Color      bool // false: no colours, whatever the terminal could do

	// Inbound asks about mail that comes in, and nothing else.
	Inbound bool

	// Fixed are answers given by flags or by the existing spec. They are not
	// asked, and come back as they are.
	Fixed spec.Answers

	// Propose looks at the machine and at DNS. It is called with the fixed
	// answers first, and again with domain and host name once these are known
	// or have changed. What cannot be found out is a line in Found, not an
	// error: an error ends the questions. nil proposes nothing.
	Propose func(context.Context, spec.Answers) (Proposals, error)

	// WhyUnread says why nobody would read mail at the address in Notify or, where that is
	// empty, root's at the one in RootAlias; nil if somebody would, or if that is not
	// known. It may ask tables of Postfix, so an address is judged once. nil
	// takes every address.
	WhyUnread func(context.Context, spec.Answers) error
}

// Ask asks what is not fixed and returns all answers, the fixed ones included.
// What was proposed and accepted is in the answers too, so that they do what
// the administrator saw. The error is ErrAborted, or that of Propose.
func Ask(ctx context.Context, o Options) (spec.Answers, error) {
	f := newFlow(o.Fixed, o.Propose)
	if o.Inbound {
		f.questions, f.inboundOnly = inboundQuestions(), true
	}
	if o.WhyUnread != nil {
		f.whyUnread = func(a spec.Answers) error { return o.WhyUnread(ctx, a) }
	}
	ask := askOnScreen
	if o.Accessible {
		ask = askPlainly
	}
	if err := ask(ctx, o, f); err != nil {
		return spec.Answers{}, interrupted(ctx, err)
	}
	if f.at > 0 && len(f.entered) > 0 { // the answers are looked into, which takes a moment
		_, _ = fmt.Fprintln(o.Out, "Working out what has to change ...")
	}
	return f.result(), nil
}

// Details prints what there is to see beside a question. It may be long.
type Details func(io.Writer) error

// Confirm asks a yes-or-no question whose default is No. Where there are details, a
// third answer shows them, in a pager if there is one, and the question comes again.
// The end of the input is a No as well; Ctrl-C and a cancelled context are ErrAborted.
func Confirm(ctx context.Context, o Options, title string, details Details) (bool, error) {
	confirm := confirmOnScreen
	if o.Accessible {
		confirm = confirmPlainly
	}
	for {
		said, err := confirm(ctx, o, title, details != nil)
		if err == nil && said == showAll {
			err = showDetails(ctx, o, details)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return false, interrupted(ctx, err)
		}
		return said == yes, nil
	}
}

// answer is what a person says to a question that wants a yes.
type answer int

const (
	no answer = iota
	yes
	showAll
)

// lookingAround is said while nobody is asked.
const lookingAround = "Looking at this machine and at DNS ..."

// interrupted reports a cancelled context as ErrAborted, whatever the layer
// below made of it.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrAborted) {
		return fmt.Errorf("%w: %w", ErrAborted, err)
	}
	return err
}

// columns returns the width of the layout. Lines longer than 80 columns are hard to
// read, and a width below 40 is not a terminal's.
func columns(width int) int {
	if width == 0 {
		return 80
	}
	return min(max(width, 40), 80)
}
