package postfix

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// rewrites returns notes about what Postfix changes after the milters, so that
// signatures no longer verify. There are none where that cannot matter.
func rewrites(in step.Input) []state.Note {
	p := in.Facts.Postfix
	if p == nil {
		return nil
	}
	var notes []state.Note
	for _, r := range p.Rewrites {
		if note, ok := rewriteNote(in, r); ok {
			notes = append(notes, note)
		}
	}
	return notes
}

func rewriteNote(in step.Input, r state.Rewrite) (state.Note, bool) {
	note := state.Note{Topic: r.Parameter}
	what := ""
	switch {
	case r.Problem != "":
		note.Text = fmt.Sprintf("%s: what it changes could not be found out (%s). It is applied after signing: "+
			"where it changes a signed field or the body, the signature no longer holds", placeOf(r), r.Problem)
		return note, true
	case r.Parameter == "smtp_generic_maps":
		if what = firstMatchingRow(in, r); what == "" {
			return note, false
		}
		what = "it makes " + what
		note.Action = "let Postfix do that before signing: take it out there, and add it to sender_canonical_maps"
	default:
		line, rule := firstChangingRule(r)
		if rule == "" {
			return note, false
		}
		what = rule
		if r.File != "" {
			what = fmt.Sprintf("%s:%d: %s", r.File, line, rule)
		}
		note.Action = "take the rule out there, or add it to header_checks, which is applied before signing"
		if r.Parameter == "smtp_body_checks" {
			note.Action = "take the rule out there, or let a milter before OpenDKIM do that"
		}
	}
	note.Text = fmt.Sprintf("%s: %s. That is after signing: the signature of such mail no longer holds", placeOf(r), what)
	return note, true
}

// placeOf names the line that names the table, for messages.
func placeOf(r state.Rewrite) string {
	if r.Service != "" {
		return fmt.Sprintf("%s:%d: %s sets %s=%s", postconf.MasterCF, r.Line, r.Service, r.Parameter, r.Table)
	}
	if r.Line == 0 {
		return fmt.Sprintf("%s: %s = %s", postconf.MainCF, r.Parameter, r.Table)
	}
	return fmt.Sprintf("%s:%d: %s = %s", postconf.MainCF, r.Line, r.Parameter, r.Table)
}

// firstMatchingRow returns the first row of an address table that changes one of our
// addresses, generic(5): user@domain, @domain, or a user at the names of this machine.
func firstMatchingRow(in step.Input, r state.Rewrite) string {
	names := map[string]bool{}
	for _, d := range in.Spec.Domains {
		names[d.Name] = true
	}
	for _, n := range signer.HostNames(in) {
		names[n] = true
	}
	origin := strings.ToLower(in.Facts.Postfix.Value["myorigin"])
	for _, row := range r.Rows {
		key, value := strings.ToLower(row.Name), strings.ToLower(row.Value)
		user, domain, full := strings.Cut(key, "@")
		if !full {
			user, domain = key, origin
		}
		if names[domain] && value != key && value != user+"@"+domain {
			return row.Value + " of " + row.Name
		}
	}
	return ""
}

// signedFields are the header fields that OpenDKIM signs unless SignHeaders says
// otherwise (2.11, libopendkim's dkim_should_signhdrs).
var signedFields = strings.Fields(`from reply-to subject date to cc resent-date resent-from resent-to resent-cc in-reply-to references
	list-id list-help list-unsubscribe list-subscribe list-post list-owner list-archive`)

// firstChangingRule returns the first rule of a pattern table, header_checks(5), that
// changes a signed field: its line and its action.
func firstChangingRule(r state.Rewrite) (line int, rule string) {
	for _, l := range rules(string(r.Text)) {
		pattern, action := splitRule(l.text)
		word, rest, _ := strings.Cut(action, " ")
		switch word = strings.ToUpper(word); {
		case !slices.Contains([]string{"REPLACE", "PREPEND", "IGNORE", "STRIP"}, word):
			continue
		case r.Parameter != "smtp_header_checks": // of the body, as DKIM sees it
			return l.line, l.text
		case word == "PREPEND":
			name, _, _ := strings.Cut(rest, ":")
			if slices.Contains(signedFields, strings.ToLower(strings.TrimSpace(name))) {
				return l.line, l.text
			}
		case mayMatchSigned(pattern):
			return l.line, l.text
		}
	}
	return 0, ""
}

// numberedRule is a logical line and where it begins.
type numberedRule struct {
	line int
	text string
}

// rules returns the logical lines of a table: a line that begins with white space
// continues the one before, those that begin with # are comments.
func rules(text string) []numberedRule {
	var all []numberedRule
	n := 0
	for l := range strings.Lines(text) {
		n++
		trimmed := strings.TrimSpace(l)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case (l[0] == ' ' || l[0] == '\t') && len(all) > 0:
			all[len(all)-1].text += " " + trimmed
		default:
			all = append(all, numberedRule{n, trimmed})
		}
	}
	return all
}

// splitRule splits /pattern/flags action, regexp_table(5). What a negated pattern, or a
// line without a pattern, matches is not known.
func splitRule(rule string) (pattern, action string) {
	negated := strings.HasPrefix(rule, "!")
	rule = strings.TrimLeft(rule, "! ")
	if rule == "" || rule[0] >= 'a' && rule[0] <= 'z' { // if, endif
		return "", ""
	}
	for i := 1; i < len(rule); i++ {
		switch {
		case rule[i] == '\\':
			i++
		case rule[i] == rule[0]:
			if at := strings.IndexAny(rule[i:], " \t"); at >= 0 {
				action = rule[i+at:]
			}
			if pattern = rule[1:i]; negated {
				pattern = ""
			}
			return pattern, strings.TrimSpace(action)
		}
	}
	return "", ""
}

// mayMatchSigned reports whether a pattern may match a signed header field, judging by
// its beginning: ^Name:, ^Na, ^(Name|Other):.
func mayMatchSigned(pattern string) bool {
	text, anchored := strings.CutPrefix(pattern, "^")
	if !anchored {
		return true
	}
	alternatives := []string{text}
	if inner, ok := strings.CutPrefix(text, "("); ok {
		if end := strings.IndexByte(inner, ')'); end >= 0 {
			alternatives = nil
			for a := range strings.SplitSeq(strings.TrimPrefix(inner[:end], "?:"), "|") {
				alternatives = append(alternatives, a+inner[end+1:])
			}
		}
	}
	return slices.ContainsFunc(alternatives, func(a string) bool {
		end := strings.IndexAny(a, `.*+?[]()|{}\$^`)
		if end < 0 {
			end = len(a)
		} else if strings.ContainsRune("*?{", rune(a[end])) && end > 0 {
			end-- // the letter before may be missing
		}
		name, _, whole := strings.Cut(strings.ToLower(a[:end]), ":")
		return slices.ContainsFunc(signedFields, func(f string) bool {
			return whole && f == name || !whole && strings.HasPrefix(f+":", name)
		})
	})
}

// RewriteNotes returns notes about what Postfix changes in mail after it was signed.
func RewriteNotes(in step.Input) []state.Note { return rewrites(in) }
