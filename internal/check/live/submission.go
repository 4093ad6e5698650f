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
	byUser := func(d livepath.Delivery) bool { return d.Way == livepath.Submission || d.Way == livepath.SMTPS }
	tried := slices.ContainsFunc(j.result.Deliveries, func(d livepath.Delivery) bool { return d.Signer == s.want && byUser(d) })
	if len(services) == 0 || !tried && (s.host && j.result.NotSentReason == "") {
		return
	}
	for _, u := range services {
		about := strings.TrimSuffix(u.asked.Service.Name, "/inet") + ", " + s.want.From
		arrived := slices.DeleteFunc(j.deliveries(u.way, s), func(d livepath.Delivery) bool { return d.Refused || d.At != u.at })
		if len(arrived) > 0 {
			v := j.judge(ctx, s, u.way, arrived)
			j.say("live.signed.submission", s, about, v)
			j.picture("submission", s, arrived, v)
			continue
		}
		v := j.conversation(ctx, s, u)
		if v.ok() && j.o.Login != nil {
			v = j.withoutMessage(u, v)
		}
		j.say("live.signed.submission", s, about, v)
		if !tried {
			return // one domain is enough
		}
	}
}

// withoutMessage says why Postfix has no message from the user of --login by a service.
func (j *judgement) withoutMessage(u users, otherwise verdict) verdict {
	v := verdict{severity: finding.Unknown, key: "login " + u.asked.Service.Name, station: "Postfix"}
	i := slices.IndexFunc(j.result.Deliveries, func(d livepath.Delivery) bool { return d.Way == u.way && d.At == u.at && d.Refused })
	switch {
	case j.result.NotSentReason != "":
		v.key, v.seen = notSent, "nobody logged in: no message could be sent: "+j.result.NotSentReason
		return v
	case u.at == "":
		v.seen = "nobody logged in: the address at which it listens is not known"
		return v
	case i < 0: // it was a message of another domain
		otherwise.seen = "the signer signs what it is told of a user who logged in; a message was handed in for another domain"
		return otherwise
	}
	d := j.result.Deliveries[i]
	log := finding.Text("to see why:").Command("journalctl SYSLOG_FACILITY=2 -n 30")
	switch d.Auth {
	case livepath.AuthDenied:
		v.seen, v.remedy = "it does not take user and password: "+d.Missing, finding.Text("look at user and password in the file of --login")
	case livepath.AuthUnavailable:
		v.seen, v.remedy = "it could not check user and password: "+d.Missing, log
	case livepath.AuthNotOffered:
		v.seen = "nobody can log in there: " + d.Missing
		v.remedy = finding.Text("to see how users log in (SASL_README):").Command("postconf -n | grep smtpd_sasl; postconf -P | grep smtpd_sasl")
	case livepath.TLSNotOffered:
		v.seen = "a password goes there under TLS alone: " + d.Missing
		v.remedy = finding.Text("it needs a certificate (TLS_README); to see which it has:").Command("postconf -n | grep smtpd_tls")
	case livepath.AuthTaken:
		v.seen, v.remedy = "it takes the login, and not the message: "+d.Missing, log
	default:
		v.seen, v.remedy = "nobody logged in: "+d.Missing, log
	}
	return v
}

// loginTried says why the login was of no use, if nothing else has said it.
func (c mailer) loginTried(sends bool) {
	const id = "live.signed.submission"
	if !c.o.Wants(id) || slices.ContainsFunc(c.res.Findings, func(f finding.Finding) bool { return f.ID == id }) {
		return
	}
	f := finding.Finding{ID: id, Severity: finding.Unknown, Subject: "--login", CausedBy: c.cause}
	const nobody = "nobody logged in: "
	switch {
	case c.s.Facts.Postfix == nil:
		f.Seen = nobody + "there is no Postfix here"
	case !sends:
		f.Seen = nobody + "none of the domains that are looked at sends mail"
	case c.cause != "":
		f.Seen = nobody + "no mail gets through"
	case len(c.userServices()) == 0:
		f.Seen = nobody + "no service of master.cf is for users (submission, smtps)"
		f.Remedy = finding.Text("leave --login out, or have a submission service, as the comments of /etc/postfix/master.cf show it")
		if slices.ContainsFunc(c.asked, func(a postfix.Asked) bool { return a.Left && postconf.UserService(c.s.Facts.Postfix, a.Service) }) {
			f.Seen, f.Remedy = nobody+"the services for users are left alone (leave_services of host.toml)", nil
		}
	case !c.s.SetUp:
		f.Seen = nobody + "there is no route for messages to this machine itself, which mailsetup init makes"
	default:
		f.Seen, f.CausedBy = nobody+"the signer does not sign, so no message was sent", "live.signed.sendmail"
		if list := c.authors; len(list) > 0 && !slices.ContainsFunc(list, func(a author) bool { return a.domain != list[0].domain }) {
			f.Domain = list[0].domain
		}
	}
	c.add(f)
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
		f, key := c.signedElsewhere(d, list)
		c.add(f)
		a := author{domain: d, from: "postmaster@" + d, signed: key}
		if f.Severity == finding.Problem && key == "" {
			a.unsigned = "no milter of Postfix signs it"
		}
		c.authors = append(c.authors, a)
	}
}

// signedElsewhere says what the milters did with mail of a domain, and with which key one
// of them signs, "" for none.
func (c mailer) signedElsewhere(domain string, list []state.Milter) (f finding.Finding, key string) {
	f = finding.Finding{ID: "live.signed.sendmail", Severity: finding.Unknown, Domain: domain, Subject: "postmaster@" + domain}
	var silent []string
	for _, m := range list {
		if !m.Asked && m.Program.Kind != state.OpenDMARC {
			silent = append(silent, strings.TrimSpace(m.Endpoint+" "+m.Problem))
		}
		for _, g := range m.Signatures {
			if g.Domain != domain {
				continue
			}
			f.Subject, key = g.From, g.Selector+"._domainkey."+g.Domain
			if g.Problem != "" {
				f.Severity, f.CausedBy, f.Seen = finding.Problem, "dkim", "signed with "+key+", and does not verify: "+g.Problem
				f.Remedy = finding.Command("mailsetup check --only dkim %s", domain)
				return f, key
			}
			f.Seen = "a milter signs it with " + key + ", and that verifies; its way through Postfix was not tried, for which mailsetup init makes a route"
			if c.s.SetUp {
				f.Severity = finding.OK
				f.Seen = "the other signer signs it with " + key + ", and that verifies (its milter was asked; no message was sent)"
			}
			return f, key
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
	return f, ""
}
