package rotation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/notify"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/zonefile"
)

// mailText is the subject and body of a mail.
type mailText struct{ subject, body string }

func (m mailText) message(h spec.Host, now time.Time) notify.Message {
	return notify.Message{Hostname: h.Hostname, To: h.Notify, Subject: m.subject, Body: m.body, Date: now}
}

// send sends a mail if the host has notify set. A failure to send does not fail the
// run.
func (m mailText) send(ctx context.Context, r *run) {
	h := r.Spec.Host
	if h.Notify == "" || r.Tree || r.DryRun {
		return
	}
	if err := notify.Send(ctx, r.System, m.message(h, r.now)); err != nil {
		r.UI.Logf("no mail to %s: %s", h.Notify, message(err))
	}
}

// sendToRoot appends a mail to root's mailbox on this machine.
func (m mailText) sendToRoot(ctx context.Context, r *run) {
	if err := notify.ToRoot(ctx, r.Mailbox, m.message(r.Spec.Host, r.now)); err != nil {
		r.UI.Logf("no mail to root: %s", message(err))
	}
}

const (
	maxKeysInMail    = 100
	maxNotesPerTopic = 20
)

// waitingMail returns the mail about waiting keys: what to publish, or what is wrong,
// and other notes for the administrator.
func waitingMail(keys []WaitingKey, notes []state.Note) mailText {
	manual := 0
	for _, k := range keys {
		if k.ByHand() {
			manual++
		}
	}
	rest := reasons(keys)
	if len(notes) > 0 {
		var b strings.Builder
		plan.WriteNotes(&b, notes)
		rest += "Left for you:\n" + b.String()
	}
	switch {
	case manual > 0:
		return mailText{counted(manual, "publish a DKIM record", "publish DKIM records"), toPublish + recordsAsText(keys) + rest}
	case len(keys) > 0:
		return mailText{counted(len(keys), "a new DKIM key waits", "new DKIM keys wait"), stillWaits + rest}
	}
	return mailText{"left for you by mailsetup rotate-dkim", rest}
}

// counted returns a subject with a number, unless that is one.
func counted(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%s (%d)", many, n)
}

// recordsAsText returns the records to be published, in two forms.
func recordsAsText(keys []WaitingKey) string {
	var lines, zones strings.Builder
	for _, k := range keys[:min(len(keys), maxKeysInMail)] {
		if k.ByHand() {
			fmt.Fprintf(&lines, "%s:\n%s\n", k.Domain, k.Lines())
			fmt.Fprintf(&zones, "%s\n", zonefile.Text(k.Domain, []state.Record{k.Record()}))
		}
	}
	return "For a web form, names without the domain:\n\n" + lines.String() + "The same as text of a zone file:\n\n" + zones.String()
}

// reasons returns why each key waits.
func reasons(keys []WaitingKey) string {
	var b strings.Builder
	for _, k := range keys[:min(len(keys), maxKeysInMail)] {
		if why := k.String(); why != "" {
			fmt.Fprintf(&b, "%s\n\n", text.Wrap(text.Printable(why), 76))
		}
	}
	if more := len(keys) - maxKeysInMail; more > 0 {
		fmt.Fprintf(&b, "And %d more domains: mailsetup dns prints all records.\n\n", more)
	}
	return b.String()
}

const toPublish = `Publish what follows, beside the records that are there. mailsetup looks every
hour: once every name server has had a record for long enough, its key signs.
Until then the one before does; no mail waits for this. mailsetup publishes
later keys itself where this server's BIND has the zone (init --dns bind), its
primary takes dynamic updates (init --dns rfc2136), or a program changes records
at the provider (init --dns hook).

`

const stillWaits = `A new DKIM key signs once every name server has its record. Until then the one
before does; no mail waits for this.

`

// recordsMail returns the mail about lost, changed and restored records, with a text
// for each domain.
func recordsMail(gone, restored int, domains []string) mailText {
	subject := counted(gone, "DNS records are gone or changed", "DNS records are gone or changed")
	if gone == 0 {
		subject = counted(restored, "DNS records were gone, and are back", "DNS records were gone, and are back")
	}
	if more := len(domains) - maxKeysInMail; more > 0 {
		domains = append(domains[:maxKeysInMail:maxKeysInMail], fmt.Sprintf("And %d more domains: mailsetup status shows all of them.\n", more))
	}
	return mailText{subject, recordsIntro + strings.Join(domains, "\n")}
}

const recordsIntro = `mailsetup looks at what name servers have of the records that it published,
and they no longer have all of it. Without the record of a key, mail that is
signed with it fails DKIM at every receiver.

`
