package inbound

import (
	"context"
	"net/netip"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/policydspf"
	"mailsetup/internal/postconf"
	"mailsetup/internal/restrictions"
	"mailsetup/internal/state"
)

// spfDoor checks policy servers, and SPF by one of them.
type spfDoor struct{ *checker }

const reload = "postfix check && systemctl reload postfix"

// failsOpen returns what Postfix answers while a policy server does not, and whether mail
// passes then.
func (c *checker) failsOpen(s *state.Service) (action string, open bool) {
	action = postconf.Effective(c.p, s, "smtpd_policy_service_default_action")
	word := strings.ToLower(action)
	return action, word != "" && (word[0] == '2' || strings.HasPrefix(word, "dunno") || strings.HasPrefix(word, "ok") || strings.HasPrefix(word, "permit"))
}

// policyServers checks that what Postfix asks about each message is there.
func (c spfDoor) policyServers(ctx context.Context) {
	for _, d := range c.doors {
		for _, l := range d.lists {
			for _, r := range l.words {
				if server := r.PolicyServer(); server != "" {
					c.policyServer(ctx, d, l, server)
				}
			}
		}
	}
}

func (c spfDoor) policyServer(ctx context.Context, d door, l list, server string) {
	f := finding.Finding{ID: "in.service", Severity: finding.OK, Subject: server, Seen: l.name + " asks it, and it is there", Source: "postconf(5), check_policy_service"}
	why, mend := c.missing(ctx, server)
	switch action, open := c.failsOpen(d.service); {
	case why == "":
	case why == unknown:
		return
	case open:
		f.Severity, f.Seen = finding.Warning, l.name+" asks it, and "+why+": all mail passes without it (smtpd_policy_service_default_action = "+action+")"
	default:
		f.Severity, f.Seen = finding.Problem, l.name+" asks it, and "+why+": all mail is put off (451 4.3.5)"
	}
	if why != "" {
		f.Expected, f.Remedy = "what "+l.name+" asks is there", mend
		if c.wanted() && c.runsSPF(server) {
			f.Remedy, f.Fixable = finding.Command("mailsetup init --yes"), true
		}
	}
	c.add(f)
}

// unknown: nothing can be said of a policy server.
const unknown = "?"

// missing says why a policy server cannot answer, "" if it can for all that is known, and
// what to type.
func (c spfDoor) missing(ctx context.Context, server string) (why string, mend finding.Remedy) {
	out := finding.Text("take check_policy_service " + server + " out of the list").Command(reload)
	kind, at, _ := strings.Cut(server, ":")
	name, private := strings.CutPrefix(path.Clean(at), "private/")
	switch {
	case kind == "unix" && private:
		i := slices.IndexFunc(c.p.Services, func(s state.Service) bool { return s.Name == name+"/unix" })
		if i < 0 {
			if strings.Contains(name, "spf") {
				out = finding.Command("postconf -M %s=%s", name+"/unix", name+" unix - n n - 0 spawn user=policyd-spf argv=/usr/bin/policyd-spf").Command(reload)
			}
			return "master.cf has no service " + name, out
		}
		for _, arg := range c.p.Services[i].Args {
			program, isArgv := strings.CutPrefix(arg, "argv=")
			if o, err := c.m.Stat(state.Path(program)); isArgv && strings.HasPrefix(program, "/") && err == nil && o.Kind == state.Absent {
				return "there is no " + program + " for its service in master.cf", out
			}
		}
		return "", nil
	case kind == "inet" && c.running:
		host := postconf.Host(at)
		port := at[strings.LastIndexByte(at, ':')+1:]
		if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
			return unknown, nil // on another machine
		}
		if there, known := c.listens(ctx, port); known && !there {
			return "nothing listens there", finding.Text("start what should, or:").Then(out)
		} else if known {
			return "", nil
		}
	}
	return unknown, nil
}

// listens reports whether a program has a port, and whether that is known.
func (c spfDoor) listens(ctx context.Context, port string) (there, known bool) {
	if strings.Trim(port, "0123456789") != "" {
		return false, false
	}
	out := output(ctx, c.m, "ss", "-H", "-t", "-l", "-n")
	for line := range strings.Lines(out) {
		if w := strings.Fields(line); len(w) > 3 && strings.HasSuffix(w[3], ":"+port) {
			return true, true
		}
	}
	return false, out != ""
}

