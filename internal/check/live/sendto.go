package live

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/hint"
	"mailsetup/internal/system"
)

// Address checks an address that a message is to be sent to.
func Address(text string) error {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != text || !plainAddress.MatchString(text) {
		return hint.NewUsage("as in --send-to you@example.org", "--send-to %q is no address", text)
	}
	return nil
}

var plainAddress = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9.+_=~-]*@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+$`)

// sendWithin is how long a message may take to be accepted elsewhere.
const sendWithin = 45 * time.Second

// sendTo sends one message to an address elsewhere, and follows it in the journal.
func (c mailer) sendTo(ctx context.Context, s sender) {
	to := c.o.SendTo
	c.o.Logf("a message from %s leaves this server for %s", s.want.From, to)
	f := finding.Finding{ID: "live.signed.sendmail", Severity: finding.Unknown, Domain: s.domain, Subject: "to " + to}
	f.Remedy = finding.Text("look at its header in that mailbox: Authentication-Results says what the receiver thinks of SPF, DKIM and DMARC")
	begun := time.Now()
	_, host, _ := strings.Cut(s.want.From, "@")
	id := "<mailsetup-" + strings.ToLower(rand.Text()) + "@" + host + ">"
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\nTo: <%s>\nSubject: mailsetup check of %s\nDate: %s\nMessage-ID: %s\n", s.want.From, to, s.domain, begun.Format(time.RFC1123Z), id)
	fmt.Fprintf(&b, "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\nThe administrator of %s asked mailsetup to send this message,\nto see how it arrives: mailsetup check --send-to\n", s.domain)
	res, err := c.m.Run(ctx, system.Command{Argv: []string{"sendmail", "-i", "-N", "never", "-f", s.want.From, "--", to}, Stdin: b.Bytes()})
	switch {
	case err != nil:
		f.Seen = err.Error()
	case res.Code != 0:
		f.Seen = "sendmail: " + strings.TrimSpace(string(res.Stderr))
	default:
		c.arrived(ctx, &f, id, begun)
	}
	c.add(f)
}

// delivery is a line of a delivery agent: queue ID, relay, status and reply.
var delivery = regexp.MustCompile(`^([0-9A-Za-z]+): to=<[^>]*>,.* relay=([^,]*),.* status=(\w+) \((.*)\)$`)

// arrived waits until Postfix says what became of a message.
func (c mailer) arrived(ctx context.Context, f *finding.Finding, messageID string, since time.Time) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	f.Seen = "Postfix took it, and has not said yet what became of it: mailq"
	for {
		log, err := c.m.Run(ctx, commandOf("journalctl", "-q", "-o", "cat", "--since", fmt.Sprintf("@%d", since.Unix()-1), "SYSLOG_FACILITY=2"))
		if err == nil {
			if done := outcome(f, string(log.Stdout), messageID); done {
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// outcome reads in the log what became of a message, false if it does not say.
func outcome(f *finding.Finding, log, messageID string) bool {
	queueID := ""
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if id, rest, ok := strings.Cut(line, ": "); ok && rest == "message-id="+messageID {
			queueID = id
		}
		m := delivery.FindStringSubmatch(line)
		if m == nil || queueID == "" || m[1] != queueID {
			continue
		}
		switch relay, status, reply := m[2], m[3], m[4]; status {
		case "sent":
			f.Severity, f.Seen = finding.OK, relay+" took it: "+reply
		case "bounced":
			f.Severity, f.Seen, f.Expected, f.Remedy = finding.Problem, relay+" refused it: "+reply, "it is taken", finding.Text("the code in the reply says why; what of it is wrong here, these say:").Command("mailsetup check")
		default:
			f.Seen = "it waits: " + relay + ": " + reply
			f.Remedy = finding.Text("it stays in the queue and is tried again; to take it out:").Command("postsuper -d %s", queueID)
		}
		return true
	}
	return false
}
