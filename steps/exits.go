package steps

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// exit is an address from which Postfix delivers: what SPF is asked about.
type exit struct {
	addr netip.Addr
	// by is the setting that makes it so; "" for the routing table.
	by string
	// sure: not only one of those that the machine has.
	sure bool
}

// byRelay reports whether all mail goes to another server, whose addresses
// others see then.
func byRelay(p *state.Postfix) bool { return p != nil && effective(p, nil, "relayhost") != "" }

// exits are the addresses of a family from which mail leaves.
func exits(in Input, f family) []exit {
	p := in.Facts.Postfix
	if byRelay(p) {
		return nil
	}
	var all []exit
	for _, client := range smtpClients(p) {
		if !speaks(p, client, f) {
			continue
		}
		if e, ok := bound(p, client, f); ok {
			all = append(all, e)
		} else {
			all = append(all, routed(in, f)...)
		}
	}
	slices.SortStableFunc(all, func(a, b exit) int { return a.addr.Compare(b.addr) })
	return slices.CompactFunc(all, func(a, b exit) bool { return a.addr == b.addr })
}

// smtpClients are the services that deliver by SMTP: nil for one of which
// nothing is known.
func smtpClients(p *state.Postfix) []*state.Service {
	var all []*state.Service
	if p != nil {
		for i := range p.Services {
			if p.Services[i].Command == "smtp" {
				all = append(all, &p.Services[i])
			}
		}
	}
	if len(all) == 0 {
		all = append(all, nil)
	}
	return all
}

// speaks reports whether a client uses a family: inet_protocols, postconf(5).
func speaks(p *state.Postfix, client *state.Service, f family) bool {
	if p == nil {
		return true
	}
	list := words(strings.ToLower(effective(p, client, "inet_protocols")))
	return len(list) == 0 || slices.Contains(list, "all") || slices.Contains(list, f.protocol)
}

// bound is the address that Postfix is told to deliver from: smtp_bind_address,
// or the only one of the family in inet_interfaces, which postconf(5) takes for
// the same.
func bound(p *state.Postfix, client *state.Service, f family) (exit, bool) {
	if p == nil {
		return exit{}, false
	}
	if a, err := netip.ParseAddr(strings.Trim(effective(p, client, f.bind), "[]")); err == nil && !a.IsUnspecified() {
		by := fmt.Sprintf("%s: %s", mainCf, f.bind)
		if client != nil {
			if o, own := client.Option(f.bind); own {
				by = fmt.Sprintf("%s:%d: %s of %s", masterCf, o.Line, f.bind, client.Name)
			}
		}
		return exit{a, by, true}, true
	}
	var listens []netip.Addr
	for _, word := range words(effective(p, nil, "inet_interfaces")) {
		if a, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil && f.is(a) {
			listens = append(listens, a)
		}
	}
	if len(listens) == 1 && !listens[0].IsLoopback() {
		return exit{listens[0], fmt.Sprintf("%s: inet_interfaces", mainCf), true}, true
	}
	return exit{}, false
}

// routed are the addresses that the kernel chooses or, where the routing table
// tells nothing, might choose.
func routed(in Input, f family) []exit {
	var all []exit
	for _, a := range f.of(in.Facts.Sources) {
		all = append(all, exit{addr: a, sure: true})
	}
	if len(in.Facts.Sources) > 0 {
		return all
	}
	for _, a := range f.of(in.Facts.Addresses) {
		if outside(a) {
			all = append(all, exit{addr: a})
		}
	}
	return all
}

// notes tells of mail that leaves from an address which SPF would not know.
func (e exit) notes(in Input, f family) []state.Note {
	ours := f.of(in.Spec.Host.Addresses)
	onInterface := only(ours, func(a netip.Addr) bool { return slices.Contains(in.Facts.Addresses, a) })
	switch {
	case slices.Contains(ours, e.addr):
		return nil
	case !outside(e.addr) && f.protocol == "ipv6": // leads nowhere
		return nil
	case !outside(e.addr) && len(ours) > 0 && len(onInterface) == 0: // leads through the router that is named
		return nil
	}
	name, do := e.named(in.Spec.Host.Addresses)
	note := state.Note{Topic: "address", Do: do}
	advice := ""
	switch {
	case e.by != "":
		advice = "Change that, or name " + name + " too, with a PTR for it"
	case len(ours) == 0:
		note.Topic, advice = f.protocol, "Name "+name+" too, with a PTR for it, or send by "+f.other+" only"
		note.Do += "; or postconf -e inet_protocols=" + f.alone + ", then restart Postfix"
	case len(onInterface) > 0:
		advice = "Send from the right one, or name " + name + " too, with a PTR for it"
		note.Do = fmt.Sprintf("postconf -e %s=%s && postfix reload; or %s", f.bind, onInterface[0], do)
	default:
		advice = "If that is the one others see, name it, with a PTR for it"
		note.Do = initWith(append(only(in.Spec.Host.Addresses, func(a netip.Addr) bool { return !f.is(a) }), e.addr))
	}
	note.Text = e.words(in.Spec.Host.Addresses, f, note.Topic == f.protocol) + ". " + advice
	return []state.Note{note}
}

// named is what the administrator would add to the addresses named, and the
// command for it.
func (e exit) named(all []netip.Addr) (name, do string) {
	if !outside(e.addr) {
		return "the router's", initWith(all) + " --ip THE-ROUTER'S"
	}
	return "that one", initWith(append(slices.Clone(all), e.addr))
}

// words say where mail leaves from, and what that means. Also: by a family that
// the server has no address of.
func (e exit) words(all []netip.Addr, f family, also bool) string {
	text := "mail "
	switch {
	case also && e.sure:
		text += "also leaves by " + f.name + ", "
	case also:
		text += "may also leave by " + f.name + ", "
	case e.sure:
		text += "leaves "
	default:
		text += "may leave "
	}
	text += "from " + e.addr.String()
	if e.by != "" {
		text += " (" + e.by + ")"
	}
	if !outside(e.addr) {
		return text + ", through a router whose address may not be among those of this server (" + list(all) + "): SPF may fail for it"
	}
	return text + ", which is not among the addresses of this server (" + list(all) + "): SPF fails for it"
}
