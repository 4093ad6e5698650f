package postfix

import (
	"net/netip"
	"slices"
	"strings"
)

// NetworkList is what mynetworks amounts to.
type NetworkList struct {
	// Trusted are the networks, IPv4 in IPv6 notation ([::ffff:127.0.0.0]/104,
	// postconf(5)) as IPv4, each once.
	Trusted []netip.Prefix
	// Excluded are parts of them that do not belong to them (!192.0.2.7): of all
	// entries with an address, the one with the longest prefix counts.
	Excluded []netip.Prefix
	// Other are the elements that are no plain network: tables, files, and what
	// Postfix itself would refuse.
	Other []string
}

// Networks reads the value of Postfix's mynetworks, evaluated (postconf -x). The
// first entry that matches an address decides there; where the longest prefix does,
// an entry means the same once those that an earlier one hides are left out.
func Networks(value string) NetworkList {
	var l NetworkList
	for _, word := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' }) {
		text, not := strings.CutPrefix(word, "!")
		p, ok := network(text)
		switch {
		case !ok:
			l.Other = append(l.Other, word)
		case hidden(p, l.Excluded) || not && hidden(p, l.Trusted):
		case not:
			l.Excluded = append(l.Excluded, p)
		case !slices.Contains(l.Trusted, p):
			l.Trusted = append(l.Trusted, p)
		}
	}
	return l
}

// hidden reports whether a network lies in one of earlier entries.
func hidden(p netip.Prefix, earlier []netip.Prefix) bool {
	return slices.ContainsFunc(earlier, func(e netip.Prefix) bool { return e.Bits() <= p.Bits() && e.Contains(p.Addr()) })
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
