package recipient

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// delivered returns the end of an address that nothing rewrites any more.
func (w *trace) delivered(address string) state.Recipient {
	user, domain := split(address)
	class, err := w.class(domain)
	if err != nil {
		return unknown(address, err)
	}
	transport, by, err := w.transport(class, user, domain)
	if err != nil {
		return unknown(address, err)
	}
	r := w.transportEnd(class, transport, by, address)
	if r.Class == "" {
		r.Class = class
	}
	if r.Address == "" {
		r.Address = address
	}
	r.Agent, _, _ = strings.Cut(transport, ":")
	return r
}

// isReceivedHere reports whether other servers send mail for an address here although
// Postfix would relay it: smtpd(8) rejects that, whatever a virtual alias says.
func (w *trace) isReceivedHere(address string) bool {
	_, domain := split(address)
	class, err := w.class(domain)
	return err == nil && class == state.ClassDefault && w.Route != nil && w.Route(domain) == state.RouteHere
}

// class returns the address class of a domain, in the order of trivial-rewrite(8).
func (w *trace) class(domain string) (state.AddressClass, error) {
	if here, err := w.local(domain); here || err != nil {
		return state.ClassLocal, err
	}
	for _, name := range DomainLists()[1:] {
		if in, err := w.listed(name, domain); in || err != nil {
			return classOf[name], err
		}
	}
	return state.ClassDefault, nil
}

// DomainLists returns the parameters that give a domain its class, in the order in
// which they count.
func DomainLists() []string {
	return []string{"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"}
}

var classOf = map[string]state.AddressClass{
	"mydestination": state.ClassLocal, "virtual_alias_domains": state.ClassVirtualAlias,
	"virtual_mailbox_domains": state.ClassVirtualMailbox, "relay_domains": state.ClassRelay,
}

// ClassOf returns the class that a list of DomainLists gives to its domains.
func ClassOf(list string) state.AddressClass { return classOf[list] }

// ListOf returns the parameter that gives a domain its class, "" for the default one.
func ListOf(class state.AddressClass) string {
	for name, c := range classOf {
		if c == class {
			return name
		}
	}
	return ""
}

// Class returns the class of a domain; an error says which list could not be asked.
func (p Postfix) Class(ctx context.Context, domain string) (state.AddressClass, error) {
	return (&trace{Postfix: p, ctx: ctx}).class(strings.ToLower(domain))
}

// HasAddresses returns which of the maps of virtual addresses has some of a domain, as
// far as a few usual ones tell: "" for none.
func (p Postfix) HasAddresses(ctx context.Context, domain string) string {
	w := &trace{Postfix: p, ctx: ctx}
	for _, maps := range []string{"virtual_mailbox_maps", "virtual_alias_maps"} {
		for _, key := range UsualAddresses(domain) {
			if _, found, err := w.lookupFirst(maps, key); found && err == nil {
				return maps
			}
		}
	}
	return ""
}

// UsualAddresses returns addresses that a domain with mailboxes probably has; the first
// stands for all of them.
func UsualAddresses(domain string) []string {
	return []string{"@" + domain, "postmaster@" + domain, "info@" + domain}
}

// local reports whether a domain is in mydestination, or an address of the loopback.
func (w *trace) local(domain string) (bool, error) {
	if strings.HasPrefix(domain, "[127.") || domain == "[::1]" || domain == "[ipv6:::1]" {
		return true, nil
	}
	return w.listed("mydestination", domain)
}

// listed reports whether a domain is in a list: names, !names, tables and files; the
// first match counts. Subdomains belong to a name of relay_domains
// alone, as parent_domain_matches_subdomains says.
func (w *trace) listed(name, domain string) (bool, error) {
	below := noSubdomains
	if name == "relay_domains" {
		below = dottedSubdomains
		if slices.Contains(list(w.Value["parent_domain_matches_subdomains"]), name) {
			below = allSubdomains
		}
	}
	return w.matches(name, tables(w.Value[name]), domain, below)
}

// subdomains says which of them a name in a list stands for, postconf(5).
type subdomains int

const (
	noSubdomains     subdomains = iota
	dottedSubdomains            // .example.org those of example.org
	allSubdomains               // example.org
)

func (w *trace) matches(name string, patterns []string, domain string, below subdomains) (bool, error) {
	for _, pattern := range patterns {
		pattern, not := strings.CutPrefix(pattern, "!")
		fits, err := false, error(nil)
		switch {
		case strings.HasPrefix(pattern, "/"):
			var lines []string
			if lines, err = w.Tables.Names(w.ctx, pattern); err == nil {
				fits, err = w.matches(name, tables(strings.Join(lines, "\n")), domain, below)
			}
		case strings.Contains(pattern, ":"):
			fits, err = w.inTable(pattern, domain, below)
		default:
			pattern = strings.ToLower(pattern)
			fits = domain == pattern || strings.HasPrefix(pattern, ".") && below == dottedSubdomains && strings.HasSuffix(domain, pattern) ||
				below == allSubdomains && strings.HasSuffix(domain, "."+pattern)
		}
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		if fits {
			return !not, nil
		}
	}
	return false, nil
}

