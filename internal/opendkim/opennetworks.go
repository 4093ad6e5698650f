package opendkim

import (
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// privateNetworks are networks that nobody reaches from the Internet (RFC 6890).
var privateNetworks = prefixes("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7", "fe80::/10")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// An administrator's own networks are smaller than these parts of the public
// Internet, all of them together: 2^24 addresses of IPv4, and of IPv6 what 6to4
// has for all of IPv4.
const (
	most4 = 8  // bits of the prefix
	most6 = 16 // bits of the prefix
)

// OpenNetworks returns the entries of InternalHosts (opendkim.conf(5)) by which
// anybody's mail would be signed, nil for none: networks that together are a large part
// of the Internet, and names below a top-level domain. What an entry with ! excludes
// again does not count.
func OpenNetworks(entries []string) []string {
	var bad []string
	nets := map[netip.Prefix]string{} // the entry
	for _, e := range entries {
		if p, ok := network(e); ok {
			nets[p] = e
		} else if body := strings.Trim(e, "."); e == "*" || e == "." || strings.HasPrefix(e, ".") && !strings.Contains(body, ".") {
			bad = append(bad, e)
		}
	}
	for _, v6 := range []bool{false, true} {
		var public []netip.Prefix
		share := 0.0
		for p := range nets {
			if p.Addr().Is6() != v6 || within(p, privateNetworks) {
				continue
			}
			public = append(public, p)
			others := slices.DeleteFunc(slices.Collect(maps.Keys(nets)), func(o netip.Prefix) bool { return o == p })
			if !within(p, others) {
				share += math.Exp2(float64(map[bool]int{false: most4, true: most6}[v6] - p.Bits()))
			}
		}
		if share < 1 {
			continue
		}
		slices.SortFunc(public, func(a, b netip.Prefix) int { return a.Bits() - b.Bits() })
		for _, p := range public {
			bad = append(bad, nets[p])
		}
	}
	slices.Sort(bad)
	return bad
}

// within reports whether a network is within one of others.
func within(p netip.Prefix, others []netip.Prefix) bool {
	return slices.ContainsFunc(others, func(o netip.Prefix) bool { return o.Bits() <= p.Bits() && o.Contains(p.Addr()) })
}

// network parses an address or a network: IPv4 in IPv6 as IPv4, a mask of four octets
// as its length.
func network(s string) (netip.Prefix, bool) {
	addr, mask, found := strings.Cut(s, "/")
	if m, err := netip.ParseAddr(mask); found && err == nil && m.Is4() {
		ones := 0
		for _, octet := range m.AsSlice() {
			for ; octet&0x80 != 0; octet <<= 1 {
				ones++
			}
		}
		s = addr + "/" + strconv.Itoa(ones)
	}
	p, err := netip.ParsePrefix(s)
	if a, single := netip.ParseAddr(s); single == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}
