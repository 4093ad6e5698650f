package records

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// senderAddress is an address from which Postfix delivers: SPF is evaluated for it.
type senderAddress struct {
	addr netip.Addr
	// setting is the setting that causes it; "" for the routing table.
	setting string
	// certain: not only one of the addresses that the machine has.
	certain bool
}

// byRelay reports whether all mail goes to a relay, whose addresses others see.
func byRelay(p *state.Postfix) bool { return p != nil && postconf.Effective(p, nil, "relayhost") != "" }

// senderAddresses returns the addresses of a family from which mail leaves.
func senderAddresses(in step.Input, f family) []senderAddress {
	p := in.Facts.Postfix
	if byRelay(p) {
		return nil
	}
	var all []senderAddress
	for _, client := range smtpClients(p) {
		if !usesFamily(p, client, f) {
			continue
		}
		if e, ok := bindAddress(p, client, f); ok {
			all = append(all, e)
		} else {
			all = append(all, sourceAddresses(in, f)...)
		}
	}
	slices.SortStableFunc(all, func(a, b senderAddress) int { return a.addr.Compare(b.addr) })
	return slices.CompactFunc(all, func(a, b senderAddress) bool { return a.addr == b.addr })
}

// Senders returns the addresses from which mail leaves, as others see them: those that
// are on the machine and can be reached. Where a relay or a router stands in between
// there are none.
func Senders(f state.Facts) []netip.Addr {
	var all []netip.Addr
	for _, family := range families() {
		for _, e := range senderAddresses(step.Input{Facts: f}, family) {
			if isReachable(e.addr) && slices.Contains(f.Addresses, e.addr) {
				all = append(all, e.addr)
			}
		}
	}
	return all
}

// smtpClients returns the services that deliver by SMTP; nil stands for one that is not
// known.
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

// usesFamily reports whether a client uses a family: inet_protocols, postconf(5).
func usesFamily(p *state.Postfix, client *state.Service, f family) bool {
	if p == nil {
		return true
	}
	list := postconf.Words(strings.ToLower(postconf.Effective(p, client, "inet_protocols")))
	return len(list) == 0 || slices.Contains(list, "all") || slices.Contains(list, f.protocol)
}

// bindAddress returns the address that Postfix is told to deliver from: smtp_bind_address,
// or the only one of the family in inet_interfaces, which postconf(5) takes for
// the same.
func bindAddress(p *state.Postfix, client *state.Service, f family) (senderAddress, bool) {
	if p == nil {
		return senderAddress{}, false
	}
	if a, err := netip.ParseAddr(strings.Trim(postconf.Effective(p, client, f.bind), "[]")); err == nil && !a.IsUnspecified() {
		by := fmt.Sprintf("%s: %s", postconf.MainCF, f.bind)
		if client != nil {
			if o, own := client.Option(f.bind); own {
				by = fmt.Sprintf("%s:%d: %s of %s", postconf.MasterCF, o.Line, f.bind, client.Name)
			}
		}
		return senderAddress{a, by, true}, true
	}
	var listens []netip.Addr
	for _, word := range postconf.Words(postconf.Effective(p, nil, "inet_interfaces")) {
		if a, err := netip.ParseAddr(strings.Trim(word, "[]")); err == nil && f.matches(a) {
			listens = append(listens, a)
		}
	}
	if len(listens) == 1 && !listens[0].IsLoopback() {
		return senderAddress{listens[0], fmt.Sprintf("%s: inet_interfaces", postconf.MainCF), true}, true
	}
	return senderAddress{}, false
}

// sourceAddresses returns the addresses that the kernel chooses or, if the routing
// table does not say, may choose.
func sourceAddresses(in step.Input, f family) []senderAddress {
	var all []senderAddress
	for _, a := range f.of(in.Facts.Sources) {
		all = append(all, senderAddress{addr: a, certain: true})
	}
	if len(in.Facts.Sources) > 0 {
		return all
	}
	for _, a := range f.of(in.Facts.Addresses) {
		if isReachable(a) {
			all = append(all, senderAddress{addr: a})
		}
	}
	return all
}

// notes returns notes about mail from an address that SPF would not permit.
func (e senderAddress) notes(in step.Input, f family) []state.Note {
	ours := f.of(in.Spec.Host.Addresses)
	onInterface := filterAddresses(ours, func(a netip.Addr) bool { return slices.Contains(in.Facts.Addresses, a) })
	switch {
	case slices.Contains(ours, e.addr):
		return nil
	case !isReachable(e.addr) && f.protocol == "ipv6": // leads nowhere
		return nil
	case !isReachable(e.addr) && len(ours) > 0 && len(onInterface) == 0: // leads through the router that is named
		return nil
	}
	name, do := e.suggestion(in.Spec.Host.Addresses)
	note := state.Note{Topic: "address", Action: do}
	advice := ""
	switch {
	case e.setting != "":
		advice = "Change that, or name " + name + " too, with a PTR for it"
	case len(ours) == 0:
		note.Topic, advice = f.protocol, "Name "+name+" too, with a PTR for it, or send by "+f.other+" only"
		note.Action += "; or postconf -e inet_protocols=" + f.alone + ", then restart Postfix"
	case len(onInterface) > 0:
		advice = "Send from the right one, or name " + name + " too, with a PTR for it"
		note.Action = fmt.Sprintf("postconf -e %s=%s && postfix reload; or %s", f.bind, onInterface[0], do)
	default:
		advice = "If that is the one others see, name it, with a PTR for it"
		note.Action = initCommand(append(filterAddresses(in.Spec.Host.Addresses, func(a netip.Addr) bool { return !f.matches(a) }), e.addr))
	}
	note.Text = e.describe(in.Spec.Host.Addresses, f, note.Topic == f.protocol) + ". " + advice
	return []state.Note{note}
}

// suggestion returns what to add to the named addresses, and the command for it.
func (e senderAddress) suggestion(all []netip.Addr) (name, do string) {
	if !isReachable(e.addr) {
		return "the router's", initCommand(all) + " --ip THE-ROUTER'S"
	}
	return "that one", initCommand(append(slices.Clone(all), e.addr))
}

// describe says where mail leaves from, and what that means. Also: by a family that
// the server has no address of.
func (e senderAddress) describe(all []netip.Addr, f family, also bool) string {
	text := "mail "
	switch {
	case also && e.certain:
		text += "also leaves by " + f.name + ", "
	case also:
		text += "may also leave by " + f.name + ", "
	case e.certain:
		text += "leaves "
	default:
		text += "may leave "
	}
	text += "from " + e.addr.String()
	if e.setting != "" {
		text += " (" + e.setting + ")"
	}
	if !isReachable(e.addr) {
		return text + ", through a router whose address may not be among those of this server (" + listAddresses(all) + "): SPF may fail for it"
	}
	return text + ", which is not among the addresses of this server (" + listAddresses(all) + "): SPF fails for it"
}