func (w *trace) inTable(table, domain string, below subdomains) (bool, error) {
	for _, key := range domainKeys(table, domain, below) {
		if _, found, err := w.Tables.Lookup(w.ctx, table, key); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// domainKeys are those under which a table is asked for a domain. One of patterns is
// asked for the whole name only.
func domainKeys(table, domain string, below subdomains) []string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(table, "proxy:"), ":")
	all := []string{domain}
	if below == noSubdomains || slices.Contains([]string{"regexp", "pcre", "cidr", "tcp", "static"}, kind) {
		return all
	}
	dot := map[subdomains]string{dottedSubdomains: "."}[below]
	for {
		_, parent, more := strings.Cut(domain, ".")
		if !more {
			return all
		}
		all, domain = append(all, dot+parent), parent
	}
}

// transport is what delivers, "name:nexthop", and the parameter that says so.
func (w *trace) transport(class state.AddressClass, user, domain string) (transport, by string, err error) {
	of := map[state.AddressClass]string{
		state.ClassLocal: "local_transport", state.ClassVirtualMailbox: "virtual_transport", state.ClassRelay: "relay_transport",
		state.ClassVirtualAlias: "", state.ClassDefault: "default_transport",
	}
	by = of[class]
	transport = w.Value[by]
	base, _ := w.extended(user)
	routes := keys(user, base, domain, false)
	routes = append(routes[:len(routes)-1], domain) // instead of @domain
	for rest := domain; ; {
		_, parent, more := strings.Cut(rest, ".")
		if !more {
			break
		}
		routes, rest = append(routes, "."+parent), parent
	}
	for _, key := range append(routes, "*") {
		value, found, err := w.lookupFirst("transport_maps", key)
		if err != nil {
			return "", "", err
		}
		if value = strings.TrimSpace(value); found && value != "" && value != ":" {
			if name, hop, _ := strings.Cut(value, ":"); name == "" { // the usual one, to another host
				usual, _, _ := strings.Cut(transport, ":")
				value = usual + ":" + hop
			}
			return value, "transport_maps", nil
		}
		if found {
			break
		}
	}
	return transport, by, nil
}

// transportEnd returns what a transport does with an address.
func (w *trace) transportEnd(class state.AddressClass, transport, by, address string) state.Recipient {
	name, hop, _ := strings.Cut(transport, ":")
	user, domain := split(address)
	switch {
	case class == state.ClassVirtualAlias:
		return nobody("%s is one of virtual_alias_domains, and virtual_alias_maps has no %s", domain, address)
	case name == "error" || name == "retry" || name == "discard":
		return nobody("%s of %s is %s", by, domain, transport)
	case class == state.ClassLocal && (name == "local" || name == ""):
		return w.accepted(w.localUser(user, domain, ""), "local_recipient_maps", address)
	case class == state.ClassLocal:
		return w.listedFor(transport, by, "local_recipient_maps", address)
	case class == state.ClassVirtualMailbox && name == "local":
		return w.accepted(w.localUser(user, domain, ""), "virtual_mailbox_maps", address)
	case class == state.ClassVirtualMailbox:
		return w.listedFor(transport, by, "virtual_mailbox_maps", address)
	case name == "local":
		return w.localUser(user, domain, "")
	case name == "virtual":
		return w.listedFor(transport, by, "virtual_mailbox_maps", address)
	case class == state.ClassRelay:
		return w.accepted(elsewhere("%s is relayed", domain), "relay_recipient_maps", address)
	case name != "smtp" && name != "relay" && name != "smtps" && name != "":
		return state.Recipient{End: state.EndUnknown, Why: fmt.Sprintf("%s gives it to %s, which decides", by, transport)}
	case by == "transport_maps":
		return elsewhere("transport_maps gives it to %s", hop)
	}
	return w.deliveredOutside(domain)
}

// deliveredOutside returns the end of mail that goes where DNS or relayhost leads.
func (w *trace) deliveredOutside(domain string) state.Recipient {
	route := state.RouteElsewhere
	if w.Route != nil {
		route = w.Route(domain)
	}
	relay := w.Value["relayhost"]
	why := ""
	switch route {
	case state.RouteHere:
		if w.Value["smtp_fallback_relay"] != "" && relay == "" {
			return elsewhere("smtp_fallback_relay takes it")
		}
		why = fmt.Sprintf("DNS leads mail for %s to this server, whose Postfix does not have that domain: it would come back", domain)
	case state.RouteNone:
		why = fmt.Sprintf("%s has neither a mail exchanger nor an address in DNS", domain)
	case state.RouteNull:
		why = fmt.Sprintf("%s says in DNS that it takes no mail (null MX)", domain)
	default:
		return elsewhere("another host has mail for %s", domain)
	}
	if relay != "" {
		return state.Recipient{End: state.EndUnknown, Why: fmt.Sprintf("%s is to take it, and %s", relay, why)}
	}
	return nobody("%s", why)
}

func nobody(format string, a ...any) state.Recipient {
	return state.Recipient{End: state.EndNobody, Why: fmt.Sprintf(format, a...)}
}

func elsewhere(format string, a ...any) state.Recipient {
	return state.Recipient{End: state.EndElsewhere, Why: fmt.Sprintf(format, a...)}
}
