package livepath

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
	"mailsetup/internal/postmap"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// whyNotSent returns why no message may be sent: it could leave the machine or reach a
// person. It chooses the sender.
func (p *probe) whyNotSent(ctx context.Context, signers []state.Signer) string {
	if len(signers) == 0 {
		return "no key signs yet"
	}
	if len(p.transports) == 0 {
		return "no service in /etc/postfix/master.cf delivers by SMTP over IPv4, which the way to the probe's server needs"
	}
	if reason := p.tables(ctx, signers); reason != "" {
		return reason
	}
	return p.resolves(ctx)
}

// tables checks the settings on disk; the running Postfix is asked after that.
func (p *probe) tables(ctx context.Context, signers []state.Signer) string {
	for _, look := range []func(context.Context) string{
		p.copies, p.filters, p.rewritten, func(ctx context.Context) string { return p.choose(ctx, signers) }, p.inspected,
	} {
		if reason := look(ctx); reason != "" {
			return reason
		}
	}
	return ""
}

// copies refuses settings by which people get copies, or another host gets the message
// as a fallback.
func (p *probe) copies(context.Context) string {
	for _, name := range []string{"always_bcc", "smtp_fallback_relay"} {
		if all := route.Everywhere(p.postfix, name); len(all) > 0 {
			return fmt.Sprintf("Postfix would send it elsewhere as well (%s = %s)", name, all[0])
		}
	}
	return ""
}

// filters refuses content filters on other machines, which would get the message.
func (p *probe) filters(context.Context) string {
	for _, v := range route.Everywhere(p.postfix, "content_filter") {
		if !p.local(v) {
			return "it would go to another machine (content_filter = " + v + ")"
		}
	}
	return ""
}

// local reports whether transport:nexthop is a service of this machine.
func (p *probe) local(value string) bool {
	name, nexthop, _ := strings.Cut(strings.TrimSpace(value), ":")
	i := slices.IndexFunc(p.postfix.Services, func(s state.Service) bool { return s.Name == name+"/unix" })
	if i < 0 {
		return false
	}
	if c := p.postfix.Services[i].Command; c != "smtp" && c != "lmtp" {
		return c == "pipe"
	}
	nexthop = strings.TrimPrefix(nexthop, "inet:")
	if strings.HasPrefix(nexthop, "unix:") {
		return true
	}
	host := nexthop
	if h, _, err := net.SplitHostPort(nexthop); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	a, err := netip.ParseAddr(strings.TrimPrefix(host, "IPv6:"))
	return host == "localhost" || err == nil && a.IsLoopback()
}

// resolves asks the running Postfix where it would deliver: it may have read other
// settings than those on disk.
func (p *probe) resolves(ctx context.Context) string {
	for _, t := range p.transports {
		to, err := resolve(ctx, p.postfix.QueueDirectory, p.sender, route.Recipient(t))
		if err != nil {
			return "Postfix was asked where it would deliver: " + err.Error()
		}
		if to.recipient != route.Recipient(t) {
			return "Postfix was asked where it would deliver, and answered for " + to.recipient
		}
		if to.transport != t || to.nexthop != route.Nexthop {
			return fmt.Sprintf("Postfix would deliver it by %s to %s: the entry that mailsetup init puts into transport_maps is not there or does not count",
				to.transport, to.nexthop)
		}
	}
	return ""
}

// rewritten refuses tables that redirect or copy the message.
func (p *probe) rewritten(ctx context.Context) string {
	becomes, err := p.canonical(ctx, p.sender)
	if err != nil {
		return err.Error()
	}
	from, to := []string{p.sender, "@" + route.Domain}, []string{"@" + route.Domain}
	if becomes != "" {
		from = append(from, becomes)
	}
	to = append(to, p.sender) // of a bounce
	if p.login != nil {
		from = append(from, p.login.User)
	}
	for _, t := range p.transports {
		to = append(to, route.Recipient(t))
	}
	for _, name := range []string{"canonical_maps", "recipient_canonical_maps", "virtual_alias_maps", "recipient_bcc_maps", "sender_bcc_maps"} {
		for _, value := range route.Everywhere(p.postfix, name) {
			asked := to
			if name == "sender_bcc_maps" {
				asked = from
			}
			found, err := p.query(ctx, value, asked...)
			if err != nil {
				return fmt.Sprintf("%s could not be asked (%v)", name, err)
			}
			if len(found) > 0 {
				return fmt.Sprintf("%s would send it to %s", name, found[0].value)
			}
		}
	}
	return ""
}

// choose keeps the senders whose mail is signed by their own domain even after Postfix
// has rewritten addresses.
func (p *probe) choose(ctx context.Context, signers []state.Signer) string {
	reason := ""
	for _, s := range signers {
		becomes, err := p.canonical(ctx, s.From)
		if err != nil {
			return err.Error()
		}
		_, host, _ := strings.Cut(strings.ToLower(becomes), "@")
		domain := strings.ToLower(dnsname.TrimDot(s.Domain))
		if becomes == "" || host == domain || strings.HasSuffix(host, "."+domain) {
			p.signers = append(p.signers, s)
			continue
		}
		reason = fmt.Sprintf("Postfix makes %s of the sender %s before mail is signed", becomes, s.From)
	}
	if len(p.signers) > 0 {
		return ""
	}
	return reason
}

// canonical returns what Postfix makes of a sender in the header, "" if it stays.
func (p *probe) canonical(ctx context.Context, from string) (string, error) {
	user, host, _ := strings.Cut(from, "@")
	for _, name := range []string{"sender_canonical_maps", "canonical_maps"} {
		for _, value := range route.Everywhere(p.postfix, name) {
			found, err := p.query(ctx, value, from, user, "@"+host)
			if err != nil {
				return "", fmt.Errorf("%s could not be asked (%w)", name, err)
			}
			if len(found) > 0 {
				return found[0].value, nil
			}
		}
	}
	return "", nil
}

