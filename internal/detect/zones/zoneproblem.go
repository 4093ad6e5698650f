package zones

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/namedconf"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
)

// whyNotEditable returns why the zone's file cannot be edited and a hint, "" if the
// configuration allows it.
func (s scope) whyNotEditable(z state.Zone, updates string) (problem, hint string) {
	database, set := namedconf.First(s.blocks[0], "database")
	_, dlz := namedconf.First(s.blocks[0], "dlz")
	switch format := s.value("masterfile-format"); {
	case z.Kind != "primary":
		return s.primaryElsewhere(z.Kind)
	case updates != "":
		return fmt.Sprintf("it takes dynamic updates (%s): its file belongs to named", updates), s.whyUpdated(updates)
	case dlz || set && !slices.Contains([]string{"rbt", "qp", "qpzone"}, database.Word(1)):
		return "its records come from a database", printed
	case z.File == "":
		return "it has no file", printed
	case format != "" && format != "text":
		return fmt.Sprintf("its file %s is in %s format (masterfile-format)", z.File, format),
			fmt.Sprintf("write it as text: named-compilezone -f %s -F text -o %s.txt %s %s, and take the option out; %s",
				format, z.File, dnsname.TrimDot(z.Origin), z.File, orManual)
	}
	return "", ""
}

// whyUpdated says which option makes the zone take updates, and what to do instead of
// editing.
func (s scope) whyUpdated(option string) string {
	const update = "--dns rfc2136 --rfc2136-server 127.0.0.1 --rfc2136-key "
	policy, _ := namedconf.First(s.blocks[0], "update-policy")
	switch {
	case policy.Word(1) == "local":
		return update + string(nsupdate.SessionKey) + " updates it; " + orManual
	case option == "update-policy":
		return newKey + "grant mailsetup zonesub A AAAA MX TXT; into the zone's update-policy\nthen " + update + keyFile + "; " + orManual
	}
	return newKey + "key mailsetup; into the zone's allow-update\nthen " + update + keyFile + "; " + orManual
}

// The key is for named, whose group /etc/bind belongs to, and a copy for root
// alone.
const (
	keyFile = "/root/mailsetup.key"
	newKey  = "make a key: (umask 027; set -C; tsig-keygen mailsetup >/etc/bind/mailsetup.key) && install -m 600 /etc/bind/mailsetup.key " + keyFile +
		"\nput include \"/etc/bind/mailsetup.key\"; into named.conf.local, and "
)

// primaryElsewhere returns the problem and hint of a zone whose primary is another
// server.
func (s scope) primaryElsewhere(kind string) (problem, hint string) {
	primaries := s.servers("primaries", "masters")
	switch kind {
	case "secondary":
		problem = "BIND is a secondary server for it here: its records are made on the primary" + prefix(", ", primaries)
	case "mirror":
		problem = "BIND keeps a mirror of it here: its records are made on the primary" + prefix(", ", primaries)
	case "forward":
		problem = "BIND only forwards questions about it" + prefix(", to ", s.servers("forwarders"))
	case "stub", "static-stub":
		servers := cmp.Or(primaries, s.servers("server-addresses", "server-names"))
		problem = fmt.Sprintf("BIND only knows which servers have it%s (a %s zone)", prefix(", ", servers), kind)
	default:
		return fmt.Sprintf("it is a %s zone here: its records are made elsewhere", kind), printed
	}
	return problem, "run mailsetup there, or here with --dns manual, which prints the records"
}

// servers returns the servers that one of the options names.
func (s scope) servers(names ...string) string {
	var list []string
	for _, name := range names {
		o, _ := s.option(name)
		for _, server := range o.Block() {
			list = append(list, server.Word(0))
		}
	}
	return strings.Join(list, " or ")
}

func prefix(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}
