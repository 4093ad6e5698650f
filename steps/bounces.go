package steps

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

const mailClasses = "internal_mail_filter_classes"

// bounces lets the bounces that Postfix writes pass through its milters, which
// signs them: internal_mail_filter_classes, postconf(5). Where others would see
// them, too, that is asked for: a spam filter may find a bounce, which quotes
// spam, to be spam.
func (l *lists) bounces(in Input) ([]state.Question, []state.Note) {
	was := l.main[mailClasses]
	if has(was, "bounce") {
		l.put(place{nil, mailClasses}, was)
		return nil, nil
	}
	others := slices.DeleteFunc(l.bounceReaders(in.Facts.Postfix), func(m string) bool { return signsOnly(in, m) })
	if len(others) > 0 && in.Spec.Host.SignBounces == "no" {
		return nil, []state.Note{{Topic: "bounces", Text: "the bounces of this server leave unsigned, as you decided", Passing: true}}
	}
	value := strings.Join(append(words(was), "bounce"), ", ")
	l.put(place{nil, mailClasses}, value)
	if len(others) == 0 || in.Spec.Host.SignBounces == "yes" {
		return nil, nil
	}
	q := state.Question{
		ID: "bounces", Kind: state.AskBounces, Path: mainCf, After: mailClasses + " = " + value,
		Text: fmt.Sprintf("Bounces that this server writes get signed if they go through its milters (%s = bounce). "+
			"%s will then see them, too, and may take the spam that a bounce quotes for spam of yours.", mailClasses, strings.Join(others, ", ")),
		Declined: "bounces leave unsigned",
	}
	if was != "" {
		q.Before = mailClasses + " = " + was
	}
	return []state.Question{q}, nil
}

// bounceReaders are what else would see bounces: milters that look at content,
// and Postfix's own header and body checks.
func (l *lists) bounceReaders(p *state.Postfix) []string {
	if p == nil {
		return nil
	}
	var cleanup *state.Service
	for i := range p.Services {
		if s := &p.Services[i]; s.Command == "cleanup" && takesLocalMail(p, s) {
			cleanup = s
			break
		}
	}
	all := l.others(cleanup, "non_smtpd_milters")
	for _, name := range []string{"header_checks", "mime_header_checks", "nested_header_checks", "body_checks"} {
		if effective(p, cleanup, name) != "" {
			all = append(all, name)
		}
	}
	return all
}
