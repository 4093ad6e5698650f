package recipient

import (
	"fmt"
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

// local reports whether a domain is in mydestination, or an address of the loopback.
func (w *trace) local(domain string) (bool, error) {
	if strings.HasPrefix(domain, "[127.") || domain == "[::1]" || domain == "[ipv6:::1]" {
		return true, nil
	}
	return w.listed("mydestination", domain)
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
