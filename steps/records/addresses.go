package records

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// family is an address family.
type family struct {
	name, other     string
	protocol, alone string // in inet_protocols: of this family, of the other one
	bind            string
	matches         func(netip.Addr) bool
}

func families() []family {
	return []family{
		{"IPv4", "IPv6", "ipv4", "ipv6", "smtp_bind_address", netip.Addr.Is4},
		{"IPv6", "IPv4", "ipv6", "ipv4", "smtp_bind_address6", netip.Addr.Is6},
	}
}

func (f family) of(list []netip.Addr) []netip.Addr { return filterAddresses(list, f.matches) }

// filterAddresses returns the addresses for which is returns true.
func filterAddresses(list []netip.Addr, is func(netip.Addr) bool) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(list), func(a netip.Addr) bool { return !is(a) })
}

// isReachable reports whether others could reach an address.
func isReachable(a netip.Addr) bool {
	_, err := syntax.Address(a.String())
	return err == nil
}

// AddressNotes returns notes on named addresses that are not those of the machine, of
// its outgoing mail, or of its name in DNS. A plain server has none.
func AddressNotes(in step.Input) []state.Note {
	notes := wrongInDNS(in)
	if len(in.Facts.Addresses) == 0 { // nobody could look
		return notes
	}
	for _, f := range families() {
		notes = append(notes, notHere(in, f)...)
		for _, e := range senderAddresses(in, f) {
			notes = append(notes, e.notes(in, f)...)
		}
	}
	return append(notes, withoutIPv4(in)...)
}

// notHere returns notes about addresses that no interface has: of a router in front of
// the machine, or wrong ones.
func notHere(in step.Input, f family) []state.Note {
	ours, here := f.of(in.Spec.Host.Addresses), f.of(in.Facts.Addresses)
	isHere := func(a netip.Addr) bool { return slices.Contains(here, a) }
	away := filterAddresses(ours, func(a netip.Addr) bool { return !isHere(a) })
	switch none := len(away) == len(ours); {
	case len(away) == 0:
		return nil
	case none && slices.ContainsFunc(here, isReachable) && !byRelay(in.Facts.Postfix):
		return nil // mail leaves from that one, of which senderAddresses knows
	case none && len(here) > 0 && !slices.ContainsFunc(here, isReachable):
		return behindNAT(in, ours, here)
	}
	note := state.Note{
		Topic: "address",
		Text: fmt.Sprintf("%s not on this machine, which has %s: who looks up %s cannot connect to it",
			isOrAre(away), listAddresses(in.Facts.Addresses), in.Spec.Host.Hostname),
	}
	if rest := filterAddresses(in.Spec.Host.Addresses, func(a netip.Addr) bool { return !slices.Contains(away, a) }); len(rest) > 0 {
		note.Action = initCommand(rest)
	}
	return []state.Note{note}
}

func behindNAT(in step.Input, ours, here []netip.Addr) []state.Note {
	var how []string
	if !byRelay(in.Facts.Postfix) {
		how = append(how, "mail leaves through a router that puts its own address there")
	}
	if slices.ContainsFunc(in.Spec.Domains, func(d spec.Domain) bool { return d.Receive }) {
		how = append(how, "comes in only if that router forwards port 25 to "+here[0].String())
	}
	if len(how) == 0 {
		return nil
	}
	text := strings.Join(how, ", and ")
	if !strings.HasPrefix(text, "mail ") {
		text = "mail " + strings.Replace(text, "that router", "the router in front", 1)
	}
	return []state.Note{{
		Topic: "nat", Informational: true,
		Text: fmt.Sprintf("%s not on this machine, which has %s: %s", isOrAre(ours), listAddresses(here), text),
	}}
}

