package dnsbl

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// refusals are what Spamhaus, and lists that follow it, answer instead of a listing.
var refusals = map[int]string{
	252: "the name of the list is mistyped",
	254: "it does not answer this resolver: it is a public one, or has no name of its own",
	255: "it was asked too often",
}

// Verdict is what the answers of a list say.
type Verdict struct {
	Codes   []Code
	Refused string       // why it does not say
	Odd     []netip.Addr // what means nothing that is known
}

// Read reads all answers of a list: there may be one for each reason.
func (l List) Read(answers []netip.Addr) Verdict {
	var v Verdict
	for _, a := range answers {
		o := a.As4()
		n := octets(int(o[2]), int(o[3]))
		switch {
		case o[0] != 127:
			v.Odd = append(v.Odd, a)
		case o[1] == 255 && o[2] == 255:
			v.Refused = "it refuses"
			if why := refusals[int(o[3])]; why != "" {
				v.Refused = why
			}
		case l.Bits && n&1 != 0 || l.Domains && n == octets(1, 255):
			v.Refused = "it does not answer this resolver"
		case len(l.Codes) == 0 && n > 1:
			v.Codes = append(v.Codes, Code{n, n, "listed", Heavy})
		default:
			found := l.meanings(n)
			if len(found) == 0 {
				v.Odd = append(v.Odd, a)
			}
			v.Codes = append(v.Codes, slices.DeleteFunc(found, func(c Code) bool { return c.Weight == None })...)
		}
	}
	return v
}

// meanings are the codes of an answer.
func (l List) meanings(n int) []Code {
	return slices.DeleteFunc(slices.Clone(l.Codes), func(c Code) bool {
		if l.Bits {
			return n&c.First == 0
		}
		return n < c.First || n > c.Last
	})
}

// Reversed is the name of an address in a list: octets, or nibbles, from the end
// (RFC 5782 sections 2.1 and 2.4).
func Reversed(a netip.Addr) string {
	var parts []string
	if a.Is4() {
		for _, o := range a.As4() {
			parts = append(parts, fmt.Sprint(o))
		}
	} else {
		for _, o := range a.As16() {
			parts = append(parts, fmt.Sprintf("%x", o>>4), fmt.Sprintf("%x", o&15))
		}
	}
	slices.Reverse(parts)
	return strings.Join(parts, ".")
}
