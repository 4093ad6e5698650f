package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/livepath"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
)

// bounce judges the bounce that Postfix wrote, from MAILER-DAEMON at the host's own name.
func (j *judgement) bounce(ctx context.Context, senders []sender) {
	if len(senders) == 0 || !senders[0].host {
		return
	}
	s := senders[0]
	for _, d := range j.deliveries(livepath.Bounce, s) {
		v := j.delivery(ctx, s, livepath.Bounce, d)
		if d.Refused {
			v = j.bouncesByConfiguration(d.Missing)
		}
		if v.key == "unsigned bounce" && v.cause == "" {
			const classes = "internal_mail_filter_classes"
			v.severity = finding.Warning
			if has := postconf.Words(postconf.Effective(j.s.Facts.Postfix, nil, classes)); !slices.Contains(has, "bounce") {
				v.remedy = finding.Command("postconf -e %s && systemctl reload postfix", classes+" = "+strings.Join(append(has, "bounce"), ", "))
			}
		}
		j.say("live.signed.bounce", s, "MAILER-DAEMON", v)
		j.picture("bounce", s, []livepath.Delivery{d}, v)
	}
}

// bouncesByConfiguration says what follows for bounces from main.cf, where none was made.
func (j *judgement) bouncesByConfiguration(why string) verdict {
	const classes = "internal_mail_filter_classes"
	local := slices.ContainsFunc(j.asked, func(a postfix.Asked) bool { return a.Service.Command == "cleanup" && a.Found })
	if postconf.Has(postconf.Effective(j.s.Facts.Postfix, nil, classes), "bounce") && local {
		return verdict{severity: finding.OK, seen: "bounces pass the signer by configuration; none was made: " + why}
	}
	return verdict{severity: finding.Warning, key: "unsigned bounce", station: "OpenDKIM", seen: classes + " lacks bounce, or the signer is not in non_smtpd_milters; no bounce was made: " + why}
}

// reinjected says what a content filter leaves of the signature: the messages have passed
// it.
func (j *judgement) reinjected(senders []sender) {
	filters := postconf.ContentFilters(j.s.Facts.Postfix)
	if len(filters) == 0 || len(senders) == 0 || j.result.NotSentReason != "" {
		return
	}
	for _, filter := range filters {
		v := verdict{severity: finding.OK, seen: "messages come back from it signed once"}
		if j.again.key != "" {
			v = j.again
		} else if len(j.intact) == 0 {
			v = verdict{severity: finding.Problem, key: "reinject", seen: "no message that went through it arrived as it should", cause: "live.signed.sendmail"}
		}
		j.report("live.signed.reinject", "", filter.Value, v)
	}
}

// aliases says of mail that aliases(5) pass on to others what follows from how it comes in:
// local(8) hands it on as it is, and no milter sees it again.
func (j *judgement) aliases(senders []sender) {
	if len(senders) == 0 || len(j.intact) == 0 {
		return
	}
	for _, table := range tablesIn(j.s.Facts.Postfix, "alias_maps") {
		_, file, ok := strings.Cut(table, ":/")
		if !ok {
			continue
		}
		n := 0
		for line := range strings.Lines(string(j.text(state.Path("/" + file)))) {
			_, to, _ := strings.Cut(line, ":")
			_, host, elsewhere := strings.Cut(strings.ToLower(strings.TrimSpace(to)), "@")
			if elsewhere && !strings.HasPrefix(line, "#") && !j.s.HasMailboxes(host) {
				n++
			}
		}
		if n > 0 {
			j.add(finding.Finding{ID: "live.signed.alias", Severity: finding.OK, Subject: "/" + file, Seen: fmt.Sprintf(
				"aliases that lead to other hosts: %d; they pass on what was signed when it came in (by configuration, not tried)", n)})
		}
	}
}
