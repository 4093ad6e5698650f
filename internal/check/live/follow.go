package live

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/hint"
	"mailsetup/internal/livepath"
	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
)

// follow sends messages of the senders all the way, and judges what arrives.
func (c mailer) follow(ctx context.Context, senders []sender) {
	good := slices.DeleteFunc(slices.Clone(senders), func(s sender) bool { return !s.answer.ok() })
	var res livepath.Result
	if len(good) > 0 {
		res = c.send(ctx, good)
	}
	j := &judgement{mailer: c, result: res}
	for _, s := range senders {
		j.asSigned = append(j.asSigned, s.want)
		j.sender(ctx, s)
	}
	j.bounce(ctx, good)
	j.tell()
	if f := c.proxied(); f != "" {
		j.add(finding.Finding{ID: "live.signed.smtp", Severity: finding.Note, Subject: "smtpd_proxy_filter", Seen: "mail by port 25 goes to " + f + " before a milter sees it, and leaves unsigned: mailsetup init leaves that as it is"})
	}
	j.reinjected(good)
	j.aliases(good)
	j.tamper()
}

// send sends the messages of senders whose mail the signer signs. Other runs of mailsetup
// send messages to the same sink, so it takes the lock.
func (c mailer) send(ctx context.Context, senders []sender) livepath.Result {
	if c.o.Lock != nil {
		release, err := c.o.Lock(ctx)
		if err != nil {
			return livepath.Result{NotSentReason: err.Error()}
		}
		defer func() { _ = release() }()
	}
	req := livepath.Request{Postfix: c.s.Facts.Postfix, SMTP: c.smtp, Letters: c.letters(senders), Login: c.o.Login, Within: arriveWithin}
	for _, s := range senders {
		req.Signers = append(req.Signers, s.want)
	}
	res, err := livepath.Probe(ctx, c.m, req)
	if err != nil {
		return livepath.Result{NotSentReason: err.Error()}
	}
	for _, d := range res.Deliveries {
		if c.o.Arrived != nil && d.Missing == "" && d.Signatures == 1 && d.Broken == "" {
			c.o.Arrived(d)
		}
	}
	return res
}

// letters are the messages to send: by sendmail(1) from each sender, by SMTP from each
// domain, by each service for users from one, and a bounce.
func (c mailer) letters(senders []sender) []livepath.Letter {
	var all []livepath.Letter
	last := senders[0]
	smtp := c.smtp
	if c.proxied() != "" {
		smtp = ""
	}
	for i, s := range senders {
		all = append(all, livepath.Letter{Way: livepath.Sendmail, Signer: s.want})
		if i == 0 {
			all = append(all, livepath.Letter{Way: livepath.Sendmail, Signer: s.want, EightBit: true})
		}
		if i == 0 && s.host && len(senders) > 1 {
			continue // mail of root comes by sendmail(1)
		}
		if smtp != "" {
			all = append(all, livepath.Letter{Way: livepath.Port25, Signer: s.want})
		}
		if last.host && smtp != "" {
			all = append(all, livepath.Letter{Way: livepath.Port25, Signer: s.want, EightBit: true})
		}
		if last.host {
			last = s
		}
	}
	for _, u := range c.userServices() {
		if u.at != "" {
			all = append(all, livepath.Letter{Way: u.way, Signer: last.want, At: u.at})
		}
	}
	if c.bounces() && senders[0].host {
		all = append(all, livepath.Letter{Way: livepath.Bounce, Signer: senders[0].want})
	}
	return all
}

// proxied returns the filter to which port 25 hands mail before the signer sees it, "" for
// none.
func (c mailer) proxied() string {
	p := c.s.Facts.Postfix
	for i := range p.Services {
		if f := postconf.ProxyFilter(p, &p.Services[i]); f != "" && postconf.Port(p.Services[i]) == "25" {
			return f
		}
	}
	return ""
}

// bounces reports whether bounces of this server are to be signed.
func (c mailer) bounces() bool {
	return c.in.Spec.Host.SignBounces != "no"
}

// users is a service by which users hand in mail.
type users struct {
	asked postfix.Asked
	way   livepath.Way
	at    string // host:port, "" if it cannot be reached in the usual way
}

// maxUserServices bounds how many of them are tried.
const maxUserServices = 4

// userServices returns the services for users who log in.
func (c mailer) userServices() []users {
	p := c.s.Facts.Postfix
	var all []users
	for _, a := range c.asked {
		if a.Left || !postconf.UserService(p, a.Service) || len(all) == maxUserServices {
			continue
		}
		u := users{asked: a, way: livepath.Submission}
		if postconf.Effective(p, &a.Service, "smtpd_tls_wrappermode") == "yes" {
			u.way = livepath.SMTPS
		}
		at := strings.TrimSuffix(a.Service.Name, "/inet")
		host := "127.0.0.1"
		if i := strings.LastIndexByte(at, ':'); i >= 0 {
			host = strings.Trim(at[:i], "[]")
		} else if h, _, err := net.SplitHostPort(c.s.Facts.SMTPAddress); err == nil {
			host = h
		}
		if net.ParseIP(host) != nil {
			u.at = net.JoinHostPort(host, postconf.Port(a.Service))
		}
		all = append(all, u)
	}
	return all
}

