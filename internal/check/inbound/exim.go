package inbound

import (
	"context"
	"fmt"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsbl"
	"mailsetup/internal/eximconf"
	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
)

// eximDoor checks what exim4 asks of incoming mail for host.toml.
type eximDoor struct{ *checker }

// check looks whether Exim does what host.toml asks for: it says nothing of a macro that it
// has not read, nor of SPF that it cannot check.
func (c eximDoor) check(ctx context.Context) {
	if !c.wanted() || c.s.Spec.Host.MTA != spec.Exim || c.s.Facts.Exim == nil {
		return
	}
	f := finding.Finding{ID: "in.service", Severity: finding.OK, Subject: string(eximconf.Checks), Seen: "exim4 asks what is in it", Source: "exim4-config_files(5)"}
	hand, theirs := c.s.Facts.Exim.Checks[eximconf.ChecksMacro]
	switch {
	case c.text(eximconf.Checks) == nil:
		f.Severity, f.Seen, f.Remedy = finding.Problem, "it is missing, so incoming mail is not checked", finding.Command("mailsetup inbound --yes")
	case theirs && hand.Includes:
	case theirs:
		f.Severity, f.Seen = finding.Problem, fmt.Sprintf("incoming mail is not checked: %s names another file", hand.At)
		f.Remedy = finding.Text("put .include_if_exists " + f.Subject + " into that file, then:").Command("systemctl reload exim4")
	case !eximconf.AsksChecks(string(c.text(eximconf.Generated))):
		f.Severity, f.Seen = finding.Problem, fmt.Sprintf("incoming mail is not checked: %s, which exim4 reads, was not made of the files that are there", eximconf.Generated)
		f.Remedy = finding.Text("have it made anew; if that does not help, mailsetup inbound --yes:").Command("systemctl reload exim4")
	}
	c.add(f)
	if c.s.Spec.Host.Inbound.SPF != inbound.Off {
		f := finding.Finding{ID: "in.service", Severity: finding.OK, Subject: "SPF", Seen: "exim4-daemon-heavy checks it"}
		if !c.s.Facts.Exim.SPF {
			f.Severity, f.Seen = finding.Problem, "SPF is not checked: exim4-daemon-light cannot, and passes over what asks it to"
			f.Remedy = finding.Command("mailsetup inbound --yes --replace-mta")
		}
		c.add(f)
	}
	var all []dnsbl.InUse
	for _, site := range c.s.Spec.Host.Inbound.Lists() {
		u := dnsbl.InUse{Parameter: string(eximconf.Checks), Zone: site.Zone, Codes: site.Codes, Domains: site.Domains}
		if !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	blockLists(c).judge(ctx, all)
}
