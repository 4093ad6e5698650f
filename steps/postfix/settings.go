package postfix

import (
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// AliasFile is the file of aliases(5) on every Debian system.
const AliasFile state.Path = "/etc/aliases"

// TableType is default_database_type: the type of the tables that Debian's package and
// postmap(1) make. A table keeps its own type in every command of ours, since another
// release has another default.
func TableType(f state.Facts) string {
	switch {
	case f.Postfix != nil && f.Postfix.Value["default_database_type"] != "":
		return f.Postfix.Value["default_database_type"]
	case f.Release.ID == "debian" && f.Release.Version == "14":
		return "cdb"
	}
	return "hash"
}

// Settings returns the parameters of main.cf as the run leaves them: what
// Postfix says now, or what Debian's package makes of the answers that it gets,
// with the names that we set.
func Settings(in step.Input) map[string]string {
	host, mailname := in.Spec.Host.Hostname, signer.Mailname(in)
	aliases := TableType(in.Facts) + ":" + string(AliasFile)
	value := map[string]string{ // postfix.postinst, and postconf -d
		"myhostname": host, "myorigin": mailname,
		"mydestination":       strings.Join(packageDestinations(in), ", "),
		"recipient_delimiter": "+", "alias_maps": aliases,
		"local_recipient_maps": "proxy:unix:passwd.byname " + aliases,
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
		if before != host && !deliversLocally(in.Spec) && destinations(in) == nil {
			value["mydestination"] += ", " + host
		}
	}
	return value
}

// packageDestinations is mydestination as Debian's package writes it.
func packageDestinations(in step.Input) []string {
	host := in.Spec.Host.Hostname
	_, domain, _ := strings.Cut(host, ".")
	return []string{host, signer.Mailname(in), "localhost." + domain, "localhost"}
}

// destinations returns mydestination for a Postfix of this run, nil where that of the
// package is right: the domains that are received here, and the host's own name unless
// its mail is received elsewhere. On such a Postfix all mailboxes are those of users.
func destinations(in step.Input) []string {
	list := packageDestinations(in)
	if deliversLocally(in.Spec) {
		list = []string{"localhost"}
	}
	n := len(list)
	for _, d := range in.Spec.Domains {
		if d.Receive && !slices.ContainsFunc(list, func(name string) bool { return strings.EqualFold(name, d.Name) }) {
			list = append(list, d.Name)
		}
	}
	if len(list) > maxDestinations || len(list) == n && !deliversLocally(in.Spec) {
		return nil // a table is better for so many
	}
	return list
}

// maxDestinations is how many names stand in one line of main.cf.
const maxDestinations = 100
