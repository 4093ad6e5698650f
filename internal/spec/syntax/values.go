package syntax

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Address accepts a public IPv4 or IPv6 address. Documentation ranges pass:
// books and tests use them.
func Address(s string) (netip.Addr, error) {
	text := strings.TrimSpace(s)
	bad := &BadValue{Field: "address", Value: s, Hint: "the public address that other servers see, as in 192.0.2.25 or 2001:db8::25"}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		bad.Why = "is no IP address"
		if _, err := netip.ParsePrefix(text); err == nil {
			bad.Why = "is a network, not an address"
		}
		return netip.Addr{}, bad
	}
	addr = addr.Unmap()
	if bad.Why = notPublic(addr); bad.Why != "" {
		return netip.Addr{}, bad
	}
	return addr, nil
}

// notPublic says why the world cannot reach an address, "" if it can
// (RFC 6890 and its successors).
func notPublic(a netip.Addr) string {
	within := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(a) }
	switch {
	case a.Zone() != "":
		return "has a zone, so it is valid on one link only"
	case a.IsUnspecified():
		return "is the unspecified address"
	case a.IsLoopback():
		return "is a loopback address"
	case a.IsPrivate():
		return "is a private address"
	case a.IsLinkLocalUnicast():
		return "is a link-local address"
	case a.IsMulticast():
		return "is a multicast address"
	case within("100.64.0.0/10"):
		return "is shared by a provider's customers (RFC 6598)"
	case within("127.0.0.0/8"), within("0.0.0.0/8"), within("240.0.0.0/4"), within("192.0.0.0/24"), within("198.18.0.0/15"):
		return "is in a reserved range (RFC 6890)"
	case a.Is6() && !within("2000::/3"):
		return "is not a global unicast address (RFC 4291 section 2.4)"
	}
	return ""
}

// OneOf accepts one of the words, or another way to write one.
func OneOf(field, given, hint string, also map[string]string, words ...string) (string, error) {
	word := strings.ToLower(strings.TrimSpace(given))
	if w, ok := also[word]; ok {
		return w, nil
	}
	if slices.Contains(words, word) {
		return word, nil
	}
	last := len(words) - 1
	why := "is not " + strings.Join(words[:last], ", ") + " or " + words[last]
	return "", &BadValue{Field: field, Value: given, Why: why, Hint: hint}
}

// MailAddress accepts user@domain (addr-spec, RFC 5322 section 3.4.1). The
// local part keeps its case. Characters that mean something to aliases(5) or
// to a mailto: URI are refused.
func MailAddress(s string) (string, error) {
	return mailAddress("mail address", s, strings.TrimSpace(s))
}

func mailAddress(field, given, text string) (string, error) {
	bad := &BadValue{Field: field, Value: given, Hint: "an address such as alice@example.org"}
	local, host, found := strings.Cut(text, "@")
	if !found {
		bad.Why = "has no @"
		return "", bad
	}
	if bad.Why = localFault(local); bad.Why != "" {
		return "", bad
	}
	host, err := DomainName(host)
	if err != nil {
		bad.Why = "has a domain that " + err.(*BadValue).Why
		return "", bad
	}
	// RFC 5321 section 4.5.3.1.3, less the angle brackets.
	if n := len(local) + 1 + len(host); n > 254 {
		bad.Why = fmt.Sprintf("has %d octets, SMTP allows 254", n)
		return "", bad
	}
	return local + "@" + host, nil
}

func localFault(local string) string {
	switch {
	case local == "":
		return "has nothing before the @"
	case len(local) > 64: // RFC 5321 section 4.5.3.1.1
		return fmt.Sprintf("has %d octets before the @, SMTP allows 64", len(local))
	case local[0] == '.' || local[len(local)-1] == '.' || strings.Contains(local, ".."):
		return "has a dot out of place"
	case local[0] == '-':
		return "begins with a hyphen, which programs take for an option"
	}
	for _, r := range local {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune(".+-_'~", r) {
			return fmt.Sprintf("has %q before the @", r)
		}
	}
	return ""
}

// Report accepts where DMARC reports go, an address or a mailto: URI
// (RFC 6068), and returns the URI. The size limit of RFC 7489 (!10m) is
// refused: RFC 9989 dropped it.
func Report(s string) (string, error) {
	text := strings.TrimSpace(s)
	bad := &BadValue{Field: "report address", Value: s, Hint: "an address such as dmarc@example.org"}
	if scheme, rest, found := strings.Cut(text, ":"); found {
		if !strings.EqualFold(scheme, "mailto") {
			bad.Why = "is no mailto: URI, and reports go by mail only"
			return "", bad
		}
		text = rest
	}
	switch {
	case strings.Contains(text, "!"):
		bad.Why = "has a size limit, which RFC 9989 dropped"
	case strings.ContainsAny(text, ","):
		bad.Why = "holds more than one address"
		bad.Hint = "give the flag once for each address"
	case strings.Contains(text, "?"):
		bad.Why = "has header fields"
	}
	if bad.Why != "" {
		return "", bad
	}
	address, err := mailAddress("report address", s, text)
	if err != nil {
		return "", err
	}
	return "mailto:" + address, nil
}
