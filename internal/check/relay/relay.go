// Package relay checks what Postfix does for clients that it does not know: relaying is
// refused, and addresses that every domain must have are accepted.
package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/livepath"
	"mailsetup/internal/opendkim"
	"mailsetup/internal/postconf"
	"mailsetup/internal/probe"
	"mailsetup/internal/state"
	"mailsetup/steps/signer"
)

// Options say how far relaying is tried.
type Options struct {
	// AllSpellings tries every spelling of a recipient elsewhere, not only the plain one.
	AllSpellings bool
}

// Check checks that strangers cannot relay, and that addresses which every domain must have
// are accepted.
func Check(ctx context.Context, s subject.Server, domains []subject.Domain, o Options) finding.Result {
	c := &checker{s: s}
	if s.Facts.Postfix != nil && s.Facts.SMTPAddress != "" && c.greets(ctx) {
		c.relaying(ctx, domains, o)
		if c.silent == "" {
			c.required(ctx, domains)
		}
	}
	return c.res
}

// checker is one run of Check.
type checker struct {
	s   subject.Server
	res finding.Result
	// silent is what kept Postfix from answering a stranger, "" if it answers.
	silent string
}

func (c *checker) add(f finding.Finding) {
	f.Seen = cut(f.Seen)
	c.res.Findings = append(c.res.Findings, f)
}

// cut bounds what is said of a text that may come from outside.
func cut(text string) string {
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// within bounds the dialogue with a server that may make clients wait.
const within = 6 * time.Second

// greetWithin is how long Postfix may take to say anything to this machine itself.
const greetWithin = 4 * time.Second

// greets reports whether Postfix says anything.
func (c *checker) greets(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, greetWithin)
	defer cancel()
	_, err := probe.Greeting(ctx, c.s.Facts.SMTPAddress)
	if err == nil || errors.As(err, new(*textproto.Error)) {
		return true
	}
	c.add(finding.Finding{ID: "relay.open", Severity: finding.Unknown, Subject: c.s.Facts.SMTPAddress, Seen: err.Error(), CausedBy: "live.units"})
	return false
}

