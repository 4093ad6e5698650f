package live

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/parallel"
	"mailsetup/internal/probe"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// mailer asks the signer, and sends messages.
type mailer struct{ *checker }

// sender is somebody whose mail should be signed.
type sender struct {
	domain string
	want   state.Signer
	host   bool // the machine itself: root, and bounces
	answer verdict
}

// verdict is what was found out about mail of one sender by one way.
type verdict struct {
	severity finding.Severity
	// key is the same for verdicts with the same cause.
	key            string
	seen, expected string
	remedy         finding.Remedy
	cause          string // ID of a finding that explains it, "" for none
	station        string // where it went wrong
	fixable        bool
}

// ok reports whether the mail is as it should be.
func (v verdict) ok() bool { return v.severity == finding.OK }

// mail asks the signer about the domains, all of which send, and sends messages for some of
// them.
func (c mailer) mail(ctx context.Context, domains []subject.Domain) {
	if c.s.Unprivileged {
		c.add(finding.Finding{
			ID: "live.signed.sendmail", Severity: finding.Unknown, Seen: "only root can follow a message through Postfix",
			Remedy: finding.Command("sudo mailsetup check --only live"),
		})
		return
	}
	senders, elsewhere, waiting := c.senders(domains)
	if c.cause != "" {
		for _, s := range senders {
			c.add(finding.Finding{ID: "live.signed.sendmail", Severity: finding.Problem, Domain: s.domain, Subject: s.want.From, Seen: "its mail does not get through", CausedBy: c.cause})
		}
		return
	}
	for _, d := range waiting {
		const why = "no key of it signs yet"
		c.add(finding.Finding{ID: "live.signed.sendmail", Severity: finding.Note, Domain: d, Seen: why, Remedy: finding.Command("mailsetup list %s", d)})
		c.authors = append(c.authors, author{domain: d, from: "postmaster@" + d, unsigned: why})
	}
	for i := range senders {
		s := &senders[i]
		s.answer = c.ask(ctx, s.want)
		a := author{domain: s.domain, from: s.want.From, host: s.host}
		if s.answer.ok() {
			a.signed = keyName(s.want)
		} else if s.answer.key == "unsigned" {
			a.unsigned = s.answer.seen
		}
		c.authors = append(c.authors, a)
	}
	c.staleSigner(senders)
	c.foreign(ctx, senders)
	c.follow(ctx, senders)
	c.others(ctx, domains, senders)
	c.elsewhere(ctx, elsewhere)
}

// senders returns who gets messages: the host and a few domains; also the domains that
// another program signs for, and those of which no key signs yet.
func (c mailer) senders(domains []subject.Domain) (senders []sender, elsewhere, waiting []string) {
	if !c.s.SetUp {
		for _, d := range domains[:min(len(domains), maxSenders)] {
			elsewhere = append(elsewhere, d.Name)
		}
		return nil, elsewhere, nil
	}
	host := c.in.Spec.Host.Domain
	slices.SortStableFunc(domains, func(a, b subject.Domain) int {
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Name == host], map[bool]int{true: 0, false: 1}[b.Name == host])
	})
	for _, d := range domains {
		if len(senders)+len(elsewhere)+len(waiting) > maxSenders {
			break
		}
		if d.Wanted != nil && d.Wanted.SignedBy == spec.ByOther {
			elsewhere = append(elsewhere, d.Name)
			continue
		}
		if d.Name == host {
			if all := signer.Senders(c.in); len(all) > 1 {
				senders = append(senders, sender{domain: all[0].Domain, want: c.onDisk(all[0]), host: true})
			}
		}
		want, ok := c.expected(d.Name)
		if !ok {
			waiting = append(waiting, d.Name)
			continue
		}
		senders = append(senders, sender{domain: d.Name, want: want, host: d.Name == host && len(senders) == 0})
	}
	return senders, elsewhere, waiting
}

// expected returns how mail of a domain has to be signed: with the key on disk.
func (c mailer) expected(domain string) (state.Signer, bool) {
	in := c.in
	in.Scope = step.Only(domain)
	all := signer.Senders(in)
	if len(all) == 0 || all[0].Domain != domain {
		return state.Signer{}, false
	}
	return c.onDisk(all[0]), true
}