// withoutIPv4 returns a note about a server without IPv4, which some mail servers
// cannot reach.
func withoutIPv4(in step.Input) []state.Note {
	four := families()[0]
	if len(four.of(in.Spec.Host.Addresses)) > 0 || len(four.of(in.Facts.Addresses)) > 0 || byRelay(in.Facts.Postfix) {
		return nil
	}
	return []state.Note{{
		Topic: "ipv4", Informational: true,
		Text: "this server has no IPv4: it cannot exchange mail with the many that have no IPv6, unless a relayhost with both does it",
	}}
}

// wrongInDNS returns notes about addresses of the host name in DNS that are not this
// server's. A zone on this machine is compared record by record.
func wrongInDNS(in step.Input) []state.Note {
	host, ours := in.Spec.Host.Hostname, in.Spec.Host.Addresses
	if _, here := in.Facts.Zones.Closest(host + "."); here && in.Spec.Host.DNS == spec.DNSBind {
		return nil
	}
	wrong := filterAddresses(in.Facts.Live[host].Addresses, func(a netip.Addr) bool { return !slices.Contains(ours, a) })
	if len(wrong) == 0 {
		return nil
	}
	why := "not among the addresses of this server (" + listAddresses(ours) + ")"
	switch unreachable := filterAddresses(wrong, func(a netip.Addr) bool { return !isReachable(a) }); {
	case len(unreachable) == 0:
	case unreachable[0].IsLoopback():
		wrong, why = unreachable, "for this machine itself: such a line belongs into /etc/hosts, others cannot connect to it"
	default:
		wrong, why = unreachable, "private: others cannot connect to it"
	}
	var want []string
	for _, a := range ours {
		want = append(want, fmt.Sprintf("%s. %s %s", host, addressType(a), a))
	}
	return []state.Note{{
		Topic: "dns", Text: fmt.Sprintf("DNS says that %s is %s, which is %s", host, listAddresses(wrong), why),
		Action: strings.Join(want, ", "),
	}}
}

// listAddresses writes addresses out.
func listAddresses(all []netip.Addr) string {
	var texts []string
	for _, a := range all {
		texts = append(texts, a.String())
	}
	return step.EnumerateUpTo(texts, 4)
}

func isOrAre(all []netip.Addr) string {
	if len(all) == 1 {
		return all[0].String() + " is"
	}
	return listAddresses(all) + " are"
}

// initCommand returns the command that names these addresses.
func initCommand(all []netip.Addr) string {
	var b strings.Builder
	b.WriteString("mailsetup init")
	for _, a := range all {
		b.WriteString(" --ip " + a.String())
	}
	return b.String()
}

// ExplainMissing returns what the machine and DNS say for a required flag that nobody
// gave, and why that is not enough: nothing is guessed into DNS. "" if there is nothing
// to say.
func ExplainMissing(flag, host string, f state.Facts) string {
	switch {
	case flag == "--hostname" && f.Hostname == "":
		return "this machine has no name: --hostname mail.example.org"
	case flag == "--hostname":
		return fmt.Sprintf("this machine calls itself %q, which is no full name that others can look up: --hostname mail.example.org", f.Hostname)
	case flag != "--ip":
		return ""
	}
	known := ""
	if in := f.Live[host].Addresses; len(in) > 0 {
		known = fmt.Sprintf("DNS has only %s for %s, which nobody outside can reach", listAddresses(in), host)
	} else if host != "" {
		known = "DNS has no address for " + host
	}
	switch candidates := filterAddresses(f.Addresses, isReachable); {
	case len(candidates) > 0:
		flags := strings.TrimPrefix(initCommand(candidates), "mailsetup init ")
		return joinSentence(known, "; ", fmt.Sprintf("if others see this machine as %s: %s", listAddresses(candidates), flags))
	case len(f.Addresses) > 0:
		return joinSentence(known, ", and ", fmt.Sprintf("this machine has only %s, which is private: --ip takes the address of the router in front of it",
			listAddresses(f.Addresses)))
	}
	return joinSentence(known, ": ", "--ip takes the one that others see")
}

// joinSentence joins two parts of a sentence; the first may be "".
func joinSentence(first, between, second string) string {
	if first == "" {
		return second
	}
	return first + between + second
}