// relaying tries to relay as a stranger.
func (c *checker) relaying(ctx context.Context, domains []subject.Domain, o Options) {
	p := c.s.Facts.Postfix
	f := finding.Finding{ID: "relay.open", Severity: finding.OK, Expected: "mail of strangers to others is refused", Source: "postconf(5), smtpd_relay_restrictions"}
	var nets []string
	for _, n := range p.Networks {
		nets = append(nets, n.String())
	}
	if open := opendkim.OpenNetworks(nets); len(open) > 0 {
		f.Severity, f.Subject, f.Seen = finding.Problem, "mynetworks", "everybody in "+strings.Join(open, ", ")+" may relay"
		f.Remedy = finding.Text("with the networks of your own senders added:").Command("postconf -e 'mynetworks = 127.0.0.0/8 [::1]/128' && systemctl reload postfix")
		c.add(f)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	strangers, why := c.strangers()
	for _, from := range strangers {
		f.Subject = "from " + from.String()
		_, port, _ := net.SplitHostPort(c.s.Facts.SMTPAddress)
		if why = c.try(ctx, &f, from, net.JoinHostPort(from.String(), port), domains, o); why == "" {
			c.add(f)
			return
		}
	}
	f.Subject, f.Seen = "smtpd_relay_restrictions", why
	c.judgeRestrictions(&f)
	c.add(f)
}

// strangers returns addresses of this machine, a few at most, that are strangers to Postfix
// and at which it may listen; else why there is none.
func (c *checker) strangers() (list []netip.Addr, why string) {
	p := c.s.Facts.Postfix
	interfaces, protocols := postconf.Words(strings.ToLower(p.Value["inet_interfaces"])), strings.ToLower(p.Value["inet_protocols"])
	if slices.Contains(interfaces, "loopback-only") || postconf.OnlyLoopback(p.Value["inet_interfaces"]) {
		return nil, onlyHere
	}
	if slices.ContainsFunc(p.Services, func(s state.Service) bool { return s.Command == "postscreen" }) {
		return nil, "postscreen makes strangers wait, so nothing was tried"
	}
	if slices.ContainsFunc(postconf.PublicServices(p), func(s *state.Service) bool { _, own := s.Option("mynetworks"); return own }) {
		return nil, "a service has a mynetworks of its own, so nothing was tried"
	}
	if livepath.NotifiesOfRefusals(p) {
		return nil, "the postmaster would get a transcript of each try (notify_classes), so nothing was tried"
	}
	for _, a := range c.s.Facts.Addresses {
		a = a.Unmap()
		family := map[bool]string{true: "ipv4", false: "ipv6"}[a.Is4()]
		trusted := slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
		if trusted || len(p.OtherNetworks) > 0 || protocols != "" && protocols != "all" && !postconf.Has(protocols, family) {
			continue
		}
		if len(list) < maxStrangers {
			list = append(list, a)
		}
	}
	return list, "each address of this machine is in mynetworks, so nothing could be tried"
}

// maxStrangers bounds the addresses from which relaying is tried.
const maxStrangers = 3

// onlyHere is said of a Postfix that nobody else can reach.
const onlyHere = "Postfix takes mail from this machine only (inet_interfaces)"

// envelope is a sender and a recipient with which somebody might relay.
type envelope struct{ from, to string }

// strangersEnvelopes returns what is tried: a recipient elsewhere, from senders elsewhere
// and here; with all, in spellings by which servers were fooled.
func strangersEnvelopes(here, host string, all bool) []envelope {
	const other = "mailsetup-test@example.com" // RFC 2606: nobody has it, and no mail is sent
	list := []envelope{{"mailsetup-test@example.net", other}, {"mailsetup-test@" + here, other}, {"", other}}
	if !all {
		return list
	}
	const local, domain = "mailsetup-test", "example.com"
	for _, to := range []string{
		local + "%" + domain + "@" + host, local + "%" + domain + "@[127.0.0.1]", domain + "!" + local, domain + "!" + local + "@" + host,
		`"` + other + `"`, `"` + local + "%" + domain + `"`, `"` + other + `"@` + host, local + "@" + domain + "@" + host,
		"@" + host + ":" + other, local + "@[192.0.2.1]",
	} {
		list = append(list, envelope{"mailsetup-test@example.net", to})
	}
	return list
}

// try offers mail as a stranger, up to the 354 for DATA: then the connection is closed, and
// nothing was sent. It returns why nothing could be tried, "" if something was.
func (c *checker) try(ctx context.Context, f *finding.Finding, from netip.Addr, to string, domains []subject.Domain, o Options) (why string) {
	here := c.s.Name
	if len(domains) > 0 {
		here = domains[0].Name
	}
	list := strangersEnvelopes(here, c.s.Name, o.AllSpellings)
	refused := 0
	for _, e := range list {
		reply, err := probe.Relays(ctx, from, to, e.from, e.to)
		said := new(textproto.Error)
		switch {
		case err == nil:
			if c.staysHere(ctx, e.to) {
				refused++
				continue
			}
			f.Severity = finding.Problem
			f.Seen = fmt.Sprintf("MAIL FROM:<%s> RCPT TO:<%s> is taken: %s", e.from, e.to, reply)
			f.Remedy = refuseRelaying.Text("then look at smtpd_recipient_restrictions and at -o of smtp in master.cf")
			return ""
		case errors.As(err, &said) && said.Code >= 500:
			refused++
		case errors.As(err, &said) && strings.Contains(said.Msg, "Relay access denied"):
			refused++ // defer_unauth_destination
		case !errors.As(err, &said) && refused == 0: // nobody listens there, or answers in time
			return fmt.Sprintf("%s does not answer %s: %v", to, from, err)
		default:
			f.Severity, f.Seen = finding.Unknown, fmt.Sprintf("RCPT TO:<%s>: %s", e.to, reason(err))
			f.CausedBy, c.silent = c.down(), f.Seen
			return ""
		}
	}
	f.Seen, f.Expected = fmt.Sprintf("%d of %d tries refused", refused, len(list)), ""
	return ""
}

// reason is what a server said, as people search for it.
func reason(err error) string {
	if said := new(textproto.Error); errors.As(err, &said) {
		return fmt.Sprintf("%d %s", said.Code, said.Msg)
	}
	return err.Error()
}

// down is the ID of the finding that may explain why Postfix takes no mail for now.
func (c *checker) down() string {
	for name, d := range c.s.Facts.Daemons {
		if !d.Running && (name == signer.Unit || name == c.s.Facts.Postfix.Unit) {
			return "live.units"
		}
	}
	return "live"
}

// staysHere reports whether a recipient that was accepted is one of this machine: a
// catch-all takes any local part, however it looks.
func (c *checker) staysHere(ctx context.Context, to string) bool {
	if strings.HasSuffix(to, "@example.com") && !strings.HasPrefix(to, "@") {
		return false
	}
	p := c.s.Facts.Postfix
	name, err := livepath.Transport(ctx, p.QueueDirectory, to)
	i := slices.IndexFunc(p.Services, func(s state.Service) bool { return s.Name == name+"/unix" })
	return err == nil && i >= 0 && p.Services[i].Command != "smtp"
}