// runsSPF reports whether policyd-spf is behind a policy server.
func (c *checker) runsSPF(server string) bool {
	_, at, _ := strings.Cut(server, ":")
	name := path.Base(at)
	i := slices.IndexFunc(c.p.Services, func(s state.Service) bool { return s.Name == name+"/unix" })
	if i < 0 {
		return strings.Contains(name, "policyd-spf") || strings.Contains(name, "policy-spf")
	}
	return slices.ContainsFunc(c.p.Services[i].Args, func(a string) bool { return strings.Contains(a, "policyd-spf") })
}

// places checks where the SPF check stands: what comes before it passes unseen, and what
// comes behind it is judged first.
func (c spfDoor) places() {
	for _, d := range c.doors {
		for _, l := range d.lists {
			for i, r := range l.words {
				if server := r.PolicyServer(); server != "" && c.runsSPF(server) {
					c.place(d, l, server, l.words[:i])
				}
			}
		}
	}
}

func (c spfDoor) place(d door, l list, server string, before []restrictions.Restriction) {
	has := func(name string) bool {
		return slices.ContainsFunc(before, func(r restrictions.Restriction) bool { return r.Name == name })
	}
	f := finding.Finding{ID: "in.place", Severity: finding.OK, Subject: l.name + " of " + d.service.Name, Seen: "SPF is checked of strangers' mail for this server alone"}
	var users []string
	if !has("permit_sasl_authenticated") && postconf.Effective(c.p, d.service, "smtpd_sasl_auth_enable") == "yes" {
		users = append(users, "permit_sasl_authenticated")
	}
	if !has("permit_mynetworks") && !c.skipped(d.service) {
		users = append(users, "permit_mynetworks")
	}
	guarded := has("reject_unauth_destination") || has("defer_unauth_destination") || l.name != restrictions.RelayList && c.relayGuarded(d)
	switch {
	case len(users) > 0:
		f.Severity, f.Seen = finding.Warning, "SPF is checked before "+strings.Join(users, " and ")+": mail of your own users is judged by it"
		if c.spfRefuses() {
			f.Seen += ", and refused, since no SPF record has where they are"
		}
	case !guarded && l.name == restrictions.RelayList:
		f.Severity, f.Seen = finding.Warning, "the policy server is asked before reject_unauth_destination: should it ever answer OK, strangers may relay"
	case !guarded:
		f.Severity, f.Seen = finding.Note, "SPF is checked before reject_unauth_destination: each try to relay costs look-ups"
	}
	if f.Severity != finding.OK {
		f.Expected = "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination, check_policy_service " + server
		f.Remedy = finding.Text("move check_policy_service " + server + " behind them in " + l.name + ", then:").Command(reload)
		if c.wanted() {
			f.Remedy = finding.Text("take check_policy_service " + server + " out of " + l.name + "; it is put where it belongs by:").Command("mailsetup init")
		}
	}
	c.add(f)
}

// relayGuarded reports whether the list that is asked before that of recipients refuses to
// relay.
func (c spfDoor) relayGuarded(d door) bool {
	return slices.ContainsFunc(d.lists, func(l list) bool {
		return l.name == restrictions.RelayList && slices.ContainsFunc(l.words, func(r restrictions.Restriction) bool {
			return !r.Warn && slices.Contains([]string{"reject_unauth_destination", "defer_unauth_destination", "reject", "defer"}, r.Name)
		})
	})
}

// skipped reports whether policyd-spf skips all networks of ours by its own settings.
func (c spfDoor) skipped(s *state.Service) bool {
	own := postconf.Effective(c.p, s, "mynetworks")
	if postconf.OnlyLoopback(own) {
		return true
	}
	skips := prefixes(slices.Concat(c.spf().List(policydspf.Skip), c.spf().List(policydspf.Whitelist)))
	for _, n := range c.p.Networks {
		if !slices.ContainsFunc(skips, func(o netip.Prefix) bool { return o.Bits() <= n.Bits() && o.Contains(n.Addr()) }) && !n.Addr().IsLoopback() {
			return false
		}
	}
	return len(c.p.Networks) > 0
}

func prefixes(texts []string) (all []netip.Prefix) {
	for _, t := range texts {
		t = strings.TrimSpace(t)
		if n, err := netip.ParsePrefix(t); err == nil {
			all = append(all, n.Masked())
		} else if a, err := netip.ParseAddr(t); err == nil {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return all
}

// usesSPF reports whether any door asks policyd-spf.
func (c *checker) usesSPF() bool {
	for _, d := range c.doors {
		for _, l := range d.lists {
			if slices.ContainsFunc(l.words, func(r restrictions.Restriction) bool { return r.PolicyServer() != "" && c.runsSPF(r.PolicyServer()) }) {
				return true
			}
		}
	}
	return false
}
