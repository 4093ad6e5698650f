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
	stage := Stage(in, edit)
	stage.Questions = in.Unanswered(questions...)
	return stage, notes, nil
}

// filtered returns notes on what a content filter means for signatures.
func filtered(p *state.Postfix, back []string) []state.Note {
	what, ways := "a content filter", slices.Clone(back)
	all := filters(p)
	if len(all) > 0 {
		what = all[0].Value
	}
	notes := proxied(p)
	var more string
	if postconf.PipesBack(p) {
		ways = append(ways, "sendmail(1)")
		more = ". Mail by sendmail(1) with a Received field has been signed before or is not ours, so it is left as it is"
	}
	if len(ways) == 0 || len(all) == 0 && len(notes) > 0 {
		return notes
	}
	return append(notes, state.Note{
		Topic: "content filter", Informational: true,
		Text: fmt.Sprintf("mail is signed once, before it goes to %s, and not when it comes back by %s%s. "+
			"A filter that changes bodies (disclaimers) breaks the signature", what, strings.Join(ways, " or "), more),
	})
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

// filter is a content filter, and where it is set.
type filter struct{ postconf.ContentFilter }

func filters(p *state.Postfix) []filter {
	var all []filter
	for _, f := range postconf.ContentFilters(p) {
		all = append(all, filter{f})
	}
	return all
}

// String says where the filter is set.
func (f filter) String() string {
	if f.Service == nil {
		return fmt.Sprintf("%s: content_filter = %s", postconf.MainCF, f.Value)
	}
	o, _ := f.Service.Option("content_filter")
	return fmt.Sprintf("%s sets content_filter=%s", lineOf(*f.Service, o), f.Value)
}

// checkFilters refuses filters whose mail comes back on a way that cannot
// be told from mail of this machine.
func checkFilters(p *state.Postfix) error {
	var bySMTP []fmt.Stringer
	for _, f := range filters(p) {
		if err := f.checkSupported(p); err != nil {
			return err
		}
		if s, _ := f.Transport(p); s.Command != "pipe" {
			bySMTP = append(bySMTP, f)
		}
	}
	for _, f := range proxies(p) {
		if err := f.checkSupported(p); err != nil {
			return err
		}
		bySMTP = append(bySMTP, f)
	}
	if postconf.PipesBack(p) {
		if err := toldFromSMTP(p); err != nil {
			return err
		}
	}
	back := func(s state.Service) bool { return isReinjection(p, s) }
	if len(bySMTP) > 0 && !slices.ContainsFunc(p.Services, back) {
		return step.Refuse("bind the service that takes mail back from the filter to the loopback (127.0.0.1:10025 inet ... smtpd -o content_filter= -o smtpd_proxy_filter=)",
			"%s: no service in %s could be recognised that takes mail back from the filter; mail would be signed twice, and mail forged outside, too",
			bySMTP[0], postconf.MasterCF)
	}
	return nil
}

func (f filter) checkSupported(p *state.Postfix) error {
	transport, nexthop, _ := strings.Cut(f.Value, ":")
	s, found := f.Transport(p)
	if !found {
		return step.Refuse(byHand, "%s: %s has no service %s", f, postconf.MasterCF, transport)
	}
	switch {
	case s.Command == "pipe":
		return nil // see toldFromSMTP
	case s.Command != "smtp" && s.Command != "lmtp":
		return step.Refuse(byHand, "%s: %s:%d is a %s, which is no filter that is understood", f, postconf.MasterCF, s.Line, s.Command)
	case !hereBy(nexthop):
		return step.Refuse(byHand, "%s: the filter is not on this machine, and nobody can tell from here what it sends back", f)
	}
	return nil
}

// hereBy reports whether a nexthop is a socket or a port of this machine.
func hereBy(nexthop string) bool {
	return strings.HasPrefix(nexthop, "unix:") || postconf.IsLoopback(postconf.Host(strings.TrimPrefix(nexthop, "inet:")))
}

// toldFromSMTP refuses a Postfix that does not tell milters what the script of
// templates.Resubmitted asks for.
func toldFromSMTP(p *state.Postfix) error {
	const name, macro = "milter_rcpt_macros", "{rcpt_mailer}"
	if value, set := p.Raw[name]; set && !postconf.Has(postconf.Effective(p, nil, name), macro) {
		return step.Refuse(fmt.Sprintf("postconf -e '%s = %s' && postfix reload", name, strings.TrimSpace(value+" "+macro)),
			"%s: %s lacks %s, by which the signer tells mail that comes by SMTP from what a content filter hands back by sendmail(1)", postconf.MainCF, name, macro)
	}
	for i := range p.Services {
		s := &p.Services[i]
		if o, own := s.Option(name); own && s.Command == "smtpd" && !postconf.Has(postconf.Effective(p, s, name), macro) {
			return step.Refuse(fmt.Sprintf("postconf -P '%s/%s=%s' && postfix reload", s.Name, name, strings.Join(append(postconf.Words(o.Value), macro), ",")),
				"%s sets %s without %s, by which the signer tells mail that comes by SMTP from what a content filter hands back by sendmail(1)", lineOf(*s, o), name, macro)
		}
	}
	return nil
}

// isReinjection reports whether a service takes mail back from a content filter: an
// smtpd that only this machine can reach and that sends nothing to a filter.
func isReinjection(p *state.Postfix, s state.Service) bool {
	address, inet := strings.CutSuffix(s.Name, "/inet")
	if s.Command != "smtpd" || !inet || postconf.Effective(p, &s, "content_filter") != "" || postconf.ProxyFilter(p, &s) != "" {
		return false
	}
	// It would say nothing about filters if no mail went to one.
	_, says := s.Option("content_filter")
	_, saysProxy := s.Option("smtpd_proxy_filter")
	says = says || saysProxy
	_, forwarded := s.Option("smtpd_authorized_xforward_hosts")
	client := slices.Contains([]string{"25", "smtp", "465", "smtps", "submissions", "587", "submission"},
		address[strings.LastIndexByte(address, ':')+1:])
	if !postconf.IsLoopback(postconf.Host(address)) {
		_, own := s.Option("mynetworks")
		return says && !client && own && postconf.OnlyLoopback(postconf.Effective(p, &s, "mynetworks"))
	}
	return says || forwarded || !client && len(filters(p))+len(proxies(p)) > 0
}
