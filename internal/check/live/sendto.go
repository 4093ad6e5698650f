package live

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/hint"
	"mailsetup/internal/maillog"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
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

// Leaves checks that mail to an address goes to a server of others, as what Postfix does
// with mail for its domain says, or the administrator who declared that it is received here.
func Leaves(address string, is state.MailDomain, declared bool) error {
	_, domain, _ := strings.Cut(address, "@")
	const elsewhere = "name an address at a provider, where you can read the header of the message"
	why, known := parameters[is.Class]
	switch {
	case is.Class == state.ClassRelay:
		return hint.NewUsage(elsewhere, "--send-to %s: this server takes mail for %s and passes it on (%s)", address, domain, why)
	case known || declared:
		return hint.NewUsage(elsewhere, "--send-to %s: mail for %s is for this server itself (%s)", address, domain, cmp.Or(why, "receive in its file"))
	}
	return nil
}

// parameters are those that say of which class a domain is.
var parameters = map[state.AddressClass]string{
	state.ClassLocal: "mydestination", state.ClassVirtualAlias: "virtual_alias_domains", state.ClassVirtualMailbox: "virtual_mailbox_domains",
	state.ClassRelay: "relay_domains",
}

// author is who may send a message to an address elsewhere.
type author struct {
	domain, from string
	// signed is the key that signs its mail, and unsigned why none does: both are empty if
	// nobody knows.
	signed, unsigned string
	host             bool
}

// author returns the sender of the message: one whose mail is signed if there is one, and
// a domain rather than the machine.
func (c mailer) author(domains []subject.Domain) author {
	all := append(slices.Clone(c.authors), author{domain: domains[0].Name, from: "postmaster@" + domains[0].Name})
	rank := func(a author) int {
		return map[bool]int{true: 2}[a.signed == ""] + map[bool]int{true: 1}[a.host]
	}
	return slices.MinFunc(all, func(a, b author) int { return cmp.Compare(rank(a), rank(b)) })
}

// sendWithin is how long a message may take to be accepted elsewhere.
const sendWithin = 45 * time.Second

// sendTo sends one message to an address elsewhere, and follows it in the journal.
func (c mailer) sendTo(ctx context.Context, domains []subject.Domain) {
	f := finding.Finding{ID: "live.signed.sendmail", Severity: finding.Unknown, Subject: "to " + c.o.SendTo}
	defer func() { c.add(f) }()
	switch {
	case c.s.Facts.Postfix == nil && c.s.Facts.MTA == "":
		f.Seen = "not sent: no program here sends mail"
		return
	case len(domains) == 0:
		f.Seen = "not sent: none of the domains that are looked at sends mail"
		return
	case c.cause != "":
		f.Seen, f.CausedBy = "not sent: it would not get through", c.cause
		return
	}
	a := c.author(domains)
	f.Domain = a.domain
	how := map[bool]string{true: ", unsigned"}[a.unsigned != ""]
	c.o.Logf("a message from %s leaves this server for %s%s", a.from, c.o.SendTo, how)
	begun := time.Now()
	id, err := c.handIn(ctx, a, begun)
	switch {
	case err != nil:
		f.Seen = err.Error()
		return
	case c.s.Facts.Postfix == nil:
		f.Seen = c.s.Facts.MTA + " took it: its log says what became of it"
	default:
		c.arrived(ctx, &f, id, begun)
	}
	if len(f.Remedy) == 0 {
		f.Remedy = finding.Text("look at its header in that mailbox: Authentication-Results says what the receiver thinks of SPF, DKIM and DMARC")
	}
	switch {
	case a.signed != "" && f.Severity == finding.OK:
		f.Seen += "; the key " + a.signed + " signs mail of " + a.domain
	case a.unsigned != "":
		f.Seen += "; it was sent without a DKIM signature: " + a.unsigned
		if f.Severity == finding.OK {
			f.Severity = finding.Note
		}
	}
}

