package plan

import (
	"fmt"
	"io"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// ConsentFlags returns the flags that answer all questions of a kind with yes and no,
// "" if there is none.
func ConsentFlags(k state.QuestionKind) (yes, no string) {
	switch k {
	case state.AskRecord:
		return "--existing-records change", "--existing-records keep"
	case state.AskService:
		return "--service-milters merge", "--service-milters keep"
	case state.AskOverride:
		return "--replace-override", ""
	case state.AskRemoval:
		return "--remove-missing", ""
	case state.AskBounces:
		return "--sign-bounces yes", "--sign-bounces no"
	case state.AskRelease:
		return "--any-release", ""
	case state.AskMTA:
		return "--replace-mta", ""
	case state.AskWildcard:
		return "--wildcard-records copy", "--wildcard-records drop"
	case state.AskSigner:
		return "--other-signer replace", "--other-signer keep"
	case state.AskChecks:
		return "--replace-checks", ""
	case state.AskDelegation:
		return "--delegate-keys", ""
	}
	return "", ""
}

// subject returns the heading of a question.
func subject(q state.Question) string {
	switch q.Kind {
	case state.AskRecord:
		return "a record of your zone"
	case state.AskService:
		return "the milters of " + q.Subject
	case state.AskOverride:
		return "the override of OpenDKIM's unit"
	case state.AskRemoval:
		return "the end of " + q.Domain
	case state.AskBounces:
		return "bounces and your other milters"
	case state.AskRelease:
		return "the release of this system"
	case state.AskMTA:
		return "this machine's mail server"
	case state.AskWildcard:
		return "names of " + q.Domain + " and a wildcard of the zone"
	case state.AskSigner:
		return "another signer"
	case state.AskDelegation:
		return "the keys of every sender of " + q.Domain
	case state.AskChecks:
		return "what incoming mail meets until now"
	}
	return string(q.Kind)
}

// WriteQuestion prints one question: its text, the line before and after, and what a no
// means. Which is appended to the heading: which of how many it is, "" for none.
func WriteQuestion(w io.Writer, q state.Question, which string, o TextOptions) error {
	t := &printer{color: o.Color}
	if which != "" {
		which = " (" + which + ")"
	}
	t.ask(q, subject(q)+which)
	_, err := w.Write(t.buf.Bytes())
	return err
}

// Prompt returns the prompt for a yes or no.
func Prompt(k state.QuestionKind) string { return prompts[k] }

var prompts = map[state.QuestionKind]string{
	state.AskRecord:     "Change this record?",
	state.AskService:    "Change this service?",
	state.AskOverride:   "Take this out of the override?",
	state.AskRemoval:    "Stop signing its mail?",
	state.AskBounces:    "Sign bounces, too?",
	state.AskRelease:    "Go on all the same?",
	state.AskMTA:        "Replace it?",
	state.AskWildcard:   "Publish copies?",
	state.AskSigner:     "Sign here, and no longer there?",
	state.AskChecks:     "Change this setting?",
	state.AskDelegation: "Have all of them here?",
}

// KeepPrompt returns the prompt that asks whether the run goes on beside what was
// refused.
func KeepPrompt(k state.QuestionKind) string {
	if k == state.AskWildcard {
		return "Go on without?"
	}
	return "Leave it as it is, and go on?"
}

// questions prints open questions, each with the flag that answers it.
func (t *printer) questions(qs []state.Question) {
	if len(qs) == 0 {
		return
	}
	t.line("")
	t.line(t.paint(bold, "Needs your consent"))
	for _, q := range qs {
		yes, _ := ConsentFlags(q.Kind)
		t.ask(q, fmt.Sprintf("%s (%s)", subject(q), yes))
	}
}

func (t *printer) ask(q state.Question, head string) {
	t.entry("?", yellow, head, q.Text)
	if q.Path != "" {
		t.line("      " + text.Printable(where(q)))
	}
	t.side("-", red, q.Before)
	t.side("+", green, q.After)
	if q.Declined == "" {
		t.wrap(6, "With a no: nothing is changed, and the run ends.")
	} else {
		t.wrap(6, "With a no: "+q.Declined)
	}
}

// where returns the place of a question as FILE:LINE.
func where(q state.Question) string {
	if q.Line == 0 {
		return string(q.Path)
	}
	return fmt.Sprintf("%s:%d", q.Path, q.Line)
}

// side prints one side of a change. A long line is continued below, indented.
func (t *printer) side(sign string, s style, what string) {
	const indent, further = 8, 4
	if what == "" {
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(what, "\n"), "\n") {
		parts := text.Cut(text.Printable(text.ExpandTabs(line)), width-indent-2, width-indent-2-further)
		for i, part := range parts {
			if i > 0 {
				part = strings.Repeat(" ", further) + part
			}
			t.line(strings.Repeat(" ", indent) + t.paint(s, sign+" "+part))
		}
	}
}
