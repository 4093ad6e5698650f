package live

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/eximcheck"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/hint"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/exim"
)

// signsByExim reports whether exim4 signs here, as mailsetup has set it up.
func (c *checker) signsByExim() bool { return c.s.SetUp && c.in.Spec.Host.MTA == spec.Exim }

// exim looks at an exim4 that signs: its unit, its keys, and a message of each domain. It
// says nothing of mail that comes in.
func (c *checker) exim(ctx context.Context, domains []subject.Domain) {
	daemons{c}.units(ctx)
	toSigner{c}.keys(domains)
	c.eximSettings()
	if !c.o.Wants("live.signed.sendmail") {
		return
	}
	const id = "live.signed.sendmail"
	if c.s.Unprivileged {
		c.add(finding.Finding{ID: id, Severity: finding.Unknown, Seen: "only root can have exim4 deliver a message to mailsetup", Remedy: finding.Command("sudo mailsetup check --only live")})
		return
	}
	p, ok := exim.Proof(c.in)
	if !ok {
		return
	}
	err := c.m.Probe(ctx, p)
	if ctx.Err() != nil {
		return
	}
	failed, several := errors.AsType[state.DomainErrors](err)
	var cause error
	if err != nil {
		cause = eximcheck.Cause(ctx, c.m, c.in)
	}
	told := map[string]bool{}
	for _, s := range p.Signers {
		why := failed[s.Domain]
		if err != nil && !several {
			why = err
		}
		if told[s.Domain] {
			continue
		}
		told[s.Domain] = true
		f := finding.Finding{ID: id, Severity: finding.OK, Domain: s.Domain, Subject: s.From, Seen: "leaves by exim4's " + eximconf.Transport(c.s.Facts.Exim.Type) + ", signed by " + keyName(s)}
		if why != nil {
			f.Severity, f.Seen, f.Expected = finding.Problem, why.Error(), "a signature of "+keyName(s)
			f.Remedy, f.Fixable = c.eximRemedy(s, cause)
			if cause != nil && !c.badKeys[s.Domain] {
				f.Seen = cause.Error() + ": " + f.Seen
			}
		}
		c.add(f)
	}
}

// eximSettings tells of settings that Exim does not read, and of those with which signatures
// break: it says nothing of either.
func (c *checker) eximSettings() {
	if file := c.s.Facts.Exim.Ignored; file != "" {
		c.add(finding.Finding{
			ID: "live.stale", Severity: finding.Warning, Subject: string(file), Seen: "exim4 does not read it: the configuration is split",
			Remedy: finding.Text(fmt.Sprintf("put what it says into a file below %s/main, and remove it; then:", eximconf.ConfDir)).Command("systemctl reload exim4"),
		})
	}
	for _, fault := range c.s.Facts.Exim.Breaks {
		c.add(finding.Finding{
			ID: "live.stale", Severity: finding.Warning, Subject: fault.At, Seen: cut(fault.Text),
			Remedy: finding.Text("correct that line; then:").Command("systemctl reload exim4"),
		})
	}
}

// eximRemedy says what mends mail that exim4 does not sign.
func (c *checker) eximRemedy(s state.Signer, cause error) (remedy finding.Remedy, fixable bool) {
	switch advice := hint.Of(cause); {
	case c.badKeys[s.Domain]:
		return finding.Text("first see to the private key; then:").Command("mailsetup check %s --only live", s.Domain), false
	case len(advice) > 0:
		return finding.Advice(advice...), slices.Equal(advice, []string{"mailsetup init"})
	}
	return finding.Text("to have the settings of exim4 and its table made again:").Command("mailsetup init").
		Text(fmt.Sprintf("what counts in the end is %s:", eximconf.Generated)).Command("exim4 -bP transports | grep dkim"), true
}

// program names what signs here.
func (c *checker) program() string {
	if c.signsByExim() {
		return "exim4"
	}
	return "OpenDKIM"
}
