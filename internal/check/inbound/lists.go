package inbound

import (
	"context"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsbl"
	"mailsetup/internal/dnsbl/prove"
	"mailsetup/internal/parallel"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// blockLists checks the block lists that Postfix asks.
type blockLists struct{ *checker }

// check checks the lists by which Postfix refuses mail or lets it pass: as they are
// written, and whether they can be believed.
func (c blockLists) check(ctx context.Context) { c.judge(ctx, c.lists()) }

func (c blockLists) judge(ctx context.Context, all []dnsbl.InUse) {
	for _, u := range all {
		c.codes(u)
	}
	var zones []dnsbl.InUse // each once
	for _, u := range all {
		if !u.Permits && !slices.ContainsFunc(zones, func(o dnsbl.InUse) bool { return o.Zone == u.Zone }) {
			zones = append(zones, u)
		}
	}
	const atATime, most = 8, 50
	zones = zones[:min(len(zones), most)]
	list := make([]finding.Finding, len(zones))
	_ = parallel.Do(len(zones), atATime, func(i int) error {
		list[i] = c.believed(ctx, zones[i], all)
		return nil
	})
	for _, f := range list {
		if f.ID != "" {
			c.add(f)
		}
	}
}

// lists returns the lists that smtpd(8) and postscreen(8) ask, by each place.
func (c *checker) lists() []dnsbl.InUse {
	var all []dnsbl.InUse
	add := func(found []dnsbl.InUse) {
		for _, u := range found {
			if !slices.Contains(all, u) {
				all = append(all, u)
			}
		}
	}
	for _, d := range c.doors {
		for _, l := range d.lists {
			add(inUse(l))
		}
		if d.service.Name == "smtpd/pass" { // behind postscreen
			add(dnsbl.Find("postscreen_dnsbl_sites", postconf.Effective(c.p, c.postscreen(), "postscreen_dnsbl_sites")))
		}
	}
	return all
}

func (c *checker) postscreen() *state.Service {
	i := slices.IndexFunc(c.p.Services, func(s state.Service) bool { return s.Command == "postscreen" })
	if i < 0 {
		return nil
	}
	return &c.p.Services[i]
}

// inUse are the lists in a list of restrictions.
func inUse(l list) (all []dnsbl.InUse) {
	for _, r := range l.words {
		if !r.Warn {
			all = append(all, dnsbl.Find(l.name, r.Name+" "+r.Arg)...)
		}
	}
	return all
}

// codes checks the pattern of answers of a list.
func (c blockLists) codes(u dnsbl.InUse) {
	shown := dnsbl.Shown(u.Zone)
	f := finding.Finding{ID: "in.codes", Severity: finding.OK, Subject: shown + " in " + u.Parameter, Seen: "its answers are named: " + u.Codes}
	right := dnsbl.DefaultCodes
	if site, err := dnsbl.Parse(u.Zone); err == nil {
		right = site.Codes
	}
	switch why := dnsbl.CheckPattern(u.Codes); {
	case u.Codes == "" && u.Permits:
		return
	case u.Codes == "":
		f.Severity, f.Seen = finding.Warning, "any answer counts for a listing: should the list refuse this resolver (127.255.255.254), all mail is refused"
	case why != "":
		f.Severity, f.Seen = finding.Problem, "its answers are written "+u.Codes+", and "+why+": smtpd ends with the first client that it asks about, and no mail comes in (postfix check does not see that)"
		if u.Parameter == "postscreen_dnsbl_sites" {
			f.Seen = "its answers are written " + u.Codes + ", and " + why + ": postscreen does not start, and no mail comes in (postfix check does not see that)"
		}
	case dnsbl.CatchesRefusals(u.Codes) && !u.Permits:
		f.Severity, f.Seen = finding.Warning, u.Codes+" has answers that are no listing: should the list refuse this resolver (127.255.255.254), all mail is refused"
	}
	if f.Severity != finding.OK {
		f.Expected = shown + "=" + right
		f.Remedy = finding.Text("write " + f.Expected + " in " + u.Parameter + ", then:").Command(reload)
	}
	c.add(f)
}

// believed checks that a list is in service, through the resolver that Postfix asks as
// well.
func (c blockLists) believed(ctx context.Context, u dnsbl.InUse, all []dnsbl.InUse) finding.Finding {
	shown := dnsbl.Shown(u.Zone)
	f := finding.Finding{ID: "in.lists", Severity: finding.OK, Subject: shown, Seen: "it has its test entry, and only that"}
	out := finding.Text("take " + shown + " out of " + u.Parameter + ", then:").Command(reload)
	if c.s.SetUp && slices.ContainsFunc(c.s.Spec.Host.Inbound.Lists(), func(s dnsbl.Site) bool { return s.Zone == u.Zone }) {
		out = finding.Text("name the lists that stay in its place, or none:").Command("mailsetup inbound --dnsbl none")
	}
	if why := dnsbl.Dead(u.Zone); why != "" {
		f.Severity, f.Seen, f.Expected, f.Remedy = finding.Warning, "it is dead: "+why, "lists that are in service", out
		return f
	}
	if c.dns == nil {
		return finding.Finding{}
	}
	l := dnsbl.Named(u.Zone)
	can, why := prove.Asker{DNS: c.dns}.Prove(ctx, l)
	if can != (prove.Abilities{}) {
		return f
	}
	// Whether an answer that is no listing refuses mail, its codes decide.
	open := slices.ContainsFunc(all, func(o dnsbl.InUse) bool {
		return o.Zone == u.Zone && !o.Permits && (o.Codes == "" || dnsbl.CatchesRefusals(o.Codes))
	})
	f.Expected, f.Remedy = "it has its own test entry, and nothing else", out
	switch why.Kind {
	case prove.Unanswered:
		f.Severity, f.Seen, f.CausedBy, f.Remedy = finding.Unknown, why.Text, "net.resolver", finding.Command("mailsetup check --only in.lists")
	case prove.Refuses:
		f.Severity, f.Seen = finding.Warning, why.Text+": it refuses no mail"
		if open {
			f.Severity, f.Seen = finding.Problem, why.Text+": all mail is refused by it, since its answers are not named"
			f.Remedy = finding.Text("write " + shown + "=" + dnsbl.DefaultCodes + " in " + u.Parameter + ", then:").Command(reload)
		} else if keyed := l.WithKey(); keyed != "" {
			f.Remedy = finding.Text("have a resolver of your own on this server ask it, or get a key from its operator: " + keyed + "; about the resolver in use:").Command("mailsetup check --only net.resolver")
		}
	case prove.Silent:
		f.Severity, f.Seen = finding.Warning, why.Text+": it refuses no mail"
	case prove.Wrong:
		f.Severity, f.Seen = finding.Problem, why.Text+": mail is refused by it, whoever sends it"
		if !open && strings.Contains(why.Text, "no block list does") {
			f.Severity, f.Seen = finding.Warning, why.Text+": it refuses no mail"
		}
	}
	return f
}
