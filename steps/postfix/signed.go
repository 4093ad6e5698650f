package postfix

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// signedNotes returns a note about whose mail will be signed.
func signedNotes(in step.Input) []state.Note {
	var names []string
	everybody := false
	for _, d := range in.Spec.Domains {
		if d.SignedBy == "" {
			names = append(names, "@"+d.Name)
			everybody = everybody || slices.ContainsFunc(d.Also, anyDomain)
		}
	}
	if len(names) == 0 {
		return nil
	}
	from := []string{"from this machine"}
	p := in.Facts.Postfix
	if nets := clients(p); len(nets) > 0 && reachable(p) {
		from = append(from, "from "+step.EnumerateUpTo(nets, 4)+excluded(p)+" (mynetworks)")
	}
	if hosts := in.Spec.Host.Trusted; len(hosts) > 0 {
		from = append(from, "from "+step.EnumerateUpTo(hosts, 4)+" (trusted of "+string(spec.HostFile)+")")
	}
	if authenticates(p) {
		from = append(from, "from users who log in")
	}
	whose := step.EnumerateUpTo(names, 3)
	if everybody {
		whose = "every sender, of any domain (also = \"*\")"
	}
	return []state.Note{{
		Topic: "signed", Informational: true,
		Text: fmt.Sprintf("mail of %s, when it comes %s", whose, step.Enumerate(from)),
	}}
}

// anyDomain reports whether a sender in a domain's also list stands for addresses of any
// domain: *, or user@*.
func anyDomain(sender string) bool { return sender == "*" || strings.HasSuffix(sender, "@*") }

// clients returns the networks that Postfix relays for, this machine apart.
func clients(p *state.Postfix) []string {
	if p == nil {
		return nil
	}
	var nets []string
	for _, n := range p.Networks {
		if !n.Addr().IsLoopback() && n.Addr() != netip.IPv6Unspecified() {
			nets = append(nets, n.String())
		}
	}
	return nets
}

// excluded names what mynetworks takes out of itself.
func excluded(p *state.Postfix) string {
	if len(p.ExcludedNetworks) == 0 {
		return ""
	}
	var nets []string
	for _, n := range p.ExcludedNetworks {
		nets = append(nets, n.String())
	}
	return " without " + step.EnumerateUpTo(nets, 4)
}

// reachable reports whether other machines can hand mail to Postfix; a null
// client (inet_interfaces = loopback-only, or no smtpd at all) takes none.
func reachable(p *state.Postfix) bool {
	if p == nil {
		return true
	}
	outside := slices.ContainsFunc(postconf.Words(strings.ToLower(p.Value["inet_interfaces"])), func(w string) bool {
		return w != "loopback-only" && !postconf.IsLoopback(w)
	})
	return slices.ContainsFunc(p.Services, func(s state.Service) bool {
		address, inet := strings.CutSuffix(s.Name, "/inet")
		if at := strings.LastIndexByte(address, ':'); inet && at >= 0 {
			return takesSMTP(s) && !postconf.IsLoopback(postconf.Host(address))
		}
		return inet && takesSMTP(s) && outside
	})
}

func takesSMTP(s state.Service) bool { return s.Command == "smtpd" || s.Command == "postscreen" }

// authenticates reports whether users can log in anywhere.
func authenticates(p *state.Postfix) bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Services, func(s state.Service) bool {
		return s.Command == "smtpd" && postconf.Effective(p, &s, "smtpd_sasl_auth_enable") == "yes"
	})
}

// unsignedNotes returns notes about mail that this set-up does not sign, or whose
// signature does not align with its domain.
func unsignedNotes(in step.Input) []state.Note {
	if in.Facts.Postfix == nil {
		return nil
	}
	return slices.Concat(unknownDomains(in), tablesUnlisted(in), withoutLogin(in.Facts.Postfix), relayNotes(in), otherInstances(in.Facts.Postfix))
}

