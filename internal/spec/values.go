package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// The bounds of a record's TTL that are accepted, in seconds. Less than a
// minute makes every receiver ask each time; more than a week (RFC 1912
// section 2.2) keeps a mistake alive too long.
const (
	MinTTL = 60
	MaxTTL = 604800
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

// KeyBits accepts the size of an RSA key.
func KeyBits(s string) (int, error) {
	text, err := choice("key-bits", s, "2048 suits nearly everyone", nil, "1024", "2048", "3072", "4096")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// TTL accepts the time to live of records, in seconds.
func TTL(s string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil || n < MinTTL || n > MaxTTL {
		return 0, &BadValue{
			Field: "ttl", Value: s,
			Why:  fmt.Sprintf("is not a number of seconds from %d to %d", MinTTL, MaxTTL),
			Hint: "3600 is an hour",
		}
	}
	return uint32(n), nil
}

// SPFAll accepts what SPF says of all other servers, as a word or as the
// mechanism itself (~all).
func SPFAll(s string) (string, error) {
	also := map[string]string{"~all": "softfail", "-all": "fail", "?all": "neutral", "~": "softfail", "-": "fail", "?": "neutral"}
	return choice("spf-all", s, "softfail unless every sender is listed", also, "softfail", "fail", "neutral")
}

// DMARCPolicy accepts p= or sp= of a DMARC record (RFC 9989).
func DMARCPolicy(s string) (string, error) {
	return choice("dmarc", s, "start with none and read the reports", nil, "none", "quarantine", "reject")
}

// Role accepts what a domain is for.
func Role(s string) (string, error) {
	return choice("role", s, "leave it out for a domain that sends, and receives as receive says", nil, SendOnly, ReceiveOnly, Parked)
}

// Alignment accepts adkim= or aspf= of a DMARC record, as a word or a letter.
func Alignment(s string) (string, error) {
	also := map[string]string{"r": "relaxed", "s": "strict"}
	return choice("alignment", s, "relaxed lets subdomains count", also, "relaxed", "strict")
}

// MilterAction accepts what Postfix does while our milter does not answer.
func MilterAction(s string) (string, error) {
	return choice("milter-default-action", s, "tempfail delays mail, accept lets it out unsigned", nil, "tempfail", "accept")
}

// DNS accepts the way records get published.
func DNS(s string) (DNSMode, error) {
	text, err := choice("dns", s, "manual prints the records for another DNS server", nil, string(DNSBind), string(DNSUpdate), string(DNSHook), string(DNSManual))
	return DNSMode(text), err
}

// YesNo accepts an answer to a yes-or-no question.
func YesNo(s string) (bool, error) {
	also := map[string]string{"y": "yes", "true": "yes", "on": "yes", "n": "no", "false": "no", "off": "no"}
	text, err := choice("answer", s, "", also, "yes", "no")
	return text == "yes", err
}

// choice accepts one of the words, or another way to write one.
func choice(field, given, hint string, also map[string]string, words ...string) (string, error) {
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