// handIn hands the message to sendmail(1), and returns its Message-ID.
func (c mailer) handIn(ctx context.Context, a author, now time.Time) (id string, err error) {
	_, host, _ := strings.Cut(a.from, "@")
	id = "<mailsetup-" + strings.ToLower(rand.Text()) + "@" + host + ">"
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: <%s>\nTo: <%s>\nSubject: mailsetup check of %s\nDate: %s\nMessage-ID: %s\n", a.from, c.o.SendTo, a.domain, now.Format(time.RFC1123Z), id)
	fmt.Fprintf(&b, "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\nThe administrator of %s asked mailsetup to send this message,\nto see how it arrives: mailsetup check --send-to\n", a.domain)
	argv := []string{"sendmail", "-i", "-N", "never", "-f", a.from, "--", c.o.SendTo}
	if c.s.Facts.Postfix == nil {
		argv = slices.Delete(argv, 2, 4) // -N is Postfix's
	}
	res, err := c.m.Run(ctx, system.Command{Argv: argv, Stdin: b.Bytes()})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("sendmail: %s", strings.TrimSpace(string(res.Stderr)))
	}
	return id, err
}

// arrived waits until Postfix says what became of a message.
func (c mailer) arrived(ctx context.Context, f *finding.Finding, messageID string, since time.Time) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.o.SendWithin, sendWithin))
	defer cancel()
	m := maillog.Message{ID: messageID, To: c.o.SendTo}
	for _, filter := range postconf.ContentFilters(c.s.Facts.Postfix) {
		m.Filters = append(m.Filters, filter.Value)
	}
	var fate maillog.Fate
	for ctx.Err() == nil {
		log, err := c.m.Run(ctx, commandOf("journalctl", "-q", "-o", "cat", "--since", fmt.Sprintf("@%d", since.Unix()-1), "SYSLOG_FACILITY=2"))
		if err == nil {
			fate = m.Follow(string(log.Stdout))
		}
		if fate.Final(time.Since(since)) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
	judgeFate(f, fate)
}

// judgeFate says what became of a message.
func judgeFate(f *finding.Finding, fate maillog.Fate) {
	a, by := fate.Last, fate.Last.Relay
	const taken = "it is taken"
	reason := finding.Text("the log of that program says why")
	if fate.ToFilter {
		by = "the content filter " + by
	}
	switch {
	case fate.Back && fate.Queued != "":
		f.Seen = "it came back from " + by + ", and Postfix has not said yet what became of it: mailq"
	case fate.Queued != "" || a.Status == "":
		f.Seen = "Postfix took it, and has not said yet what became of it: mailq"
	case a.Status == "sent" && fate.ToFilter:
		f.Seen, f.Remedy = by+" took it, and has not handed it back: "+a.Reply, reason
	case a.Status == "sent" && a.ToServer():
		f.Severity, f.Seen = finding.OK, by+" took it: "+a.Reply
	case a.Status == "sent":
		f.Seen = "it stayed on this machine (" + by + "): " + a.Reply
		f.Remedy = finding.Text("to see what may keep it here:").Command("postconf -n | grep _maps")
	case a.Status == "bounced" && fate.ToFilter:
		f.Severity, f.Seen, f.Expected, f.Remedy = finding.Problem, by+" refused it, and nothing left: "+a.Reply, taken, reason
	case a.Status == "bounced" && a.ToServer():
		f.Severity, f.Seen, f.Expected = finding.Problem, by+" refused it: "+a.Reply, taken
		f.Remedy = finding.Text("the code in the reply says why; what of it is wrong here, these say:").Command("mailsetup check")
	case a.Status == "bounced":
		f.Seen, f.Remedy = "no server was asked, and it came back: "+a.Reply, finding.Text("look at the address of --send-to, and at the reason")
		if !strings.HasPrefix(a.DSN, "5.1.") && a.DSN != "5.4.4" { // no such domain
			f.Severity, f.Expected = finding.Problem, taken
		}
	default:
		f.Seen = "it waits: " + by + ": " + a.Reply
		if by == "none" {
			f.Seen = "it waits, and no server was reached: " + a.Reply
		}
		f.Remedy = finding.Text("it stays in the queue and is tried again; to take it out:").Command("postsuper -d %s", a.QueueID)
	}
}
