package relay

import (
	"cmp"
	"slices"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// judgeRestrictions judges relaying by the settings of the services that strangers reach.
func (c *checker) judgeRestrictions(f *finding.Finding) {
	if f.Seen == onlyHere {
		f.Expected = ""
		return
	}
	base, rank := *f, []finding.Severity{"", finding.OK, finding.Unknown, finding.Problem}
	f.Severity, f.Seen = "", base.Seen+"; no smtpd of master.cf has port 25"
	for _, s := range postconf.PublicServices(c.s.Facts.Postfix) {
		g := base
		c.judgeService(&g, s)
		if slices.Index(rank, g.Severity) > slices.Index(rank, f.Severity) {
			g.Seen = base.Seen + "; " + g.Seen
			*f = g
		}
	}
	f.Severity = cmp.Or(f.Severity, finding.Unknown)
}

// judgeService judges a service: a stranger's mail to others has to pass both lists.
func (c *checker) judgeService(f *finding.Finding, s *state.Service) {
	permits, unclear := "", ""
	for _, name := range []string{"smtpd_relay_restrictions", "smtpd_recipient_restrictions"} {
		where := name + " of " + s.Name
		switch word, decision := postconf.ForStrangers(postconf.Effective(c.s.Facts.Postfix, s, name)); decision {
		case postconf.Refused:
			if unclear = postconf.OwnNetworks(c.s.Facts.Postfix, s); unclear == "" {
				f.Seen, f.Expected = where+" has "+word, ""
				return
			}
			unclear = "mynetworks of " + s.Name + " is " + unclear
		case postconf.Permitted:
			permits = where + " has permit before any reject_unauth_destination"
		case postconf.Undecided:
			if word != "" && unclear == "" {
				unclear = where + " has " + word + ", which may let strangers relay"
			}
		}
	}
	switch {
	case unclear != "":
		f.Severity, f.Seen = finding.Unknown, unclear
	case permits != "":
		f.Severity, f.Seen = finding.Problem, permits
		f.Remedy = refuseRelaying
		if _, own := s.Option("smtpd_relay_restrictions"); own {
			f.Remedy = finding.Command("postconf -PX %s && systemctl reload postfix", s.Name+"/smtpd_relay_restrictions").Text("then look at smtpd_recipient_restrictions")
		}
	default: // smtpd does not start so
		f.Severity, f.Seen, f.CausedBy = finding.Unknown, "nothing in the restrictions refuses it", c.down()
	}
}

// refuseRelaying has Postfix refuse what strangers send to others.
var refuseRelaying = finding.Command("postconf -e 'smtpd_relay_restrictions = permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination' && systemctl reload postfix")
