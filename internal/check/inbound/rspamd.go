package inbound

import (
	"context"
	"strings"

	"mailsetup/internal/check/finding"
	steps "mailsetup/steps/inbound"
	"mailsetup/steps/step"
)

// rspamdDoor checks rspamd where the door asks it.
type rspamdDoor struct{ dmarcDoor }

func (c rspamdDoor) check(ctx context.Context) {
	asked := false
	for _, d := range c.doors {
		for _, m := range c.miltersOf(d.service) {
			if !strings.Contains(m.Endpoint, "rspamd") && !strings.HasSuffix(m.Endpoint, ":11332") {
				continue
			}
			if asked = true; c.running {
				c.answers(ctx, d, m, rspamd)
			}
		}
	}
	if asked && c.wanted() && !c.s.Unprivileged {
		c.told()
	}
}

// told checks that rspamd is told what host.toml asks for.
func (c rspamdDoor) told() {
	stage, _, err := steps.DMARC(step.Input{Spec: c.s.Spec, Facts: c.s.Facts, Ledger: c.s.Ledger, Now: c.s.Now})
	if err != nil {
		return // a run says why, with what to do
	}
	f := finding.Finding{ID: "in.dmarc", Severity: finding.OK, Subject: "rspamd", Seen: "it is told what host.toml asks for", Source: "https://docs.rspamd.com/modules/force_actions"}
	var differ []string
	for _, file := range stage.Files {
		if string(c.text(file.Path)) != string(file.Content) {
			differ = append(differ, string(file.Path))
		}
	}
	for _, p := range stage.Remove {
		differ = append(differ, string(p))
	}
	if len(differ) > 0 {
		f.Severity, f.Seen = finding.Warning, "not what host.toml asks for: "+strings.Join(differ, ", ")
		f.Expected, f.Remedy, f.Fixable = "what mailsetup inbound shows", finding.Command("mailsetup init --yes"), true
	}
	c.add(f)
}
