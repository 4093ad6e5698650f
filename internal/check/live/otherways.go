package live

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/tables"
	"mailsetup/internal/livepath"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
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

// reinjected says what content filters leave of the signatures of the messages that passed
// them.
func (j *judgement) reinjected(senders []sender) {
	var told []string
	for _, filter := range postconf.ContentFilters(j.s.Facts.Postfix) {
		if slices.Contains(told, filter.Value) {
			continue
		}
		told = append(told, filter.Value)
		if domain, v := j.behind(filter.Value, senders); v.severity != "" {
			j.report("live.signed.reinject", domain, filter.Value, v)
		}
	}
}

// behind judges the messages that passed a content filter by the worst of them, and says
// of which domain they are, "" for several.
func (j *judgement) behind(filter string, senders []sender) (domain string, worst verdict) {
	ids := map[livepath.Way]string{livepath.Sendmail: "live.signed.sendmail", livepath.Port25: "live.signed.smtp"}
	severities := []finding.Severity{"", finding.OK, finding.Unknown, finding.Warning, finding.Problem}
	n, intact := 0, 0
	for _, s := range senders {
		for _, d := range j.result.Deliveries {
			if d.Signer != s.want || d.Refused || j.filterOf(d) != filter {
				continue
			}
			v, _ := j.arrival(s, d.Way, d)
			if n++; v.ok() {
				intact++
			} else if domain == "" || domain == s.domain {
				domain = s.domain
			} else {
				domain = "several"
			}
			if slices.Index(severities, v.severity) > slices.Index(severities, worst.severity) {
				worst = v
				if worst.cause = ""; v.key != twice {
					worst.cause = cmp.Or(ids[d.Way], "live.signed.submission")
				}
			}
		}
	}
	switch {
	case worst.severity == "":
	case worst.ok():
		worst = verdict{severity: finding.OK, seen: "messages come back from it signed once"}
	case worst.key != twice:
		worst.key, worst.remedy = "reinject", nil
		worst.seen = fmt.Sprintf("of %s that went through it %d came back intact and signed once: %s", text.Count(n, "message"), intact, worst.seen)
	}
	if domain == "several" || worst.key == twice {
		domain = ""
	}
	return domain, worst
}

// filterOf returns the content filter that a message passes, "" for none.
func (c mailer) filterOf(d livepath.Delivery) string {
	p := c.s.Facts.Postfix
	takes := func(s state.Service) bool {
		switch d.Way {
		case livepath.Sendmail:
			return s.Command == "pickup"
		case livepath.Port25:
			return s.Command == "smtpd" && (postconf.Port(s) == "25" || s.Name == "smtpd/pass")
		}
		return slices.ContainsFunc(c.userServices(), func(u users) bool { return u.at == d.At && u.asked.Service.Name == s.Name })
	}
	i := slices.IndexFunc(p.Services, takes)
	if i < 0 || d.Way == livepath.Bounce {
		return ""
	}
	return postconf.Effective(p, &p.Services[i], "content_filter")
}

// aliases says of mail that aliases(5) pass on to others what follows from how it comes in:
// local(8) hands it on as it is, and no milter sees it again.
func (j *judgement) aliases(senders []sender) {
	if len(senders) == 0 || len(j.intact) == 0 {
		return
	}
	for _, table := range tables.In(j.s.Facts.Postfix, "alias_maps") {
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
