package check

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/report"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/machine"
	"mailsetup/internal/notify"
	"mailsetup/internal/text"
)

// mailChanges mails what differs from what was told before, and reports whether somebody
// gets it. While mail of this server does not get through, a letter would wait for what it
// is about, so root's mailbox here has a copy.
func (o Options) mailChanges(ctx context.Context, m *machine.Machine, s subject.Server, r report.Report) bool {
	var body strings.Builder
	if err := r.WriteChanges(&body, report.TextOptions{Width: 76}); err != nil {
		m.Logf("no mail: %v", err)
		return false
	}
	topic := "what mailsetup check found has changed"
	if n := report.Count(r.Changes).Problems; n > 0 {
		topic = text.Count(n, "new problem") + " for your mail"
	}
	letter := notify.Message{
		Hostname: cmp.Or(s.Name, s.Spec.Host.Hostname, s.Facts.FQDN, "localhost"), To: cmp.Or(s.Spec.Host.Notify, "root"),
		Subject: topic, Body: body.String(), Date: m.Now,
	}
	err := notify.Send(ctx, m.Sys, letter)
	if err != nil {
		m.Logf("no mail to %s: %v", letter.To, err)
	}
	if o.Mailbox == "" || err == nil && !waits(r) {
		return err == nil
	}
	failed := notify.ToRoot(ctx, o.Mailbox, letter)
	if failed != nil {
		m.Logf("no mail to root: %v", failed)
	}
	return err == nil || failed == nil
}

// waits reports whether mail of this server does not get through: what the live path, or
// the services on it, have a problem with.
func waits(r report.Report) bool {
	return slices.ContainsFunc(r.Findings, func(f finding.Finding) bool {
		return f.Severity == finding.Problem && finding.Kind{ID: f.ID}.Group() == "live"
	})
}
