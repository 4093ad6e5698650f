package subject

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
)

// FindEgress returns the addresses from which mail leaves, as receivers see them, and
// those that only this side of an address translation sees. Declared are the public
// addresses that the administrator named: they stand for whatever is translated.
func FindEgress(f state.Facts, declared []netip.Addr) (seen, hidden []Egress) {
	var found []Egress
	clients := smtpClients(f.Postfix)
	for _, c := range clients {
		for _, six := range []bool{false, true} {
			found = append(found, c.egress(six, f.Sources)...)
		}
	}
	if f.Postfix == nil {
		for _, a := range f.Sources {
			found = append(found, Egress{a, "route"})
		}
	}
	for _, a := range declared {
		if f.Postfix == nil || slices.ContainsFunc(clients, func(c smtpClient) bool { return c.uses(a.Is6()) }) {
			seen = append(seen, Egress{a, "host.toml"})
		}
	}
	for _, e := range found {
		list := &seen
		if _, err := syntax.Address(e.Address.String()); err != nil {
			list = &hidden
		}
		if !slices.ContainsFunc(*list, func(o Egress) bool { return o.Address == e.Address }) {
			*list = append(*list, e)
		}
	}
	return seen, hidden
}

// smtpClient is a service of master.cf by which mail leaves.
type smtpClient struct {
	postfix *state.Postfix
	service *state.Service // nil for a program that sends by itself
	all     bool           // it is the default transport
}

// smtpClients returns the services by which mail to the Internet leaves: that of the
// default transport, and those with a source address of their own that a table can lead
// to.
func smtpClients(p *state.Postfix) []smtpClient {
	if p == nil {
		return nil
	}
	usual, _, _ := strings.Cut(cmp.Or(p.Value["default_transport"], "smtp"), ":")
	reachable := p.Value["transport_maps"] != "" || p.Value["sender_dependent_default_transport_maps"] != ""
	filter, _, _ := strings.Cut(p.Value["content_filter"], ":")
	var list []smtpClient
	known := false
	for i := range p.Services {
		c := smtpClient{p, &p.Services[i], false}
		transport, kind, _ := strings.Cut(c.service.Name, "/")
		switch {
		case c.service.Command != "smtp" || kind != "unix":
		case transport == usual:
			c.all, known = true, true
			list = append(list, c)
		case reachable && transport != filter && (c.sets("smtp_bind_address") || c.sets("smtp_bind_address6")):
			list = append(list, c)
		}
	}
	if !known {
		list = append(list, smtpClient{p, nil, true})
	}
	return list
}

func (c smtpClient) value(parameter string) string {
	return postconf.Effective(c.postfix, c.service, parameter)
}

// sets reports whether the service has a value of its own.
func (c smtpClient) sets(parameter string) bool {
	if c.service == nil {
		return false
	}
	_, own := c.service.Option(parameter)
	return own
}

// uses reports whether the client connects by an address family: inet_protocols.
func (c smtpClient) uses(six bool) bool {
	all := postconf.Words(c.value("inet_protocols"))
	return len(all) == 0 || slices.Contains(all, "all") || slices.Contains(all, map[bool]string{false: "ipv4", true: "ipv6"}[six])
}

// egress returns the source addresses of one family, smtp_bind_address in postconf(5):
// what is bound to, the only address of inet_interfaces, or what the routing table says.
func (c smtpClient) egress(six bool, routes []netip.Addr) []Egress {
	if !c.uses(six) {
		return nil
	}
	parameter := map[bool]string{false: "smtp_bind_address", true: "smtp_bind_address6"}[six]
	if a, ok := address(c.value(parameter)); ok && a.Is6() == six && !a.IsUnspecified() {
		origin := parameter
		if c.sets(parameter) {
			origin += " of " + c.service.Name
		}
		return []Egress{{a, origin}}
	}
	if !c.all { // the family that it does not bind leaves like other mail
		return nil
	}
	if a, ok := onlyInterface(c.value("inet_interfaces"), six); ok {
		return []Egress{{a, "inet_interfaces"}}
	}
	var list []Egress
	for _, a := range routes {
		if a.Is6() == six {
			list = append(list, Egress{a, "route"})
		}
	}
	return list
}

// onlyInterface returns the one address of a family in inet_interfaces, from which mail
// leaves then, unless that is a loopback address.
func onlyInterface(value string, six bool) (only netip.Addr, ok bool) {
	for _, word := range postconf.Words(value) {
		a, is := address(word)
		if !is {
			return netip.Addr{}, false // all, or a name
		}
		if a.Is6() == six && only.IsValid() {
			return netip.Addr{}, false
		}
		if a.Is6() == six {
			only = a
		}
	}
	return only, only.IsValid() && !only.IsLoopback()
}

// address parses an address as main.cf has it, with or without brackets.
func address(word string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(word), "[]"))
	return a.Unmap(), err == nil
}

// Hop is where a nexthop of Postfix leads: a host, looked up by its MX unless it stands
// in brackets, and a port, 25 without one.
type Hop struct {
	Host string
	MX   bool
	Port string
}

// ParseHop parses a nexthop: [host]:port, host:port, [2001:db8::1], several of which
// the first counts. Ok is false for none.
func ParseHop(nexthop string) (h Hop, ok bool) {
	list := postconf.Words(nexthop)
	if len(list) == 0 {
		return Hop{}, false
	}
	text := strings.TrimPrefix(list[0], "inet:")
	h = Hop{MX: true, Port: "25"}
	if inner, rest, bracketed := strings.Cut(text, "]"); bracketed && strings.HasPrefix(text, "[") {
		h.MX, h.Host = false, strings.TrimPrefix(strings.TrimPrefix(inner[1:], "IPv6:"), "ipv6:")
		text = rest
	} else if host, _, _ := strings.Cut(text, ":"); strings.Count(text, ":") < 2 {
		h.Host, text = host, strings.TrimPrefix(text, host)
	} else { // an IPv6 address without brackets
		h.Host, text = text, ""
	}
	h.Port = cmp.Or(strings.TrimPrefix(text, ":"), h.Port)
	return h, h.Host != ""
}

// Local reports whether the hop is this machine, whose addresses are those that
// receivers see.
func (h Hop) Local() bool { return postconf.IsLoopback(h.Host) }

// Smarthost returns the nexthop of all mail to the Internet in the order in which
// trivial-rewrite(8) decides: everything is what transport_maps says of "*", then
// default_transport, then relayhost. "" if mail goes where DNS leads, or to this machine.
func Smarthost(p *state.Postfix, everything string) string {
	if p == nil {
		return ""
	}
	transport, hop, _ := strings.Cut(everything, ":")
	if hop == "" && transport == "" {
		transport, hop, _ = strings.Cut(p.Value["default_transport"], ":")
	}
	if slices.Contains([]string{"error", "retry", "discard", "local", "virtual"}, transport) {
		return "" // nothing leaves, and what stands behind the colon is a text
	}
	if hop == "" {
		hop = p.Value["relayhost"]
	}
	if h, ok := ParseHop(hop); !ok || h.Local() {
		return ""
	}
	return hop
}
