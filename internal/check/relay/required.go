package relay

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/livepath"
	"mailsetup/internal/postconf"
	"mailsetup/internal/probe"
	"mailsetup/internal/state"
)

// maxRequired is how many domains are asked for their addresses.
const maxRequired = 20

// required checks that postmaster (RFC 5321 section 4.5.1) and abuse (RFC 2142) of the
// domains that receive here are accepted.
func (c *checker) required(ctx context.Context, domains []subject.Domain) {
	var list []subject.Domain
	for _, d := range domains {
		if c.s.Refuses(d) {
			for _, local := range []string{"postmaster", "abuse"} {
				c.add(finding.Finding{
					ID: "relay." + local, Severity: finding.Warning, Domain: d.Name, Subject: local + "@" + d.Name, CausedBy: "mx.ours",
					Seen: "refused, as all mail for " + d.Name + " (Relay access denied)", Expected: "people who report trouble reach somebody",
					Remedy: finding.Command("mailsetup check --only mx %s", d.Name),
				})
			}
		}
		if d.Receives && c.s.HasMailboxes(d.Name) && len(list) < maxRequired {
			list = append(list, d)
		}
	}
	if len(list) > 0 && livepath.NotifiesOfRefusals(c.s.Facts.Postfix) {
		c.add(finding.Finding{ID: "relay.postmaster", Severity: finding.Unknown, Seen: "the postmaster would get a transcript if it were refused (notify_classes), so it was not asked for"})
		return
	}
	for _, d := range list {
		for _, local := range []string{"postmaster", "abuse"} {
			f := finding.Finding{ID: "relay." + local, Severity: finding.OK, Domain: d.Name, Subject: local + "@" + d.Name, Seen: "accepted"}
			asking, cancel := context.WithTimeout(ctx, within)
			err := probe.Accepts(asking, c.s.Facts.SMTPAddress, f.Subject)
			cancel()
			said := new(textproto.Error)
			switch {
			case errors.As(err, &said) && said.Code >= 500:
				f.Severity, f.Seen, f.Expected = finding.Warning, fmt.Sprintf("refused: %d %s", said.Code, said.Msg), "people who report trouble reach somebody"
				f.Remedy = finding.Text("add " + local + ": root to /etc/aliases, then:").Command("newaliases")
				if !strings.HasPrefix(said.Msg, "5.1.") {
					f.Remedy = finding.Text("let " + f.Subject + " pass; what may refuse it:").Command("postconf -n | grep _restrictions")
				} else if !slices.Contains(postconf.Words(strings.ToLower(c.s.Facts.Postfix.Value["mydestination"])), d.Name) {
					f.Remedy = finding.Text("add " + f.Subject + " to virtual_alias_maps or to the mailboxes of the domain")
				}
			case err != nil:
				f.Severity, f.Seen, f.CausedBy = finding.Unknown, reason(err), c.down()
			}
			c.add(f)
			if f.Severity == finding.Unknown {
				return // the next would wait as long
			}
		}
	}
}

// Return checks that a domain that sends can get answers and bounces.
func Return(ctx context.Context, dns *dnsclient.Client, s subject.Server, d subject.Domain) finding.Result {
	if dns == nil || !d.Sends {
		return finding.Result{}
	}
	f := finding.Finding{ID: "relay.return", Severity: finding.OK, Domain: d.Name, Subject: d.Name}
	f.Seen, f.Severity = hasWayBack(ctx, dns, d.Name)
	if f.Severity == finding.Warning {
		f.Expected = "an MX, or an address at the name: some receivers refuse senders that cannot be answered"
		f.Remedy = finding.Text("have mail of it leave with senders of a domain that takes mail, or publish an MX of " + d.Name + " that names the server which takes its mail")
		if d.Receives && s.Name != "" {
			f.Remedy = finding.Text("publish an MX of " + d.Name + ":").Record(d.Name + ". MX 10 " + s.Name + ".")
		}
		if d.Receives {
			f.CausedBy = "mx.exists"
		} else {
			f.Severity = finding.Note // as declared
		}
	}
	f.Seen = cut(f.Seen)
	return finding.Result{Findings: []finding.Finding{f}}
}

func hasWayBack(ctx context.Context, dns *dnsclient.Client, name string) (string, finding.Severity) {
	records, status, err := dns.Lookup(ctx, name+".", "MX")
	switch {
	case status == dnsclient.Unknown:
		return err.Error(), finding.Unknown
	case status == dnsclient.Found && slices.ContainsFunc(records, func(r state.Record) bool { return r.Type == "MX" && strings.HasSuffix(r.Value, " .") }):
		return "its MX says that it takes no mail (RFC 7505)", finding.Warning
	case status == dnsclient.Found:
		return "has an MX", finding.OK
	}
	for _, kind := range []string{"A", "AAAA"} {
		switch _, status, err := dns.Lookup(ctx, name+".", kind); status {
		case dnsclient.Found:
			return "has an address, and no MX", finding.OK
		case dnsclient.Unknown:
			return err.Error(), finding.Unknown
		}
	}
	return "neither an MX nor an address: nobody can answer it", finding.Warning
}

// Banner compares what Postfix says first with the name that it gives others.
func Banner(ctx context.Context, s subject.Server) finding.Result {
	var res finding.Result
	if s.Facts.Postfix == nil || s.Facts.SMTPAddress == "" {
		return res
	}
	ctx, cancel := context.WithTimeout(ctx, greetWithin)
	defer cancel()
	f := finding.Finding{ID: "smtp.banner", Severity: finding.OK, Subject: s.Facts.SMTPAddress}
	line, err := probe.Greeting(ctx, s.Facts.SMTPAddress)
	name, _, _ := strings.Cut(line, " ")
	switch {
	case err != nil:
		f.Severity, f.Seen, f.CausedBy = finding.Unknown, err.Error(), "live.units"
	case strings.EqualFold(strings.TrimSuffix(name, "."), s.Name):
		f.Seen = "220 " + name
	default:
		f.Severity, f.Seen, f.Expected = finding.Note, "220 "+cut(line), "220 "+s.Name
		f.Remedy = finding.Command("postconf -e 'smtpd_banner = $myhostname ESMTP' && systemctl reload postfix")
	}
	res.Findings = append(res.Findings, f)
	return res
}
