package postfix

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// proxyFilter is an smtpd that hands messages to a filter while they come in,
// SMTPD_PROXY_README. A milter of that service sees no header and no body
// (MILTER_README, Limitations), so what comes in there cannot be signed; and where it
// comes back, nobody knows whose it is.
type proxyFilter struct {
	service *state.Service
	value   string
}

func proxies(p *state.Postfix) []proxyFilter {
	var all []proxyFilter
	for i := range p.Services {
		if value := postconf.ProxyFilter(p, &p.Services[i]); value != "" {
			all = append(all, proxyFilter{&p.Services[i], value})
		}
	}
	return all
}

// String says where the filter is set.
func (f proxyFilter) String() string {
	if o, own := f.service.Option("smtpd_proxy_filter"); own {
		return fmt.Sprintf("%s sets smtpd_proxy_filter=%s", lineOf(*f.service, o), o.Value)
	}
	return fmt.Sprintf("%s: smtpd_proxy_filter = %s (%s)", postconf.MainCF, f.value, f.service.Name)
}

// checkSupported refuses a filter through which all users who log in send, and one
// that is elsewhere.
func (f proxyFilter) checkSupported(p *state.Postfix) error {
	logsIn := func(s *state.Service) bool {
		return s.Command == "smtpd" && postconf.Effective(p, s, "smtpd_sasl_auth_enable") == "yes"
	}
	other := slices.ContainsFunc(p.Services, func(s state.Service) bool {
		return logsIn(&s) && postconf.ProxyFilter(p, &s) == "" && !isReinjection(p, s)
	})
	switch {
	case logsIn(f.service) && !other:
		return step.Refuse(fmt.Sprintf("let a submission service without it take mail of users: -o smtpd_proxy_filter= below submission in %s; "+
			"for all mail to be filtered, set content_filter in its place", postconf.MasterCF),
			"%s, which takes the message before any milter sees it (MILTER_README, Limitations): mail of users who log in cannot be signed", f)
	case !strings.HasPrefix(f.value, ":") && !hereBy(f.value):
		return step.Refuse(byHand, "%s: the filter is not on this machine, and nobody can tell from here what it sends back", f)
	}
	return nil
}

// proxied returns a note on what such services leave unsigned.
func proxied(p *state.Postfix) []state.Note {
	all := proxies(p)
	if len(all) == 0 {
		return nil
	}
	var names []string
	for _, f := range all {
		names = append(names, f.service.Name)
	}
	return []state.Note{{
		Topic: "smtpd_proxy_filter",
		Text: fmt.Sprintf("mail that comes in by %s goes to %s before any milter sees it: what this machine and its networks send that way leaves unsigned",
			step.EnumerateUpTo(names, 3), all[0].value),
		Action: "let programs and users send by sendmail(1) or by a service without it, such as submission (port 587)",
	}}
}
