package check

import (
	"cmp"
	"context"
	"strings"

	"mailsetup/internal/check/report"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/machine"
	"mailsetup/internal/notify"
	"mailsetup/internal/text"
)

// mailChanges mails what differs from what was told before. Mail that cannot be sent is
// no error: what it says is printed as well.
func mailChanges(ctx context.Context, m *machine.Machine, s subject.Server, r report.Report) {
	to := cmp.Or(s.Spec.Host.Notify, "root")
	var body strings.Builder
	err := r.WriteChanges(&body, report.TextOptions{Width: 76})
	if err == nil {
		topic := "what mailsetup check found has changed"
		if n := report.Count(r.Changes).Problems; n > 0 {
			topic = text.Count(n, "new problem") + " for your mail"
		}
		err = notify.Send(ctx, m.Sys, notify.Message{
			Hostname: cmp.Or(s.Name, s.Spec.Host.Hostname, s.Facts.FQDN, "localhost"), To: to, Subject: topic, Body: body.String(), Date: m.Now,
		})
	}
	if err != nil {
		m.Logf("no mail to %s: %v", to, err)
	}
}
