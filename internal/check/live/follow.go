package live

import (
	"context"
	"net"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/livepath"
	"mailsetup/internal/postconf"
	"mailsetup/steps/postfix"
)

// follow sends messages of the senders all the way, and judges what arrives.
func (c mailer) follow(ctx context.Context, senders []sender) {
	good := slices.DeleteFunc(slices.Clone(senders), func(s sender) bool { return !s.answer.ok() })
	var res livepath.Result
	if len(good) > 0 {
		res = c.send(ctx, good)
	}
	j := &judgement{mailer: c, result: res}
	for _, s := range senders {
		j.asSigned = append(j.asSigned, s.want)
		j.sender(ctx, s)
	}
	j.bounce(ctx, good)
	j.tell()
	if f := c.proxied(); f != "" {
		j.add(finding.Finding{ID: "live.signed.smtp", Severity: finding.Note, Subject: "smtpd_proxy_filter", Seen: "mail by port 25 goes to " + f + " before a milter sees it, and leaves unsigned: mailsetup init leaves that as it is"})
	}
	j.reinjected(good)
	j.aliases(good)
	j.tamper()
}

// send sends the messages of senders whose mail the signer signs. Other runs of mailsetup
// send messages to the same sink, so it takes the lock.
func (c mailer) send(ctx context.Context, senders []sender) livepath.Result {
	if c.o.Lock != nil {
		release, err := c.o.Lock(ctx)
		if err != nil {
			return livepath.Result{NotSentReason: err.Error()}
		}
		defer func() { _ = release() }()
	}
	req := livepath.Request{Postfix: c.s.Facts.Postfix, SMTP: c.smtp, Letters: c.letters(senders), Login: c.o.Login, Within: arriveWithin}
	for _, s := range senders {
		req.Signers = append(req.Signers, s.want)
	}
	res, err := livepath.Probe(ctx, c.m, req)
	if err != nil {
		return livepath.Result{NotSentReason: err.Error()}
	}
	for _, d := range res.Deliveries {
		if c.o.Arrived != nil && d.Missing == "" && d.Signatures == 1 && d.Broken == "" {
			c.o.Arrived(d)
		}
	}
	return res
}

// letters are the messages to send: by sendmail(1) from each sender, by SMTP from each
// domain, by each service for users from one, and a bounce.
func (c mailer) letters(senders []sender) []livepath.Letter {
	var all []livepath.Letter
	last := senders[0]
	smtp := c.smtp
	if c.proxied() != "" {
		smtp = ""
	}
	for i, s := range senders {
		all = append(all, livepath.Letter{Way: livepath.Sendmail, Signer: s.want})
		if i == 0 {
			all = append(all, livepath.Letter{Way: livepath.Sendmail, Signer: s.want, EightBit: true})
		}
		if i == 0 && s.host && len(senders) > 1 {
			continue // mail of root comes by sendmail(1)
		}
		if smtp != "" {
			all = append(all, livepath.Letter{Way: livepath.Port25, Signer: s.want})
		}
		if last.host && smtp != "" {
			all = append(all, livepath.Letter{Way: livepath.Port25, Signer: s.want, EightBit: true})
		}
		if last.host {
			last = s
		}
	}
	for _, u := range c.userServices() {
		if u.at != "" {
			all = append(all, livepath.Letter{Way: u.way, Signer: last.want, At: u.at})
		}
	}
	if c.bounces() && senders[0].host {
		all = append(all, livepath.Letter{Way: livepath.Bounce, Signer: senders[0].want})
	}
	return all
}

// proxied returns the filter to which port 25 hands mail before the signer sees it, "" for
// none.
func (c mailer) proxied() string {
	p := c.s.Facts.Postfix
	for i := range p.Services {
		if f := postconf.ProxyFilter(p, &p.Services[i]); f != "" && postconf.Port(p.Services[i]) == "25" {
			return f
		}
	}
	return ""
}

// bounces reports whether bounces of this server are to be signed.
func (c mailer) bounces() bool {
	return c.in.Spec.Host.SignBounces != "no"
}

// users is a service by which users hand in mail.
type users struct {
	asked postfix.Asked
	way   livepath.Way
	at    string // host:port, "" if it cannot be reached in the usual way
}

// maxUserServices bounds how many of them are tried.
const maxUserServices = 4

// userServices returns the services for users who log in.
func (c mailer) userServices() []users {
	p := c.s.Facts.Postfix
	var all []users
	for _, a := range c.asked {
		if a.Left || !postconf.UserService(p, a.Service) || len(all) == maxUserServices {
			continue
		}
		u := users{asked: a, way: livepath.Submission}
		if postconf.Effective(p, &a.Service, "smtpd_tls_wrappermode") == "yes" {
			u.way = livepath.SMTPS
		}
		at := strings.TrimSuffix(a.Service.Name, "/inet")
		host := "127.0.0.1"
		if i := strings.LastIndexByte(at, ':'); i >= 0 {
			host = strings.Trim(at[:i], "[]")
		} else if h, _, err := net.SplitHostPort(c.s.Facts.SMTPAddress); err == nil {
			host = h
		}
		if net.ParseIP(host) != nil {
			u.at = net.JoinHostPort(host, postconf.Port(a.Service))
		}
		all = append(all, u)
	}
	return all
}