// judgement turns what arrived into findings.
type judgement struct {
	mailer
	result livepath.Result
	all    []said
	// intact are messages that arrived as they should, for copies to be tampered with.
	intact []signature
	// again is the verdict on messages that a content filter hands back to be signed again.
	again verdict
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

// notSent says how far one could look where no message was sent.
func (j *judgement) notSent(s sender, reason string) verdict {
	v := verdict{
		severity: finding.Unknown, key: "not sent", station: "Postfix",
		seen: "the signer signs it (" + keyName(s.want) + "); its way through Postfix was not tried: " + reason,
	}
	if strings.Contains(reason, "transport_maps is not there") {
		v.remedy, v.fixable = "mailsetup init --yes", j.s.SetUp
	}
	return v
}

// delivery judges one message as it arrived by one transport.
func (j *judgement) delivery(ctx context.Context, s sender, way livepath.Way, d livepath.Delivery) verdict {
	by := "Postfix"
	if d.Transport != "" {
		by = "transport " + d.Transport
	}
	v := verdict{severity: finding.Unknown, station: by, expected: "one signature, by " + keyName(s.want)}
	switch {
	case d.Refused:
		v.key, v.seen = "refused "+string(way), "Postfix does not take it: "+d.Missing
		return v
	case d.Missing != "":
		v.key, v.seen = "missing "+string(way), "it has not arrived by "+d.Transport+": "+d.Missing
		return v
	}
	v.severity = finding.Problem
	all := signatures(d.Data)
	own := slices.DeleteFunc(slices.Clone(all), func(g signature) bool { return g.domain != strings.ToLower(s.want.Domain) })
	if len(own) == 0 {
		v.key, v.station, v.seen = "unsigned "+string(way), "OpenDKIM", "it arrives without a signature of "+s.want.Domain
		if len(all) > 0 {
			v.seen += ", with one of " + all[0].domain
		}
		v.cause, v.remedy = j.off(way), "postconf -n | grep milter; postconf -P | grep milter shows what keeps it away from the signer; journalctl -u opendkim -n 20 what the signer says"
		return v
	}
	i := slices.IndexFunc(own, func(g signature) bool { return g.selector == strings.ToLower(s.want.Selector) })
	if i < 0 {
		v.key, v.station, v.seen = "selector "+string(way), "OpenDKIM", "it is signed with the key "+own[0].selector
		v.remedy = j.writesTables()
		return v
	}
	if own[i].partial {
		j.partial = own[i].domain
		v.key, v.cause, v.seen = "partial", "live.tamper", "its signature leaves a part of the body out (l=)"
		return v
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
		return v
	}
	if v, once := j.once(v, s, own); !once {
		return v
	}
	p := j.verifyInDNS(ctx, own[i])
	switch {
	case p.unknown != nil:
		v.severity, v.key, v.station, v.seen = finding.Unknown, "dns", "DNS", "its signature holds with the key on disk; "+p.unknown.Error()
		return v
	case p.bad != nil:
		v.key, v.station, v.seen, v.cause = "dns "+s.want.Domain, "DNS", p.bad.Error(), "dkim"
		v.remedy = "mailsetup check --only dkim " + s.domain
		return v
	}
	j.intact = append(j.intact, own[i])
	v = verdict{severity: finding.OK, seen: "signed once by " + keyName(s.want) + ", holds with the key on disk and with DNS"}
	if !p.asked {
		v.seen = "signed once by " + keyName(s.want) + ", holds with the key on disk; DNS was not asked"
	}
	return v
}

// once checks that a message has one signature of its domain.
func (j *judgement) once(v verdict, s sender, own []signature) (verdict, bool) {
	if len(own) == 1 {
		return v, true
	}
	var names []string
	for _, g := range own {
		names = append(names, g.selector)
	}
	v.severity, v.key = finding.Warning, "twice"
	v.seen = fmt.Sprintf("it arrives with %d signatures of %s (%s)", len(own), s.want.Domain, strings.Join(names, ", "))
	v.remedy = "mailsetup init says who else signs"
	if postconf.PipesBack(j.s.Facts.Postfix) {
		v.severity = finding.Problem
		v.seen += ": the content filter hands mail back as if it were written here, so forged mail gets signed, too"
		v.remedy = "let the program keep the Received fields, or hand mail back to a service of its own in master.cf: 127.0.0.1:10026 inet n - y - - smtpd -o content_filter="
	}
	if len(postconf.ContentFilters(j.s.Facts.Postfix)) > 0 {
		j.again, v.cause = v, "live.signed.reinject"
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
func (j *judgement) alteredBy() string {
	var said []string
	for _, n := range postfix.RewriteNotes(j.in) {
		said = append(said, n.Text+"; "+n.Action)
	}
	const discard = "smtp_discard_ehlo_keywords"
	if value := postconf.Effective(j.s.Facts.Postfix, nil, discard); strings.Contains(strings.ToLower(value), "8bitmime") {
		said = append(said, "take 8bitmime out of "+discard+" in main.cf, then systemctl reload postfix: Postfix converts 8-bit text after signing")
	}
	if len(said) > 0 {
		return strings.Join(said, "\n")
	}
	return "postconf -n | grep -E 'smtp_(generic_maps|.*checks|discard_ehlo)'; postconf -P | grep smtp_ shows what Postfix changes after signing: take that out; other milters and a content filter may do so, too"
}

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
				v.remedy = "postconf -e " + hint.Quote(classes+" = "+strings.Join(append(has, "bounce"), ", ")) + " && systemctl reload postfix"
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
			if elsewhere && !strings.HasPrefix(line, "#") && !j.hasMailboxes(host) {
				n++
			}
		}
		if n > 0 {
			j.add(finding.Finding{ID: "live.signed.alias", Severity: finding.OK, Subject: "/" + file, Seen: fmt.Sprintf(
				"aliases that lead to other hosts: %d; they pass on what was signed when it came in (by configuration, not tried)", n)})
		}
	}
}