// onDisk puts the public half of the private key into what is expected.
func (c mailer) onDisk(s state.Signer) state.Signer {
	k, ok := c.s.Ledger.Signing(s.Domain)
	if !ok || k.File == "" {
		return s
	}
	o, err := c.m.Read(state.Path(k.File))
	if err != nil || o.Kind != state.Regular {
		return s
	}
	if key, err := keygen.Parse(o.Content); err == nil {
		s.Public = keygen.Record(key.Public())
	}
	return s
}

// ask asks the signer, as Postfix does for a program on this machine.
func (c mailer) ask(ctx context.Context, want state.Signer) verdict {
	found, err := c.signaturesFor(ctx, want, state.Client{Kind: state.BySendmail})
	v := verdict{severity: finding.Problem, station: "OpenDKIM", expected: "signed by " + keyName(want)}
	own := slices.DeleteFunc(slices.Clone(found), func(s state.Signature) bool { return !strings.EqualFold(s.Domain, want.Domain) })
	switch {
	case err != nil && strings.Contains(err.Error(), "refused"):
		v.key, v.seen = "refused", "the signer refuses it: "+err.Error()
		v.remedy = finding.Command("journalctl -u opendkim -n 20")
	case err != nil:
		v.severity, v.key, v.seen = finding.Unknown, "silent", "the signer was asked: "+err.Error()
	case len(own) == 0 && len(found) > 0:
		v.key, v.seen = "other domain", "it is signed by "+found[0].Domain+", not by its own domain"
	case len(own) == 0:
		v.key, v.seen = "unsigned", "the signer does not sign it"
	case !slices.ContainsFunc(own, func(s state.Signature) bool { return strings.EqualFold(s.Selector, want.Selector) }):
		v.key, v.seen = "selector", "the signer uses the key "+own[0].Selector
	case own[0].Problem != "" && len(own) == 1:
		v.key, v.seen = "key", "the signature does not verify with the key on disk: "+own[0].Problem
	default:
		return verdict{severity: finding.OK}
	}
	if c.badKeys[want.Domain] {
		v.cause = "live.keys"
	}
	if v.remedy == nil {
		v.remedy = c.writesTables()
	}
	return v
}

// writesTables is what mends an OpenDKIM whose files say the wrong thing. Files that
// somebody edited are overwritten on request alone.
func (c mailer) writesTables() finding.Remedy {
	if c.tablesRight() {
		return finding.Command("systemctl restart opendkim")
	}
	return finding.Text("to see what is changed in the files of OpenDKIM, and put them back after a yes:").Command("mailsetup init --overwrite-drift")
}

// signaturesFor asks the signer about mail of a sender from a client.
func (c mailer) signaturesFor(ctx context.Context, want state.Signer, client state.Client) ([]state.Signature, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	found, err := probe.Signatures(ctx, c.address(), want.From, client, withRecord(want.Public))
	if ctx.Err() != nil {
		err = fmt.Errorf("no answer within %v", askWithin)
	}
	return found, err
}

func keyName(s state.Signer) string { return s.Selector + "._domainkey." + s.Domain }

// staleSigner tells an OpenDKIM that works with older tables than those on disk.
func (c mailer) staleSigner(senders []sender) {
	f := finding.Finding{ID: "live.stale", Severity: finding.OK, Subject: signer.Unit, Seen: "signs as its tables say"}
	wrong := slices.IndexFunc(senders, func(s sender) bool { return s.answer.severity == finding.Problem && s.answer.cause == "" })
	switch {
	case len(senders) == 0:
		return
	case wrong >= 0 && (len(c.newer) == 0 || !c.tablesRight()):
		return // what is on disk is wrong as well
	case wrong >= 0:
		f.Severity, f.Seen = finding.Problem, strings.Join(c.newer, ", ")+" changed, and OpenDKIM has not read that: of "+senders[wrong].want.From+", "+senders[wrong].answer.seen
		f.Expected, f.Remedy = "what runs is what its files say", finding.Command("systemctl reload opendkim").Text("if that does not help:").Command("systemctl restart opendkim")
		for i := range senders {
			if senders[i].answer.severity == finding.Problem {
				senders[i].answer.cause = cmp.Or(senders[i].answer.cause, f.ID)
			}
		}
	}
	c.add(f)
}

// tablesRight reports whether the files of OpenDKIM are those that mailsetup would write.
func (c mailer) tablesRight() bool {
	conf, err := signer.RenderConf(c.in)
	if err != nil {
		return false
	}
	tables, err := signer.RenderTables(c.in)
	if err != nil {
		return false
	}
	return string(c.text(signer.ConfFile)) == string(conf) && string(c.text(signer.KeyTable)) == string(tables.KeyTable) &&
		string(c.text(signer.SigningTable)) == string(tables.SigningTable)
}

