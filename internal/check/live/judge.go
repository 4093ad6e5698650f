package live

import (
	"cmp"
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

// judgement turns what arrived into findings.
type judgement struct {
	mailer
	result livepath.Result
	all    []said
	// intact are messages that arrived as they should, for copies to be tampered with.
	intact []signature
	// partial is a domain whose signatures leave a part of the body out, "" for none.
	partial string
	// asSigned are the keys with which they were signed.
	asSigned []state.Signer
}

// said is a verdict on its way to become a finding.
type said struct {
	id, domain, about string
	verdict
}

func (j *judgement) say(id string, s sender, about string, v verdict) {
	j.all = append(j.all, said{id, s.domain, about, v})
}

// tell reports the verdicts. What has the same cause is told once: of the server, if it
// is about several domains.
func (j *judgement) tell() {
	domains, first := map[string]string{}, map[string]int{}
	for i, v := range j.all {
		if v.ok() || v.key == "" || v.cause != "" {
			continue
		}
		if _, known := first[v.key]; !known {
			first[v.key], domains[v.key] = i, v.domain
		} else if domains[v.key] != v.domain {
			domains[v.key] = ""
		}
	}
	for i, v := range j.all {
		f := len(j.res.Findings)
		at, shared := first[v.key]
		if shared && at == i {
			v.domain = domains[v.key]
		}
		j.report(v.id, v.domain, v.about, v.verdict)
		if shared && at != i && v.cause == "" && !v.ok() {
			j.res.Findings[f].CausedBy, j.res.Findings[f].Fixable = j.all[at].id, false
		}
	}
}

// sender judges the messages of one sender.
func (j *judgement) sender(ctx context.Context, s sender) {
	if !s.answer.ok() {
		s.answer.key = cmp.Or(s.answer.key, "signer")
		j.say("live.signed.sendmail", s, s.want.From, s.answer)
		j.picture("sendmail", s, nil, s.answer)
		return
	}
	for _, w := range []struct {
		id, name string
		way      livepath.Way
	}{{"live.signed.sendmail", "sendmail", livepath.Sendmail}, {"live.signed.smtp", "smtp", livepath.Port25}} {
		arrived := j.deliveries(w.way, s)
		if len(arrived) == 0 && j.result.NotSentReason == "" || j.result.NotSentReason != "" && w.way == livepath.Port25 {
			continue
		}
		v := j.judge(ctx, s, w.way, arrived)
		j.say(w.id, s, s.want.From, v)
		j.picture(w.name, s, arrived, v)
	}
	j.submission(ctx, s)
}

func (j *judgement) deliveries(way livepath.Way, s sender) []livepath.Delivery {
	return slices.DeleteFunc(slices.Clone(j.result.Deliveries), func(d livepath.Delivery) bool { return d.Way != way || d.Signer != s.want })
}

// judge says what became of the messages of a sender by one way.
func (j *judgement) judge(ctx context.Context, s sender, way livepath.Way, arrived []livepath.Delivery) verdict {
	if r := j.result.NotSentReason; r != "" {
		return j.notSent(s, r)
	}
	ok := verdict{severity: finding.OK}
	var transports []string
	for _, d := range arrived {
		v := j.delivery(ctx, s, way, d)
		if !v.ok() {
			return v
		}
		ok.seen = v.seen
		if d.Transport != "" && !slices.Contains(transports, d.Transport) {
			transports = append(transports, d.Transport)
		}
	}
	ok.seen += ", by " + strings.Join(transports, " and ")
	return ok
}

// notSent is the key of verdicts where no message was sent.
const notSent = "not sent"

// notSent says how far one could look where no message was sent.
func (j *judgement) notSent(s sender, reason string) verdict {
	v := verdict{
		severity: finding.Unknown, key: notSent, station: "Postfix",
		seen: "the signer signs it (" + keyName(s.want) + "); its way through Postfix was not tried: " + reason,
	}
	if strings.Contains(reason, "transport_maps is not there") {
		v.remedy, v.fixable = finding.Command("mailsetup init --yes"), j.s.SetUp
	}
	return v
}

// delivery judges one message as it arrived by one transport.
func (j *judgement) delivery(ctx context.Context, s sender, way livepath.Way, d livepath.Delivery) verdict {
	v, own := j.arrival(s, way, d)
	if !v.ok() {
		return v
	}
	p := j.verifyInDNS(ctx, own)
	switch {
	case p.unknown != nil:
		v.severity, v.key, v.station, v.seen = finding.Unknown, "dns", "DNS", "its signature holds with the key on disk; "+p.unknown.Error()
		return v
	case p.bad != nil:
		v.severity, v.key, v.station, v.seen, v.cause = finding.Problem, "dns "+s.want.Domain, "DNS", p.bad.Error(), "dkim"
		v.remedy = finding.Command("mailsetup check --only dkim %s", s.domain)
		return v
	}
	j.intact = append(j.intact, own)
	v = verdict{severity: finding.OK, seen: "signed once by " + keyName(s.want) + ", holds with the key on disk and with DNS"}
	if !p.asked {
		v.seen = "signed once by " + keyName(s.want) + ", holds with the key on disk; DNS was not asked"
	}
	return v
}

// arrival judges a message as it arrived with the key on disk, and returns its signature.
func (j *judgement) arrival(s sender, way livepath.Way, d livepath.Delivery) (verdict, signature) {
	by := "Postfix"
	if d.Transport != "" {
		by = "transport " + d.Transport
	}
	v := verdict{severity: finding.Unknown, station: by, expected: "one signature, by " + keyName(s.want)}
	switch {
	case d.Refused:
		v.key, v.seen = "refused "+string(way), "Postfix does not take it: "+d.Missing
		return v, signature{}
	case d.Missing != "":
		v.key, v.seen = "missing "+string(way), "it has not arrived by "+d.Transport+": "+d.Missing
		return v, signature{}
	}
	v.severity = finding.Problem
	all := signatures(d.Data)
	own := slices.DeleteFunc(slices.Clone(all), func(g signature) bool { return g.domain != strings.ToLower(s.want.Domain) })
	if len(own) == 0 {
		v.key, v.station, v.seen = "unsigned "+string(way), "OpenDKIM", "it arrives without a signature of "+s.want.Domain
		if len(all) > 0 {
			v.seen += ", with one of " + all[0].domain
		}
		v.cause = j.off(way)
		v.remedy = finding.Text("see what keeps it away from the signer:").Command("postconf -n | grep milter; postconf -P | grep milter").
			Text("and what the signer says:").Command("journalctl -u opendkim -n 20")
		return v, signature{}
	}
	i := slices.IndexFunc(own, func(g signature) bool { return g.selector == strings.ToLower(s.want.Selector) })
	if i < 0 {
		v.key, v.station, v.seen = "selector "+string(way), "OpenDKIM", "it is signed with the key "+own[0].selector
		v.remedy = j.writesTables()
		return v, signature{}
	}
	if own[i].partial {
		j.partial = own[i].domain
		v.key, v.cause, v.seen = "partial", "live.tamper", "its signature leaves a part of the body out (l=)"
		return v, signature{}
	}
	if err := own[i].verify(withRecord(s.want.Public)); err != nil {
		v.key, v.seen = "altered", "its signature is broken when it arrives by "+d.Transport+": "+strings.TrimPrefix(err.Error(), "dkim: ")
		if d.EightBit {
			v.seen += " (8-bit text)"
		}
		if len(d.Changed) > 0 {
			v.seen += "; changed on the way: " + strings.Join(d.Changed, ", ")
		}
		v.remedy = j.alteredBy()
		return v, signature{}
	}
	if v, once := j.once(v, s, own); !once {
		return v, signature{}
	}
	v.severity = finding.OK
	return v, own[i]
}

// twice is the key of verdicts on messages with two signatures.
const twice = "twice"

// once checks that a message has one signature of its domain.
func (j *judgement) once(v verdict, s sender, own []signature) (verdict, bool) {
	if len(own) == 1 {
		return v, true
	}
	var names []string
	for _, g := range own {
		names = append(names, g.selector)
	}
	v.severity, v.key = finding.Warning, twice
	v.seen = fmt.Sprintf("it arrives with %d signatures of %s (%s)", len(own), s.want.Domain, strings.Join(names, ", "))
	v.remedy = finding.Text("to see who else signs:").Command("mailsetup init")
	if postconf.PipesBack(j.s.Facts.Postfix) {
		v.severity = finding.Problem
		v.seen += ": the content filter hands mail back as if it were written here, so forged mail gets signed, too"
		v.remedy = finding.Text("let the program keep the Received fields, or hand mail back to a service of its own in master.cf: 127.0.0.1:10026 inet n - y - - smtpd -o content_filter=")
	}
	if len(postconf.ContentFilters(j.s.Facts.Postfix)) > 0 {
		v.cause = "live.signed.reinject"
	}
	return v, false
}

// off returns the ID of the finding that says why the signer does not see mail of a way, ""
// if it does.
func (j *judgement) off(way livepath.Way) string {
	for _, a := range j.asked {
		local := a.Service.Command == "cleanup"
		if a.Off != "" && (local == (way == livepath.Sendmail || way == livepath.Bounce)) {
			return "live.milters"
		}
	}
	return ""
}

// alteredBy says what changes mail after it was signed.
func (j *judgement) alteredBy() finding.Remedy {
	var said finding.Remedy
	for _, n := range postfix.RewriteNotes(j.in) {
		said = said.Text(n.Text + "; " + n.Action)
	}
	const discard = "smtp_discard_ehlo_keywords"
	if value := postconf.Effective(j.s.Facts.Postfix, nil, discard); strings.Contains(strings.ToLower(value), "8bitmime") {
		said = said.Text("take 8bitmime out of " + discard + " in main.cf, by which Postfix converts 8-bit text after signing, then:").Command("systemctl reload postfix")
	}
	if len(said) > 0 {
		return said
	}
	return finding.Text("see what Postfix changes after signing, and take that out:").
		Command("postconf -n | grep -E 'smtp_(generic_maps|.*checks|discard_ehlo)'; postconf -P | grep smtp_").
		Text("other milters and a content filter may do so, too")
}