// tamper checks that changed copies of the messages do not verify: a check that never
// fails proves nothing.
func (j *judgement) tamper() {
	if j.partial != "" {
		j.add(finding.Finding{
			ID: "live.tamper", Severity: finding.Problem, Subject: j.partial, Seen: "the signature leaves a part of the body out (l=): what is appended keeps it valid",
			Expected: "all of the body is signed", Source: "RFC 6376 section 8.2",
			Remedy: "take MaximumSignedBytes and BodyLengthDB out of /etc/opendkim.conf; then systemctl restart opendkim",
		})
		return
	}
	if len(j.intact) == 0 {
		return
	}
	copies := 0
	for _, s := range j.intact[:min(len(j.intact), 3)] {
		for _, t := range tampered(s.message) {
			copies++
			want := s.domain
			i := slices.IndexFunc(j.asSigned, func(w state.Signer) bool { return strings.EqualFold(w.Domain, want) })
			copied := s
			copied.message = t
			if i < 0 || copied.verify(withRecord(j.asSigned[i].Public)) != nil {
				continue
			}
			j.add(finding.Finding{
				ID: "live.tamper", Severity: finding.Problem, Subject: s.domain, Seen: "a copy with a letter changed still verifies",
				Expected: "subject and body are signed", Remedy: "take SignHeaders and OmitHeaders out of /etc/opendkim.conf; then systemctl restart opendkim",
			})
			return
		}
	}
	j.add(finding.Finding{ID: "live.tamper", Severity: finding.OK, Seen: fmt.Sprintf("none of %d copies with a letter changed verifies", copies)})
}

// picture draws the way of a message.
func (j *judgement) picture(name string, s sender, arrived []livepath.Delivery, v verdict) {
	entry := map[string]string{"sendmail": "sendmail(1)", "smtp": "smtpd(8), port 25", "bounce": "bounce(8)", "submission": "smtpd(8), for users"}[name]
	m := finding.Message{Domain: s.domain, Way: name}
	stations := []string{entry, "OpenDKIM"}
	for _, f := range postconf.ContentFilters(j.s.Facts.Postfix) {
		stations = append(stations, "content filter "+f.Value)
	}
	by := ""
	for _, d := range arrived {
		if d.Transport != "" {
			by = cmp.Or(by, d.Transport)
		}
	}
	transport := strings.TrimSpace("transport " + by)
	stations = append(stations, transport, "sink", "DNS")
	at := v.station
	if strings.HasPrefix(at, "transport ") {
		at = transport
	}
	if at == "Postfix" {
		at = entry
	}
	gone := false
	for _, station := range stations {
		t := finding.Station{Name: station, Severity: finding.OK}
		switch {
		case gone:
			t.Severity = finding.Unknown
		case !v.ok() && station == at:
			t.Severity, t.Text = v.severity, cut(v.seen)
			gone = true
		case station == entry:
			t.Text = "from " + s.want.From
		case station == "OpenDKIM":
			t.Text = "signs it with " + keyName(s.want)
		case station == "sink":
			t.Text = "on this machine, " + route.Host
		case station == "DNS" && j.dns == nil:
			t.Severity, t.Text = finding.Unknown, "was not asked"
		case station == "DNS":
			t.Text = "the signature holds with the published key"
		}
		m.Stations = append(m.Stations, t)
	}
	j.res.Messages = append(j.res.Messages, m)
}
