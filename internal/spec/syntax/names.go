package syntax

import (
	"fmt"
	"net/netip"
	"strings"

	"mailsetup/internal/dnsname"

	"golang.org/x/net/idna"
)

// The limits of RFC 1035 section 2.3.4, in octets. 253 characters of text are
// the 255 octets of the wire form without its length octets.
const (
	maxLabel = 63
	maxName  = 253
)

// DomainName accepts a mail domain and returns it in A-labels, lower case, without
// the final dot. Upper case, surrounding white space, one final dot and
// international names (RFC 5891, mapped as UTS #46 says) are forgiven.
func DomainName(s string) (string, error) {
	return hostLike("domain", s, "example.org")
}

// Hostname accepts a fully qualified host name (RFC 1123 section 2.1) of two
// labels or more, normalised like DomainName.
func Hostname(s string) (string, error) {
	return hostLike("hostname", s, "mail.example.org")
}

// Selector accepts a selector (RFC 6376 section 3.1): labels of letters,
// digits and hyphens, separated by dots.
func Selector(s string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
	bad := &BadValue{Field: "selector", Value: s, Hint: "letters, digits and hyphens, as in 202611"}
	switch {
	case name == "":
		bad.Why = "is empty"
	case len(name) > maxName-len(dnsname.KeyLabel)-len("a.bc"):
		bad.Why = fmt.Sprintf("has %d octets, which leaves no room for a domain", len(name))
	case strings.Contains(name, "_domainkey"):
		bad.Why = "holds more than the selector"
		bad.Hint = "give the part before ._domainkey only"
	default:
		bad.Why = labelsFault(name)
	}
	if bad.Why != "" {
		return "", bad
	}
	return name, nil
}

// SPFInclude accepts a domain for an include: of SPF. Underscores are common
// there; macros (RFC 7208 section 7) are refused.
func SPFInclude(s string) (string, error) {
	const hint = "the sender's documentation names it, as in _spf.example.net"
	name := strings.ToLower(strings.TrimSpace(s))
	name = strings.TrimPrefix(name, "include:")
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	for i, label := range labels { // idna knows no underscore
		ascii, err := label, error(nil)
		if !strings.Contains(label, "_") {
			ascii, err = aLabels(label)
		}
		if err != nil || !isASCII(ascii) {
			return "", &BadValue{Field: "spf-include", Value: s, Why: "is no valid international name", Hint: hint}
		}
		labels[i] = ascii
	}
	name = strings.Join(labels, ".")
	if _, err := hostLike("spf-include", strings.ReplaceAll(name, "_", "x"), ""); err != nil {
		return "", &BadValue{Field: "spf-include", Value: s, Why: err.(*BadValue).Why, Hint: hint}
	}
	return name, nil
}

// hostLike normalises and judges a name of letters, digits and hyphens.
func hostLike(field, given, example string) (string, error) {
	refuse := func(why, hint string) (string, error) {
		if hint == "" {
			hint = "a name such as " + example
		}
		return "", &BadValue{Field: field, Value: given, Why: why, Hint: hint}
	}
	name := strings.ToLower(strings.TrimSpace(given))
	if name == "" {
		return refuse("is empty", "")
	}
	if why, hint := notAName(name); why != "" {
		return refuse(why, hint)
	}
	name, err := aLabels(strings.TrimSuffix(name, "."))
	if err != nil {
		return refuse("is no valid international name", "")
	}
	// Mapping may have turned wide digits into plain ones.
	if why, hint := notAName(name); why != "" {
		return refuse(why, hint)
	}
	if why := nameFault(name); why != "" {
		return refuse(why, "")
	}
	return name, nil
}

// notAName recognises the other things people paste.
func notAName(s string) (why, hint string) {
	if isAddress(strings.Trim(s, "[]")) {
		return "is an address, not a name", ""
	}
	switch {
	case strings.Contains(s, "://"):
		return "is a URL, not a name", "give the host part alone"
	case strings.Contains(s, "@"):
		return "is a mail address, not a name", "give the part after the @"
	case strings.HasPrefix(s, "*."):
		return "is a wildcard", "name the domain itself"
	case strings.Contains(s, "_"):
		return "has an underscore, which host names and mail domains cannot have (RFC 1123 section 2.1)", ""
	}
	return "", ""
}

// isAddress spares ordinary names the error that the parser would make of them.
func isAddress(s string) bool {
	if s == "" || !strings.Contains(s, ":") && (s[len(s)-1] < '0' || s[len(s)-1] > '9') {
		return false
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// aLabels turns an international name into its ASCII form. Names that are
// ASCII already are left alone unless they claim to be A-labels: UTS #46
// refuses hyphens in the third and fourth place, DNS does not.
func aLabels(name string) (string, error) {
	if isASCII(name) && !strings.HasPrefix(name, "xn--") && !strings.Contains(name, ".xn--") {
		return name, nil
	}
	if len(name) > 4*maxName {
		return "", fmt.Errorf("name of %d octets", len(name))
	}
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.Transitional(false))
	ascii, err := profile.ToASCII(name)
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(strings.ToLower(ascii), "."), nil
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// nameFault judges an ASCII name, "" for none.
func nameFault(name string) string {
	if len(name) > maxName {
		return fmt.Sprintf("has %d octets, DNS allows %d", len(name), maxName)
	}
	if why := labelsFault(name); why != "" {
		return why
	}
	first, last := strings.Index(name, "."), strings.LastIndex(name, ".")
	if first < 0 {
		return "is a single label, not a full name"
	}
	switch top := name[last+1:]; {
	case strings.Trim(top, "0123456789") == "":
		return "ends in a label of digits only"
	case top == "localhost", top == "localdomain", top == "local", top == "invalid", top == "onion":
		return fmt.Sprintf("is below .%s, which public DNS does not have", top)
	}
	return ""
}

// labelsFault judges the labels of a dotted name, "" for none.
func labelsFault(name string) string {
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "has an empty label (two dots, or one at an end)"
		case len(label) > maxLabel:
			return fmt.Sprintf("has a label of %d octets, DNS allows %d", len(label), maxLabel)
		case label[0] == '-' || label[len(label)-1] == '-':
			return "has a label that begins or ends with a hyphen"
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
				return fmt.Sprintf("has %q, only letters, digits, hyphens and dots are allowed", r)
			}
		}
	}
	return ""
}

// KeyNameFault judges the owner name of a key record, "" for none. A name that
// fits DNS also keeps the KeyTable's line, which repeats selector and domain
// three times each, below the 1,023 octets that OpenDKIM reads.
func KeyNameFault(selector, domain string) string {
	if n := len(selector) + len(dnsname.KeyLabel) + len(domain); n > maxName {
		return fmt.Sprintf("makes a key record's name of %d octets, DNS allows %d", n, maxName)
	}
	return ""
}
