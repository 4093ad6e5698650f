package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/livepath"
	"mailsetup/internal/postconf"
	"mailsetup/internal/probe"
	"mailsetup/internal/signers"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
)

// submission judges mail of users who log in: by a message where one was taken, else by
// what Postfix would tell the signer of such a user.
func (j *judgement) submission(ctx context.Context, s sender) {
	services := j.userServices()
	tried := slices.ContainsFunc(j.result.Deliveries, func(d livepath.Delivery) bool {
		return d.Signer == s.want && (d.Way == livepath.Submission || d.Way == livepath.SMTPS)
	})
	if len(services) == 0 || !tried && (s.host && j.result.NotSentReason == "") {
		return
	}
	for _, u := range services {
		about := strings.TrimSuffix(u.asked.Service.Name, "/inet") + ", " + s.want.From
		arrived := slices.DeleteFunc(j.deliveries(u.way, s), func(d livepath.Delivery) bool { return d.Refused })
		if len(arrived) > 0 {
			v := j.judge(ctx, s, u.way, arrived)
			j.say("live.signed.submission", s, about, v)
			j.picture("submission", s, arrived, v)
			continue
		}
		v := j.conversation(ctx, s, u)
		if i := slices.IndexFunc(j.result.Deliveries, func(d livepath.Delivery) bool { return d.Way == u.way && d.Refused }); i >= 0 && j.o.Login != nil && v.ok() {
			v = verdict{severity: finding.Unknown, key: "login " + u.asked.Service.Name, station: "Postfix", seen: "Postfix does not take a message of the login: " + j.result.Deliveries[i].Missing}
			v.remedy = finding.Text("look at user and password in the file of --login")
		}
		j.say("live.signed.submission", s, about, v)
		if !tried {
			return // one domain is enough
		}
	}
}

// conversation asks the signer as Postfix would for a user who logged in elsewhere.
func (j *judgement) conversation(ctx context.Context, s sender, u users) verdict {
	p := j.s.Facts.Postfix
	v := verdict{severity: finding.Problem, key: "login " + u.asked.Service.Name, station: "OpenDKIM", expected: "mail of users who log in is signed by " + keyName(s.want)}
	if u.asked.Off != "" {
		v.seen, v.cause = u.asked.Off+": mail of users who log in there leaves unsigned", "live.milters"
		return v
	}
	from, ok := j.stranger()
	if !ok {
		from = "198.51.100.77"
	}
	const macros, login = "milter_mail_macros", "{auth_type}"
	client := state.Client{Kind: state.ByLogin, Daemon: postconf.Effective(p, &u.asked.Service, "milter_macro_daemon_name"), Address: from}
	value := postconf.Effective(p, &u.asked.Service, macros)
	told := value == "" || postconf.Has(value, login)
	if !told {
		client.Kind = state.BySMTP
	}
	found, err := j.signaturesFor(ctx, s.want, client)
	switch {
	case err != nil:
		v.severity, v.seen = finding.Unknown, "the signer was asked: "+err.Error()
		return v
	case slices.ContainsFunc(found, func(g state.Signature) bool { return strings.EqualFold(g.Domain, s.want.Domain) && g.Problem == "" }):
		return verdict{severity: finding.OK, seen: "the signer signs what it is told of a user who logged in; no message was sent (see --login)"}
	}
	v.seen, v.remedy = "the signer does not sign it", j.writesTables()
	if !told {
		v.seen = fmt.Sprintf("%s lacks %s: the signer is not told that a user logged in, and does not sign", macros, login)
		v.remedy = finding.Command("postconf -e %s && systemctl reload postfix", macros+" = "+value+" "+login)
		if _, own := u.asked.Service.Option(macros); own {
			v.remedy = finding.Command("postconf -PX %s && systemctl reload postfix", u.asked.Service.Name+"/"+macros)
		}
	}
	return v
}

// elsewhere looks at domains that another program signs for, or on a server that mailsetup
// has not set up: all milters are asked.
func (c mailer) elsewhere(ctx context.Context, domains []string) {
	if len(domains) == 0 {
		return
	}
	list := postfix.OtherMilters(c.in)
	if at := c.address(); at != "" && c.signs() {
		list = append(list, state.Milter{
			Endpoint: "OpenDKIM", Addresses: []string{at}, Clients: []state.Client{{Kind: state.BySendmail}, {Kind: state.ByLogin}},
		})
	}
	ctx, cancel := context.WithTimeout(ctx, allAsksWithin)
	defer cancel()
	lookup := func(context.Context, string) ([]string, error) { return nil, fmt.Errorf("DNS was not asked") }
	if c.dns != nil {
		lookup = signers.KeyRecords(c.dns)
	}
	list = signers.Ask(ctx, c.m, probe.Signatures, list, domains, nil, lookup)
	for _, d := range domains {
		c.add(c.signedElsewhere(d, list))
	}
}

// signedElsewhere says what the milters did with mail of a domain.
func (c mailer) signedElsewhere(domain string, list []state.Milter) finding.Finding {
	f := finding.Finding{ID: "live.signed.sendmail", Severity: finding.Unknown, Domain: domain, Subject: "postmaster@" + domain}
	var silent []string
	for _, m := range list {
		if !m.Asked && m.Program.Kind != state.OpenDMARC {
			silent = append(silent, strings.TrimSpace(m.Endpoint+" "+m.Problem))
		}
		for _, g := range m.Signatures {
			if g.Domain != domain {
				continue
			}
			f.Subject = g.From
			if g.Problem != "" {
				f.Severity, f.CausedBy, f.Seen = finding.Problem, "dkim", "signed with "+g.Selector+"._domainkey."+g.Domain+", and does not verify: "+g.Problem
				f.Remedy = finding.Command("mailsetup check --only dkim %s", domain)
				return f
			}
			f.Seen = "a milter signs it with " + g.Selector + "._domainkey." + g.Domain + ", and that verifies; its way through Postfix was not tried, for which mailsetup init makes a route"
			if c.s.SetUp {
				f.Severity = finding.OK
				f.Seen = "the other signer signs it with " + g.Selector + "._domainkey." + g.Domain + ", and that verifies (its milter was asked; no message was sent)"
			}
			return f
		}
	}
	switch filters := postconf.ContentFilters(c.s.Facts.Postfix); {
	case len(silent) > 0:
		f.Seen = "could not be asked: " + strings.Join(silent, ", ")
	case len(filters) > 0:
		f.Seen = "no milter signs it; whether the content filter " + filters[0].Value + " does was not tried"
	case c.s.SetUp:
		f.Seen = "its file says that another program signs, and no milter of Postfix does"
	default:
		f.Severity, f.Seen = finding.Problem, "no milter of Postfix signs it: it leaves without a DKIM signature"
		f.Expected, f.Remedy = "a signature of "+domain, finding.Command("sudo mailsetup init --domain %s", domain)
	}
	return f
}
