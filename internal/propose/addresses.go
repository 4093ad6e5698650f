package propose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/wizard"
	"mailsetup/steps/records"
)

// publicAddresses returns the addresses of the host name in DNS that can be reached
// from outside. If nobody can be asked, an interface's address is not guessed into DNS:
// behind NAT it is a private one.
func (b *Basis) publicAddresses(host string) []string {
	var addrs []string
	for _, a := range b.Facts.Live[host].Addresses {
		if isPublic(a) {
			addrs = append(addrs, a.String())
		}
	}
	return addrs
}

// sendingAddresses proposes, to a person who can correct it, the addresses that mail
// leaves from and those of this machine that DNS has for the host name. Of a family in
// which mail leaves through a router or a relay, those in DNS.
func (b *Basis) sendingAddresses(host string) wizard.Proposal {
	inDNS := slices.DeleteFunc(slices.Clone(b.Facts.Live[host].Addresses), func(a netip.Addr) bool { return !isPublic(a) })
	leaves := records.Senders(b.Facts)
	var list, others []string
	for _, is4 := range []bool{true, false} {
		other := func(a netip.Addr) bool { return a.Is4() != is4 }
		from := slices.DeleteFunc(slices.Clone(leaves), other)
		for _, a := range from {
			list = append(list, a.String())
		}
		for _, a := range slices.DeleteFunc(slices.Clone(inDNS), other) {
			switch {
			case slices.Contains(from, a):
			case len(from) == 0 || slices.Contains(b.Facts.Addresses, a):
				list = append(list, a.String())
			default:
				others = append(others, a.String())
			}
		}
	}
	why := "what DNS says of " + host
	if slices.ContainsFunc(leaves, func(a netip.Addr) bool { return !slices.Contains(inDNS, a) }) {
		why = "mail leaves from there"
		switch {
		case len(others) > 0:
			why += fmt.Sprintf("; DNS says that %s is %s", host, strings.Join(others, ", "))
		case len(inDNS) == 0 && b.Facts.Live[host].Asked:
			why += "; " + host + " has no address in DNS yet"
		}
	}
	return wizard.Proposal{Value: strings.Join(list, " "), Why: why}
}

func isPublic(a netip.Addr) bool {
	_, err := syntax.Address(a.String())
	return err == nil
}
