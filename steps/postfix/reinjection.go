package postfix

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// Reinjection keeps the signer away from mail that comes back from a content filter
// (amavis and the like, FILTER_README). Such mail passes Postfix twice: it comes in by
// a service that knows the client, goes to the filter, and comes back by a service on
// the loopback. We sign on the first pass. On the second every client is 127.0.0.1,
// which is trusted, so the signer would sign what outsiders send in our name. The price
// is that a filter which changes bodies (disclaimers) breaks the signature; filters
// that prepend headers, as all do, do not.
//
// The stage comes before Postfix's own: master(8) reads master.cf at a reload only,
// while new processes read main.cf at once, and mail from the filter would be signed in
// between.
func Reinjection(in step.Input) (state.Stage, []state.Note, error) {
	p := in.Facts.Postfix
	if p == nil || in.SignsNothing() || checkSupported(p) != nil {
		return state.Stage{}, nil, nil // Postfix's own step refuses it
	}
	l, err := mainLists(in, in.Spec.Host.MilterDefaultAction)
	if err != nil {
		return state.Stage{}, nil, nil // as well
	}
	var back []string
	var questions []state.Question
	edit := state.MasterEdit{Path: postconf.MasterCF, Reason: "mail that comes back from the content filter is signed already"}
	for i := range p.Services {
		s := &p.Services[i]
		if !isReinjection(p, *s) {
			continue
		}
		back = append(back, s.Name)
		c, err := l.removeFrom(p, s)
		if err != nil {
			return state.Stage{}, nil, err
		}
		if c == nil {
			continue
		}
		questions = append(questions, c.q)
		for _, set := range c.set {
			edit.Set = append(edit.Set, state.ServiceSetting{Service: s.Name, Setting: set})
		}
	}
	notes := filtered(p, back)
	if len(edit.Set) == 0 {
		return state.Stage{}, notes, nil
	}
	stage := postfixStage(in, edit)
	stage.Questions = in.Unanswered(questions...)
	return stage, notes, nil
}

// filtered returns notes on what a content filter means for signatures.
func filtered(p *state.Postfix, back []string) []state.Note {
	if len(back) == 0 {
		return nil
	}
	what := "a content filter"
	if all := filters(p); len(all) > 0 {
		what = all[0].value
	}
	return []state.Note{{
		Topic: "content filter", Informational: true,
		Text: fmt.Sprintf("mail is signed once, before it goes to %s, and not when it comes back by %s. "+
			"A filter that changes bodies (disclaimers) breaks the signature", what, strings.Join(back, " and ")),
	}}
}

// removeFrom removes our milter from a service for re-injected mail; nil if it is not
// there.
func (l *milterLists) removeFrom(p *state.Postfix, s *state.Service) (*change, error) {
	const list = "smtpd_milters"
	if postconf.Has(postconf.Effective(p, s, overrides), "no_milters") {
		return nil, nil
	}
	if _, found, err := l.findOurs(s, list); err != nil || !found {
		return nil, err
	}
	value, err := l.withoutOurs(s, list)
	if err != nil {
		return nil, err
	}
	q := question(s, "takes mail back from the content filter, and every client is this machine there: the signer "+
		"would sign that mail a second time, and what others send from outside in your name. It is left out")
	if value != "" {
		q.Text = strings.TrimSuffix(q.Text, ".") + "; the other milters stay."
	}
	return l.withLines(s, q, state.Setting{Name: list, Value: value}), nil
}

// filter is a content_filter(5) and where it is set.
type filter struct {
	service *state.Service // nil for main.cf
	value   string         // transport:nexthop
}

func filters(p *state.Postfix) []filter {
	const name = "content_filter"
	var all []filter
	if value := postconf.Effective(p, nil, name); value != "" {
		all = append(all, filter{nil, value})
	}
	for i := range p.Services {
		s := &p.Services[i]
		if _, own := s.Option(name); !own || !slices.Contains([]string{"smtpd", "pickup", "qmqpd"}, s.Command) {
			continue
		}
		if value := postconf.Effective(p, s, name); value != "" {
			all = append(all, filter{s, value})
		}
	}
	return all
}

// String says where the filter is set.
func (f filter) String() string {
	if f.service == nil {
		return fmt.Sprintf("%s: content_filter = %s", postconf.MainCF, f.value)
	}
	o, _ := f.service.Option("content_filter")
	return fmt.Sprintf("%s sets content_filter=%s", lineOf(*f.service, o), f.value)
}

// checkFilters refuses filters whose mail comes back on a way that cannot
// be told from mail of this machine.
func checkFilters(p *state.Postfix) error {
	all := filters(p)
	for _, f := range all {
		if err := f.checkSupported(p); err != nil {
			return err
		}
	}
	back := func(s state.Service) bool { return isReinjection(p, s) }
	if len(all) > 0 && !slices.ContainsFunc(p.Services, back) {
		return step.Refuse("bind the service that takes mail back from the filter to the loopback (127.0.0.1:10025 inet ... smtpd -o content_filter=)",
			"%s: no service in %s could be recognised that takes mail back from the filter; mail would be signed twice, and mail forged outside, too",
			all[0], postconf.MasterCF)
	}
	return nil
}

func (f filter) checkSupported(p *state.Postfix) error {
	transport, nexthop, _ := strings.Cut(f.value, ":")
	i := slices.IndexFunc(p.Services, func(s state.Service) bool { return s.Name == transport+"/unix" })
	if i < 0 {
		return step.Refuse(byHand, "%s: %s has no service %s", f, postconf.MasterCF, transport)
	}
	s := p.Services[i]
	switch {
	case s.Command == "pipe":
		return step.Refuse("let a milter of that program take the filter's place (spamass-milter, rspamd), or "+byHand,
			"%s: %s:%d is a program that hands mail back through sendmail(1), as if it had been written here; "+
				"mail would be signed twice, and mail forged outside, too", f, postconf.MasterCF, s.Line)
	case s.Command != "smtp" && s.Command != "lmtp":
		return step.Refuse(byHand, "%s: %s:%d is a %s, which is no filter that is understood", f, postconf.MasterCF, s.Line, s.Command)
	case !strings.HasPrefix(nexthop, "unix:") && !postconf.IsLoopback(postconf.Host(strings.TrimPrefix(nexthop, "inet:"))):
		return step.Refuse(byHand, "%s: the filter is not on this machine, and nobody can tell from here what it sends back", f)
	}
	return nil
}

// isReinjection reports whether a service takes mail back from a content filter: an
// smtpd that only this machine can reach and that sends nothing to a filter.
func isReinjection(p *state.Postfix, s state.Service) bool {
	address, inet := strings.CutSuffix(s.Name, "/inet")
	if s.Command != "smtpd" || !inet || postconf.Effective(p, &s, "content_filter") != "" {
		return false
	}
	// It would say nothing about filters if no mail went to one.
	_, says := s.Option("content_filter")
	_, forwarded := s.Option("smtpd_authorized_xforward_hosts")
	client := slices.Contains([]string{"25", "smtp", "465", "smtps", "submissions", "587", "submission"},
		address[strings.LastIndexByte(address, ':')+1:])
	if !postconf.IsLoopback(postconf.Host(address)) {
		_, own := s.Option("mynetworks")
		return says && !client && own && postconf.OnlyLoopback(postconf.Effective(p, &s, "mynetworks"))
	}
	return says || forwarded || !client && len(filters(p)) > 0
}
