package transport

import (
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// outgoing judges how this server sends: by TLS or not, whether it looks at the policies
// of others, whether it reports.
func outgoing(s subject.Server, files system.Reader) []finding.Finding {
	p := s.Facts.Postfix
	if p == nil {
		return nil
	}
	all := sends(s, p)
	if s.Smarthost != "" {
		return all // whose policies count, and whose reports, the smarthost knows
	}
	return append(all, policies(p, files), reports(p))
}

// level is smtp_tls_security_level of a service of master.cf as smtp(8) has it: where it
// is empty, the parameters of Postfix 2.2 count (TLS_README).
func level(p *state.Postfix, s *state.Service) string {
	l := strings.ToLower(postconf.Effective(p, s, "smtp_tls_security_level"))
	switch {
	case l != "":
		return l
	case postconf.Effective(p, s, "smtp_enforce_tls") == "yes":
		return "encrypt"
	case postconf.Effective(p, s, "smtp_use_tls") == "yes":
		return "may"
	}
	return ""
}

// plain reports whether mail leaves without TLS.
func plain(level string) bool { return level == "" || level == "none" }

// sends judges the transport of all mail, and those that have a level of their own.
func sends(s subject.Server, p *state.Postfix) []finding.Finding {
	var all []finding.Finding
	name, nexthop, _ := strings.Cut(p.Value["default_transport"], ":")
	if name == "" {
		name = "smtp"
	}
	for i := range p.Services {
		service := &p.Services[i]
		_, own := service.Option("smtp_tls_security_level")
		isDefault := service.Name == name+"/unix"
		if service.Command != "smtp" || !isDefault && (!own || internal(p, service)) {
			continue
		}
		f := finding.Finding{ID: "tls.out", Subject: service.Name, Severity: finding.OK, Expected: "smtp_tls_security_level = may"}
		is := level(p, service)
		f.Seen = "smtp_tls_security_level = " + is
		if plain(is) {
			f.Seen, f.Remedy = "mail leaves without TLS: smtp_tls_security_level "+inWords(p, is, own), remedy(service.Name, own)
			f.Severity, f.Why = harm(p, isDefault, s.Smarthost != "" || nexthop != "")
			_, set := p.Raw["smtp_tls_security_level"]
			f.Fixable = s.SetUp && !own && !set
		}
		all = append(all, f)
	}
	return all
}

// harm judges mail that leaves without TLS.
func harm(p *state.Postfix, isDefault, byHost bool) (finding.Severity, string) {
	switch {
	case byHost && p.Raw["smtp_sasl_auth_enable"] == "yes":
		return finding.Warning, "The password for the smarthost, and all mail, can be read on the way there."
	case byHost:
		return finding.Note, "All mail can be read on its way to the smarthost."
	case !isDefault:
		return finding.Note, "It matters if this transport leads to other people's servers."
	case p.Raw["smtp_tls_policy_maps"] != "":
		return finding.Warning, "Mail to all whom smtp_tls_policy_maps does not name can be read on its way, and Google refuses it (5.7.29)."
	}
	return finding.Problem, ""
}

// internal reports whether a transport hands mail to a filter of this machine, where
// TLS is no use.
func internal(p *state.Postfix, s *state.Service) bool {
	for _, filter := range postconf.ContentFilters(p) {
		if t, found := filter.Transport(p); found && t.Name == s.Name {
			return true
		}
	}
	_, forwards := s.Option("smtp_send_xforward_command")
	_, fixed := s.Option("disable_dns_lookups")
	return forwards || fixed
}

// inWords says what a level without TLS is.
func inWords(p *state.Postfix, level string, own bool) string {
	_, set := p.Raw["smtp_tls_security_level"]
	switch {
	case level != "":
		return "= " + level
	case own || set:
		return "is empty"
	}
	return "is not set"
}

// remedy is what sets the level to may.
func remedy(service string, own bool) finding.Remedy {
	switch {
	case !own:
		return finding.Command("postconf -e smtp_tls_security_level=may && postfix reload")
	case isPlain(strings.ReplaceAll(service, "/", ".")):
		return finding.Command("postconf -P %s && postfix reload", service+"/smtp_tls_security_level=may")
	}
	return finding.Text("write may instead in master.cf, then:").Command("postfix reload")
}

// policies judges whether the MTA-STS policies of others are looked at.
func policies(p *state.Postfix, files system.Reader) finding.Finding {
	f := finding.Finding{ID: "sts.out", Subject: "smtp_tls_policy_maps", Severity: finding.OK}
	maps := p.Raw["smtp_tls_policy_maps"]
	if f.Seen = clip(maps); strings.Contains(maps, "socketmap:") {
		if remedy := namelessMX(p, maps, files); remedy != nil {
			f.Severity, f.Remedy = finding.Note, remedy
			f.Seen += ", without the MX of policies: Postfix connects to any MX whose certificate is for one of them"
			f.Source = "postconf(5), smtp_tls_enforce_sts_mx_patterns"
		}
		return f
	}
	f.Severity, f.Seen = finding.Note, "MTA-STS policies of others are not looked at"
	f.Remedy = finding.Command("apt install postfix-mta-sts-resolver").Text("then add socketmap:inet:127.0.0.1:8461:postfix to smtp_tls_policy_maps")
	if maps == "" {
		f.Remedy = finding.Command("apt install postfix-mta-sts-resolver && postconf -e smtp_tls_policy_maps=socketmap:inet:127.0.0.1:8461:postfix && postfix reload")
	}
	return f
}

// resolverFile is the configuration of postfix-mta-sts-resolver.
const resolverFile = "/etc/mta-sts-daemon.yml"

var namesMX = regexp.MustCompile(`(?im)^\s*tlsrpt\s*:\s*(true|yes|on)\b`)

// namelessMX returns how the program that looks policies up has to be set so that it names
// their MX, by the attributes for TLS reports: a Postfix from 3.10.5 on compares them with
// the MX that it connects to. Nil where it does, or nothing is known of it.
func namelessMX(p *state.Postfix, maps string, files system.Reader) finding.Remedy {
	if p.Value["smtp_tls_enforce_sts_mx_patterns"] != "yes" {
		return nil
	}
	if slices.ContainsFunc(postconf.Words(maps), func(w string) bool { return strings.HasSuffix(w, ":QUERY") }) {
		return finding.Text("write QUERYwithTLSRPT in place of QUERY in smtp_tls_policy_maps, then:").Command("postfix reload")
	}
	if files == nil || !strings.HasSuffix(maps, ":postfix") {
		return nil
	}
	o, err := files.Read(resolverFile)
	if err != nil || o.Kind != state.Regular || namesMX.Match(o.Content) {
		return nil
	}
	return finding.Text("tlsrpt: true in " + resolverFile + ", where its version knows that, then:").Command("systemctl restart postfix-mta-sts-resolver")
}

// reports judges whether TLS reports are sent to others, which Postfix can do since 3.10.
func reports(p *state.Postfix) finding.Finding {
	f := finding.Finding{ID: "tlsrpt.send", Subject: "smtp_tlsrpt_enable", Severity: finding.Note, Seen: "no reports are sent to others"}
	switch {
	case !postconf.AtLeast(p, 3, 10):
		f.Seen = "Postfix " + clip(p.Version) + " cannot report to others"
	case p.Raw["smtp_tlsrpt_enable"] == "yes" && p.Raw["smtp_tlsrpt_socket_name"] == "":
		f.Severity, f.Seen = finding.Warning, "smtp_tlsrpt_enable = yes, but smtp_tlsrpt_socket_name is empty: Postfix does not report"
		f.Remedy = finding.Text("name the socket of a collector in smtp_tlsrpt_socket_name, or:").Command("postconf -X smtp_tlsrpt_enable && postfix reload")
	case p.Raw["smtp_tlsrpt_enable"] == "yes":
		f.Severity, f.Seen = finding.OK, "reports go to "+clip(p.Raw["smtp_tlsrpt_socket_name"])
	}
	return f
}
