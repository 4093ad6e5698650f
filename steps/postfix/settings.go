package postfix

import (
	"maps"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// AliasFile is the file of aliases(5) on every Debian system.
const AliasFile state.Path = "/etc/aliases"

// Settings returns the parameters of main.cf as the run leaves them: what
// Postfix says now, or what Debian's package makes of the answers that it gets,
// with the names that we set.
func Settings(in step.Input) map[string]string {
	host, mailname := in.Spec.Host.Hostname, signer.Mailname(in)
	_, domain, _ := strings.Cut(host, ".")
	value := map[string]string{ // postfix.postinst, and postconf -d
		"myhostname": host, "myorigin": mailname,
		"mydestination":       strings.Join([]string{host, mailname, "localhost." + domain, "localhost"}, ", "),
		"recipient_delimiter": "+", "alias_maps": "hash:" + string(AliasFile),
		"local_recipient_maps": "proxy:unix:passwd.byname hash:" + string(AliasFile),
		"local_transport":      "local:" + host, "virtual_transport": "virtual", "relay_transport": "relay", "default_transport": "smtp",
	}
	p := in.Facts.Postfix
	if p != nil {
		value = maps.Clone(p.Value)
	}
	if p == nil || p.Fresh {
		before := value["myhostname"]
		l := newLists(in, in.Spec.Host.MilterDefaultAction)
		l.names(in)
		for _, s := range l.set {
			value[s.Name] = s.Value
		}
		if before != host && !deliversLocally(in.Spec) {
			value["mydestination"] += ", " + host
		}
	}
	return value
}
