package postfix

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

const mailClasses = "internal_mail_filter_classes"

// bounces lets bounces that Postfix writes pass its milters, so that they are signed:
// internal_mail_filter_classes, postconf(5). Where other milters would see them too it
// asks first: a spam filter may reject a bounce, which quotes spam.
func (l *milterLists) bounces(in step.Input) ([]state.Question, []state.Note) {
	was := l.main[mailClasses]
	if postconf.Has(was, "bounce") {
		l.put(listPlace{nil, mailClasses}, was)
		return nil, nil
	}
	others := slices.DeleteFunc(l.bounceReaders(in.Facts.Postfix), func(m string) bool { return signsOnly(in, m) })
	if len(others) > 0 && in.Spec.Host.SignBounces == "no" {
		return nil, []state.Note{{Topic: "bounces", Text: "the bounces of this server leave unsigned, as you decided", Informational: true}}
	}
	value := strings.Join(append(postconf.Words(was), "bounce"), ", ")
	l.put(listPlace{nil, mailClasses}, value)
	if len(others) == 0 || in.Spec.Host.SignBounces == "yes" {
		return nil, nil
	}
	q := state.Question{
		ID: "bounces", Kind: state.AskBounces, Path: postconf.MainCF, After: mailClasses + " = " + value,
		Text: fmt.Sprintf("Bounces that this server writes get signed if they go through its milters (%s = bounce). "+
			"%s will then see them, too, and may take the spam that a bounce quotes for spam of yours.", mailClasses, strings.Join(others, ", ")),
		Declined: "bounces leave unsigned",
	}
	if was != "" {
		q.Before = mailClasses + " = " + was
	}
	return []state.Question{q}, nil
}

// bounceReaders returns what else would see bounces: milters that scan content, and
// Postfix's own header and body checks.
func (l *milterLists) bounceReaders(p *state.Postfix) []string {
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
	all := l.otherMilters(cleanup, "non_smtpd_milters")
	for _, name := range []string{"header_checks", "mime_header_checks", "nested_header_checks", "body_checks"} {
		if postconf.Effective(p, cleanup, name) != "" {
			all = append(all, name)
		}
	}
	return all
}
