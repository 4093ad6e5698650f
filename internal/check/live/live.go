// Package live checks the way of mail through this server: the daemons and what they
// read, and messages of its own to a sink on this machine.
package live

import (
	"context"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/livepath"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/postfix"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Machine is the part of a machine that the checks need.
type Machine interface {
	system.Reader
	system.Writer
	system.Runner
	system.Units
	system.Prober
}

// Options say how far to look.
type Options struct {
	// Wants reports whether an ID is asked for; nil for all.
	Wants func(id string) bool
	// Lock keeps other runs away while messages are under way.
	Lock func(context.Context) (release func() error, err error)
	// Login is for submission; nil to send without one.
	Login *livepath.Login
	// SendTo is an address elsewhere that gets a message, "" for none.
	SendTo string
	// SendWithin is how long another server may take to answer, the usual time if it is zero.
	SendWithin time.Duration
	// Arrived gets each message that arrived as it should; nil for nobody.
	Arrived func(livepath.Delivery)
	Logf    func(format string, a ...any)
}

const (
	// maxSenders is how many domains get messages of their own.
	maxSenders = 5
	// maxAsked is how many the signer is asked about.
	maxAsked = 200
	// askWithin bounds a question to the milter, and allAsksWithin those about all domains.
	askWithin, allAsksWithin = 5 * time.Second, 5 * time.Second
	// arriveWithin bounds the way of all messages.
	arriveWithin = 20 * time.Second
)

// Check looks at the way of mail through a server.
func Check(ctx context.Context, m Machine, dns *dnsclient.Client, s subject.Server, domains []subject.Domain, o Options) finding.Result {
	if o.Wants == nil {
		o.Wants = func(string) bool { return true }
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	c := &checker{
		m: m, dns: dns, s: s, o: o,
		in: step.Input{Spec: s.Spec, Facts: s.Facts, Ledger: s.Ledger, Now: s.Now},
	}
	c.daemons(ctx, domains)
	c.root(ctx)
	if s.Facts.Postfix != nil {
		domains = slices.DeleteFunc(slices.Clone(domains), func(d subject.Domain) bool { return !d.Sends })
	}
	if c.wantsMail() && s.Facts.Postfix != nil && len(domains) > 0 {
		mailer{c}.mail(ctx, domains)
	}
	if o.Login != nil {
		mailer{c}.loginTried(len(domains) > 0)
	}
	if o.SendTo != "" {
		mailer{c}.sendTo(ctx, domains)
	}
	return c.res
}

// daemons looks at what runs, and at the way from Postfix to the signer.
func (c *checker) daemons(ctx context.Context, domains []subject.Domain) {
	if c.s.Facts.Postfix == nil {
		c.withoutPostfix(ctx, domains)
		return
	}
	c.asked = postfix.AskedBy(c.in)
	c.smtp = c.s.Facts.SMTPAddress
	d := daemons{c}
	d.units(ctx)
	d.greets(ctx)
	to := toSigner{c}
	to.sockets(ctx)
	to.milters()
	to.keys(domains)
	d.stale(ctx)
	d.daemon(ctx)
}

// checker is one run of Check.
type checker struct {
	m     Machine
	dns   *dnsclient.Client // nil: DNS is not asked
	s     subject.Server
	o     Options
	in    step.Input
	asked []postfix.Asked
	res   finding.Result
	// cause is the ID that explains why no mail is signed at all, "" for none.
	cause string
	// smtp is where Postfix takes mail by SMTP, "" for nowhere or if nobody answers there.
	smtp string
	// badKeys are the domains whose key cannot sign.
	badKeys map[string]bool
	// newer are files of OpenDKIM that changed since it started.
	newer []string
	// authors are those from whom a message may leave.
	authors []author
}

func (c *checker) add(f finding.Finding) {
	f.Seen = cut(f.Seen)
	c.res.Findings = append(c.res.Findings, f)
}

// cut bounds what is said of a text that may come from outside.
func cut(text string) string {
	const most = 300
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// withoutPostfix says how far a server of another kind was looked at.
func (c *checker) withoutPostfix(ctx context.Context, domains []subject.Domain) {
	if c.signsByExim() && c.s.Facts.Exim != nil {
		c.exim(ctx, domains)
		return
	}
	if c.s.Facts.Exim != nil {
		c.eximSettings()
	}
	if c.s.Facts.MTA == "" {
		return // no mail leaves from here
	}
	by := "mail leaves by " + c.s.Facts.MTA + ", which mailsetup does not look into"
	c.add(finding.Finding{ID: "live.signed.sendmail", Severity: finding.Unknown, Seen: by, Remedy: finding.Text("to send a message to a mailbox where its header can be read:").Command("mailsetup check --send-to ADDRESS --only live")})
}

// signs reports whether the OpenDKIM of this machine is to sign mail: as mailsetup has set
// it up, or because Postfix asks it.
func (c *checker) signs() bool {
	if c.s.SetUp {
		return !c.in.SignsNothing()
	}
	return c.s.Facts.OpenDKIM != nil && slices.ContainsFunc(c.asked, func(a postfix.Asked) bool { return a.Found })
}

// address is where the signer is asked, in the words of package probe.
func (c *checker) address() string {
	if c.s.SetUp {
		if p, ok := signer.Proof(c.in); ok {
			return p.Address
		}
		return string(signer.Socket(c.s.Facts))
	}
	if o := c.s.Facts.OpenDKIM; o != nil && o.Endpoint != "" {
		if strings.HasPrefix(o.Endpoint, "inet") && !strings.Contains(o.Endpoint, "@") {
			return o.Endpoint + "@localhost"
		}
		return o.Endpoint
	}
	return ""
}

// wantsMail reports whether a finding is asked for that needs messages.
func (c *checker) wantsMail() bool {
	for _, id := range []string{"live.tamper", "live.foreign", "live.stale"} {
		if c.o.Wants(id) {
			return true
		}
	}
	return slices.ContainsFunc(ways, func(w way) bool { return c.o.Wants(w.id) })
}

// way is how mail comes in, with the finding about it.
type way struct{ id, name string }

var ways = []way{
	{"live.signed.sendmail", "sendmail"},
	{"live.signed.smtp", "smtp"},
	{"live.signed.submission", "submission"},
	{"live.signed.bounce", "bounce"},
	{"live.signed.reinject", "reinject"},
	{"live.signed.alias", "alias"},
}

// text reads a file, nil if it is not there.
func (c *checker) text(p state.Path) []byte {
	o, err := c.m.Read(p)
	if err != nil {
		return nil
	}
	return o.Content
}