// divertingActions are actions of header_checks(5) and access(5) that redirect or copy
// a message.
var divertingActions = []string{"REDIRECT", "BCC", "HOLD", "DISCARD", "REJECT"}

// diverts reports whether the result of a table is one of them, or a filter on another
// machine.
func (p *probe) diverts(result string) bool {
	action, rest, _ := strings.Cut(result, " ")
	action = strings.ToUpper(action)
	return slices.Contains(divertingActions, action) || action == "FILTER" && !p.local(rest)
}

// inspected refuses content checks that divert the message.
func (p *probe) inspected(ctx context.Context) string {
	received := "Received: by localhost (Postfix, from userid 0)\r\n\tid 4XYZ0123; " + "Sun, 1 Nov 2026 12:00:00 +0000 (UTC)\r\n"
	message := append([]byte(received), p.compose(Letter{Way: Port25, EightBit: true, Signer: p.signers[len(p.signers)-1]}, 0).text...)
	message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	return p.checked(ctx, message)
}

// whyNoBounce returns why Postfix is not made to write a bounce: people would get a copy of
// it, or it would wait.
func (p *probe) whyNoBounce(ctx context.Context) string {
	classes := postconf.Effective(p.postfix, nil, "notify_classes")
	switch {
	case len(route.Everywhere(p.postfix, "content_filter")) > 0:
		return "the content filter may hand it on from another sender, who would get the bounce"
	case postconf.Has(classes, "bounce"), postconf.Has(classes, "2bounce"):
		return "the postmaster would get a copy (notify_classes = " + classes + ")"
	case slices.Contains(route.Everywhere(p.postfix, "soft_bounce"), "yes"), postconf.Effective(p.postfix, nil, "soft_bounce") == "yes":
		return "what is refused waits in the queue (soft_bounce = yes)"
	}
	const report = "Received: by localhost (Postfix)\n\tid 4XYZ0123; Sun, 1 Nov 2026 12:00:00 +0000 (UTC)\n" +
		"From: MAILER-DAEMON@localhost (Mail Delivery System)\nSubject: Undelivered Mail Returned to Sender\n" +
		"Auto-Submitted: auto-replied\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status;\n\tboundary=\"x\"\n\n" +
		"This is a MIME-encapsulated message.\n\n--x\nContent-Description: Notification\n\nThis is the mail system at host localhost.\n--x--\n"
	return p.checked(ctx, []byte(report))
}

// checked returns why content checks would divert a message, "" if they do not.
func (p *probe) checked(ctx context.Context, message []byte) string {
	for _, name := range []string{"header_checks", "mime_header_checks", "nested_header_checks", "milter_header_checks", "body_checks"} {
		flag := "-hq"
		if name == "body_checks" {
			flag = "-bq"
		}
		for _, value := range route.Everywhere(p.postfix, name) {
			found, err := p.ask(ctx, value, flag, message)
			if err != nil {
				return fmt.Sprintf("%s could not be asked (%v)", name, err)
			}
			for _, f := range found {
				if p.diverts(f.value) {
					return fmt.Sprintf("%s would not let it go its way (%s)", name, f.value)
				}
			}
		}
	}
	return ""
}

// access refuses tables of smtpd that divert the message: sendmail(1) is not affected
// by them.
func (p *probe) access(ctx context.Context) string {
	keys := []string{"127.0.0.1", "127.0.0", "127.0", "127", "localhost", p.sender, route.Domain, "[127.0.0.1]"}
	for _, t := range p.transports {
		keys = append(keys, route.Recipient(t))
	}
	for _, part := range []string{"client", "helo", "sender", "relay", "recipient", "data", "end_of_data"} {
		name := "smtpd_" + part + "_restrictions"
		for _, value := range route.Everywhere(p.postfix, name) {
			list := route.Maps(value)
			for i, word := range list[:max(0, len(list)-1)] {
				if !strings.HasPrefix(word, "check_") || !strings.HasSuffix(word, "_access") {
					continue
				}
				found, err := p.query(ctx, list[i+1], keys...)
				if err != nil {
					return fmt.Sprintf("%s could not be asked (%v)", name, err)
				}
				for _, f := range found {
					if p.diverts(f.value) {
						return fmt.Sprintf("%s would not let it go its way (%s)", name, f.value)
					}
				}
			}
		}
	}
	return ""
}

// row is a row of a table.
type row struct{ key, value string }

// query looks keys up in the tables of a list, postmap(1).
func (p *probe) query(ctx context.Context, list string, keys ...string) ([]row, error) {
	return p.ask(ctx, list, "-q", []byte(strings.Join(keys, "\n")+"\n"))
}

func (p *probe) ask(ctx context.Context, list, flag string, in []byte) ([]row, error) {
	maps := route.Maps(list)
	if len(maps) == 0 {
		return nil, nil
	}
	res, err := p.m.Run(ctx, system.Command{Argv: append([]string{"postmap", flag, "-"}, maps...), Stdin: in})
	if err != nil {
		return nil, err
	}
	if said := postmap.Failure(res.Stderr); res.Code != 0 && said != "" || res.Code > 1 {
		return nil, fmt.Errorf("postmap: %s", said)
	}
	var rows []row
	for line := range strings.Lines(string(res.Stdout)) {
		if key, value, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t"); ok && line[0] != '\t' {
			rows = append(rows, row{key, value})
		} else if i := strings.LastIndexByte(line, '\t'); i > 0 { // of a folded field
			rows = append(rows, row{"", strings.TrimRight(line[i+1:], "\n")})
		}
	}
	return rows, nil
}