// stranger is an address of RFC 5737 that nobody here trusts; false if all are trusted.
func (c mailer) stranger() (string, bool) {
	for _, text := range []string{"198.51.100.77", "203.0.113.77", "192.0.2.77"} {
		a := netip.MustParseAddr(text)
		trusts := slices.ContainsFunc(c.s.Facts.Postfix.Networks, func(n netip.Prefix) bool { return n.Contains(a) })
		for _, t := range c.in.Spec.Host.Trusted {
			p, err := netip.ParsePrefix(strings.TrimSpace(t))
			trusts = trusts || t == text || err == nil && p.Contains(a)
		}
		if !trusts {
			return text, true
		}
	}
	return "", false
}

// foreign checks that mail from outside in the name of a domain is not signed.
func (c mailer) foreign(ctx context.Context, senders []sender) {
	from, ok := c.stranger()
	for _, s := range senders {
		if s.host && len(senders) > 1 || s.answer.severity == finding.Unknown || s.answer.key == "refused" {
			continue
		}
		f := finding.Finding{
			ID: "live.foreign", Severity: finding.OK, Domain: s.domain, Subject: s.want.From, Seen: "mail in its name from " + from + " is not signed",
		}
		switch found, err := c.signaturesFor(ctx, s.want, state.Client{Kind: state.BySMTP, Address: from}); {
		case !ok:
			f.Severity, f.Seen = finding.Unknown, "Postfix trusts every address (mynetworks), so there is no stranger"
			f.CausedBy = "relay.open"
		case err != nil:
			f.Severity, f.Seen = finding.Unknown, "the signer was asked: "+err.Error()
		case slices.ContainsFunc(found, func(g state.Signature) bool { return strings.EqualFold(g.Domain, s.want.Domain) }):
			f.Severity, f.Seen = finding.Problem, "mail that "+from+" sends in its name is signed: anybody can have forged mail signed"
			f.Expected = "only mail of this machine, of mynetworks and of users who log in is signed"
			f.Remedy = finding.Text("networks that are yours belong into trusted of /etc/mailsetup/host.toml; to put " + string(signer.TrustedHosts) + " back after a yes:").
				Command("mailsetup init --overwrite-drift")
		}
		c.add(f)
	}
}

// others asks the signer about domains that get no messages of their own.
func (c mailer) others(ctx context.Context, domains []subject.Domain, senders []sender) {
	if !c.s.SetUp {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(domains), func(d subject.Domain) bool {
		return slices.ContainsFunc(senders, func(s sender) bool { return s.domain == d.Name }) || d.Wanted == nil || d.Wanted.SignedBy == spec.ByOther
	})
	if len(rest) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, allAsksWithin)
	defer cancel()
	n := min(len(rest), maxAsked)
	verdicts := make([]verdict, n)
	_ = parallel.Do(n, 4, func(i int) error {
		if want, ok := c.expected(rest[i].Name); ok && ctx.Err() == nil {
			verdicts[i] = c.ask(ctx, want)
			if ctx.Err() != nil {
				verdicts[i] = verdict{}
			}
		}
		return nil
	})
	asked := 0
	for i, v := range verdicts {
		if v.severity == "" {
			continue
		}
		asked++
		if v.ok() {
			v.seen = "the signer signs it; messages went the whole way for other domains"
		}
		want, _ := c.expected(rest[i].Name)
		c.report("live.signed.sendmail", rest[i].Name, want.From, v)
	}
	if asked < len(rest) {
		c.add(finding.Finding{ID: "live.signed.sendmail", Severity: finding.Note, Subject: "further domains", Seen: fmt.Sprintf(
			"of %d more domains the signer was asked about %d: mailsetup check DOMAIN is about one of the rest", len(rest), asked)})
	}
}

// report adds a verdict as a finding.
func (c mailer) report(id, domain, about string, v verdict) {
	f := finding.Finding{
		ID: id, Severity: v.severity, Domain: domain, Subject: about, Seen: v.seen, Expected: v.expected, Remedy: v.remedy,
		CausedBy: v.cause, Fixable: v.fixable && v.cause == "",
	}
	c.add(f)
}
