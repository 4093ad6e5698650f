// Package edits evaluates the edits of other people's files that need no
// daemon's tool: text in, text out. Evaluating an edit twice gives the same
// bytes as evaluating it once.
package edits

import (
	"fmt"
	"strings"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/mastercf"
	"mailsetup/internal/restrictions"
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// Evaluate evaluates an edit if it can. Handled is false for edits that need a tool of
// the machine, such as those of Postfix's main.cf.
func Evaluate(e state.Edit, current []byte) (out []byte, handled bool, err error) {
	switch e := e.(type) {
	case state.NamedEdit:
		out, err = Named(e, current)
	case state.AliasEdit:
		out, err = Alias(e, current)
	case state.ZoneEdit:
		out, err = zonefile.Apply(e, current)
	case state.UnitEdit:
		out = Unit(e, current)
	case state.MasterEdit:
		var text string
		text, err = mastercf.Set(string(current), e.Set)
		out = []byte(text)
	case state.EximEdit:
		out = []byte(eximconf.Set(string(current), e.Settings()))
	case state.EximHandEdit:
		out, err = eximHand(string(current))
	case state.BlockEdit:
		out, err = Block(e, current)
	case state.RestrictionEdit:
		out, err = restriction(e, string(current))
	default:
		return nil, false, nil
	}
	return out, true, err
}

// restriction puts an element into a list of restrictions, or takes it out.
func restriction(e state.RestrictionEdit, text string) (out []byte, err error) {
	switch {
	case e.Service == "" && e.Drop:
		text, err = restrictions.Remove(text, e.Parameter, e.Element)
	case e.Service == "":
		text, err = restrictions.Insert(text, e.Parameter, e.Index, e.Element)
	case e.Drop:
		text, err = restrictions.RemoveOption(text, e.Service, e.Parameter, e.Element)
	default:
		text, err = restrictions.InsertOption(text, e.Service, e.Parameter, e.Index, e.Element)
	}
	return []byte(text), err
}

// eximHand makes comments of what an administrator has written about DKIM around our block.
func eximHand(text string) ([]byte, error) {
	start, end, err := findLines(text, eximconf.BlockName)
	if err != nil {
		return nil, err
	}
	if start < 0 {
		return []byte(eximconf.CommentOut(text)), nil
	}
	return []byte(eximconf.CommentOut(text[:start]) + text[start:end] + eximconf.CommentOut(text[end:])), nil
}

// checkPlain refuses text that could end a quoted string or a line.
func checkPlain(what, s string) error {
	if s == "" {
		return fmt.Errorf("%s is empty", what)
	}
	if i := strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '"' || r == '\\' }); i >= 0 {
		return fmt.Errorf("%s %q: quote, backslash or control character", what, s)
	}
	return nil
}

// withNewline returns text with a newline at its end, unless it is empty.
func withNewline(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}
