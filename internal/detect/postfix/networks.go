package postfix

import (
	"net/netip"
	"slices"
	"strings"
)

// Networks parses mynetworks as postconf -x prints it. Odd are the elements that are
// not plain networks: tables, files, exclusions, and what Postfix itself refuses. IPv4
// networks written as mapped IPv6 ([::ffff:127.0.0.0]/104, postconf(5)) become IPv4,
// each network once.
func Networks(value string) (prefixes []netip.Prefix, odd []string) {
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		p, ok := network(word)
		switch {
		case !ok:
			odd = append(odd, word)
		case !slices.Contains(prefixes, p):
			prefixes = append(prefixes, p)
		}
	}
	return prefixes, odd
}

// network reads one address or network in Postfix's notation.
func network(word string) (netip.Prefix, bool) {
	if inner, rest, ok := strings.Cut(strings.TrimPrefix(word, "["), "]"); ok && strings.HasPrefix(word, "[") {
		word = inner + rest
	}
	if a, err := netip.ParseAddr(word); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(word)
	if err != nil || p != p.Masked() {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, true
}
