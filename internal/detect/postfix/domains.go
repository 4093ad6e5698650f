package postfix

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/postmap"
	"mailsetup/internal/recipient"
	"mailsetup/internal/state"
)

// minForPrefetch is the number of domains from which on a table is asked about all of
// them at once.
const minForPrefetch = 4

// Domains returns what Postfix does with mail for domains that comes from others.
func Domains(ctx context.Context, s source.Source, p *state.Postfix, names []string) map[string]state.MailDomain {
	tables := Tables(s, s)
	if len(names) >= minForPrefetch {
		prefetch(ctx, tables, p, names)
	}
	postfix := recipient.Postfix{Value: p.Value, Tables: tables}
	decides := acceptsOthers(p)
	classOf := postfix.Classes(ctx)
	all := make(map[string]state.MailDomain, len(names))
	for _, name := range names {
		class, err := classOf(name)
		d := state.MailDomain{Class: class}
		switch {
		case err != nil:
			d = state.MailDomain{Unknown: err.Error()}
		case class == state.ClassDefault && decides != "":
			d = state.MailDomain{Unknown: decides + " decides"}
		case class == state.ClassDefault:
			d.AddressesIn = postfix.HasAddresses(ctx, name)
		}
		all[name] = d
	}
	return all
}

// acceptsOthers returns the restriction that may let strangers send to domains of the
// default class, "" where one of the lists of smtpd(8) refuses that.
func acceptsOthers(p *state.Postfix) string {
	decides := ""
	for _, list := range []string{"smtpd_relay_restrictions", "smtpd_recipient_restrictions"} {
		word := firstDecision(p.Value[list])
		switch {
		case strings.HasPrefix(word, "reject"), strings.HasPrefix(word, "defer"):
			return ""
		case word != "" && decides == "":
			decides = word + " in " + list
		}
	}
	return decides
}

// forKnownClients are permissions that strangers do not get.
var forKnownClients = []string{"permit_mynetworks", "permit_sasl_authenticated", "permit_tls_clientcerts", "permit_tls_all_clientcerts", "permit_auth_destination"}

// firstDecision returns the first restriction that refuses other domains, or may let
// them in; tables, numbers and conditions on the client decide nothing of that.
func firstDecision(list string) string {
	for _, word := range words(list) {
		switch {
		case slices.Contains([]string{"reject", "defer", "reject_unauth_destination", "defer_unauth_destination"}, word):
			return word
		case slices.Contains(forKnownClients, word), strings.ContainsAny(word, ":/=."), strings.Trim(word, "0123456789") == "":
		case strings.HasPrefix(word, "reject_"), strings.HasPrefix(word, "defer_"), strings.HasPrefix(word, "warn_"), word == "sleep":
		default:
			return word
		}
	}
	return ""
}

// prefetch asks the tables of the lists, and those of addresses, about all names.
func prefetch(ctx context.Context, tables *postmap.Tables, p *state.Postfix, names []string) {
	var addresses []string
	for _, name := range names {
		addresses = append(addresses, recipient.UsualAddresses(name)...)
	}
	for parameter, keys := range map[string][]string{
		"mydestination": names, "virtual_alias_domains": names, "virtual_mailbox_domains": names, "relay_domains": names,
		"virtual_alias_maps": addresses, "virtual_mailbox_maps": addresses,
	} {
		for _, table := range recipient.Elements(p.Value[parameter]) {
			if isTable(table) {
				tables.Prefetch(ctx, table, keys)
			}
		}
	}
}

func isTable(element string) bool {
	return strings.Contains(element, ":") && !strings.HasPrefix(element, "/") && !strings.HasPrefix(element, "!")
}

// listDomains fills in the domains whose mailboxes and aliases are here and that stand
// in tables and files, and names those tables that cannot be listed.
func listDomains(ctx context.Context, s source.Source, p *state.Postfix) {
	tables, known := Tables(s, s), map[string]bool{}
	for _, parameter := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains"} {
		for _, element := range recipient.Elements(p.Value[parameter]) {
			names, err := []string(nil), error(nil)
			switch {
			case strings.HasPrefix(element, "/"):
				names, err = tables.Names(ctx, element)
				names = recipient.Elements(strings.Join(names, "\n"))
			case isTable(element):
				names, err = tables.Keys(ctx, element)
			}
			if err != nil {
				p.Unlisted = append(p.Unlisted, fmt.Sprintf("%s (%s)", element, parameter))
				continue
			}
			for _, name := range names {
				if name = strings.ToLower(name); !strings.ContainsAny(name, "@:/!") && !known[name] {
					known[name] = true
					p.Listed = append(p.Listed, name)
				}
			}
		}
	}
}
