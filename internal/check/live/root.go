package live

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	detect "mailsetup/internal/detect/postfix"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps/postfix"
	"mailsetup/steps/recipients"
)

// routeWithin bounds what exim4 does to find out where an address leads, which may ask DNS.
const routeWithin = 10 * time.Second

// root tells of mail for root that certainly reaches nobody, as the tables of the server are
// now: an alias of an account that is gone bounces without a word, to root.
func (c *checker) root(ctx context.Context) {
	const id = "live.root"
	if !c.o.Wants(id) {
		return
	}
	f := finding.Finding{ID: id, Severity: finding.OK, Subject: "root"}
	switch lost, why := c.rootLost(ctx); {
	case why == "":
		return
	case lost:
		f.Severity, f.Expected = finding.Warning, "somebody who reads it"
		f.Seen = "mail for root reaches nobody: " + why
		f.Remedy = finding.Text(fmt.Sprintf("name somebody who exists in the line root: of %s; then:", postfix.AliasFile)).Command("newaliases")
		if c.s.SetUp && c.in.Spec.Host.RootAlias != "" {
			f.Remedy = finding.Text("with the address of somebody who exists:").Command("mailsetup init --root-alias ADDRESS")
		}
	default:
		f.Seen = "mail for root: " + why
	}
	c.add(f)
}

// rootLost reports whether mail for root reaches nobody, and why, or who has it; "" if that
// could not be found out.
func (c *checker) rootLost(ctx context.Context) (lost bool, why string) {
	if c.s.Facts.Postfix != nil {
		r := detect.Recipients(ctx, c.m, detect.Mail{Settings: postfix.Settings(c.in), Route: recipients.MailRoutes(c.in)}, []string{"root"})["root"]
		if r.End == state.EndUnknown {
			return false, ""
		}
		return r.Lost(), r.Why
	}
	res, err := c.m.Run(ctx, system.Command{Argv: []string{spec.Exim, "-bt", "root"}, Within: routeWithin})
	switch {
	case err != nil || res.Code == unresolved:
		return false, ""
	case res.Code == undeliverable:
		return true, strings.Join(strings.Fields(string(res.Stdout)), " ")
	}
	return false, "exim4 -bt finds somebody who has it"
}

// Exit codes of exim -bt, exim(8): of the addresses one is undeliverable, or none is and of
// one that could not be found out.
const unresolved, undeliverable = 1, 2