// unknownDomains returns a note about domains that Postfix delivers for and whose mail
// nobody asked to sign.
func unknownDomains(in step.Input) []state.Note {
	unknown := OtherDomains(in)
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return []state.Note{{
		Topic: "unsigned", Text: fmt.Sprintf("Postfix delivers for %s, too; mail of those addresses leaves unsigned", step.EnumerateUpTo(unknown, 5)),
		Action: "mailsetup add-domain " + strings.Join(unknown[:min(len(unknown), 5)], " "),
	}}
}

// localDomains returns the domains whose mailboxes are here, as far as main.cf writes
// them out or its tables can be listed.
func localDomains(p *state.Postfix) []string {
	var all []string
	for _, name := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains"} {
		all = append(all, postconf.Words(strings.ToLower(p.Value[name]))...)
	}
	return append(all, p.Listed...)
}

// withoutLogin returns notes about macros by which OpenDKIM would know that a client
// logged in, and that it is not told.
func withoutLogin(p *state.Postfix) []state.Note {
	const name, macro = "milter_mail_macros", "{auth_type}"
	if !authenticates(p) {
		return nil
	}
	if value, set := p.Raw[name]; set && !postconf.Has(postconf.Effective(p, nil, name), macro) {
		return []state.Note{{
			Topic: name, Text: fmt.Sprintf("%s lacks %s: mail of users who log in from outside leaves unsigned", name, macro),
			Action: fmt.Sprintf("postconf -e '%s = %s' && postfix reload", name, strings.TrimSpace(value+" "+macro)),
		}}
	}
	for i := range p.Services {
		s := &p.Services[i]
		if o, own := s.Option(name); own && s.Command == "smtpd" && !postconf.Has(postconf.Effective(p, s, name), macro) {
			all := strings.Join(append(postconf.Words(o.Value), macro), ",") // postconf -P takes no blank
			return []state.Note{{
				Topic: name, Text: fmt.Sprintf("%s sets %s without %s: mail of users who log in there leaves unsigned", lineOf(*s, o), name, macro),
				Action: fmt.Sprintf("postconf -P '%s/%s=%s' && postfix reload", s.Name, name, all),
			}}
		}
	}
	return nil
}

// relayNotes returns a note that receivers see the addresses of a relay, which SPF has
// to permit.
func relayNotes(in step.Input) []state.Note {
	relay := in.Facts.Postfix.Value["relayhost"]
	missing := slices.IndexFunc(in.Spec.Domains, func(d spec.Domain) bool {
		return len(d.SPF.Include) == 0 && !namesOthers(in.Facts.SPF[d.Name].Record)
	})
	if relay == "" || missing < 0 {
		return nil
	}
	return []state.Note{{
		Topic: "relayhost", Text: fmt.Sprintf("mail leaves through %s; the SPF record of %s does not name the addresses it sends from",
			relay, in.Spec.Domains[missing].Name),
		Action: in.Init(in.Spec.Domains[missing]) + "--spf-include DOMAIN, with the one that the relay's operator names",
	}}
}

// namesOthers reports whether an SPF record lets somebody else send, RFC 7208: its
// author has thought of it.
func namesOthers(record string) bool {
	return strings.Contains(record, "include:") || strings.Contains(record, "exists:") || strings.Contains(record, "redirect=")
}

// otherInstances have a queue, and mail, of their own.
func otherInstances(p *state.Postfix) []state.Note {
	dirs := slices.Concat(p.Instances, postconf.Words(p.Raw["alternate_config_directories"]))
	slices.Sort(dirs)
	if dirs = slices.Compact(dirs); len(dirs) == 0 {
		return nil
	}
	return []state.Note{{
		Topic: "instances",
		Text:  fmt.Sprintf("Postfix has further instances (%s): they are left alone, and their mail is not signed by this set-up", step.EnumerateUpTo(dirs, 3)),
	}}
}
