package spfcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsname"
)

// macro is an expansion of RFC 7208 section 7.1: letter, digits, r, delimiters.
var macro = regexp.MustCompile(`%(?:([%_-])|\{([a-zA-Z])([0-9]*)([rR]?)([-.+,/_=]*)\})`)

// maxName is the length of a name, RFC 1035 section 3.1, without its final dot.
const maxName = 253

// expand expands the macros of a domain-spec. Labels in front of a name that is too long
// are left out (section 7.3).
func (e *evaluation) expand(spec, domain string) string {
	name := spec
	if strings.Contains(spec, "%") {
		name = macro.ReplaceAllStringFunc(spec, func(m string) string { return e.expandOne(macro.FindStringSubmatch(m), domain) })
	}
	name = dnsname.TrimDot(name)
	for len(name) > maxName && strings.Contains(name, ".") {
		_, name, _ = strings.Cut(name, ".")
	}
	return name
}

func (e *evaluation) expandOne(m []string, domain string) string {
	if m[1] != "" {
		return map[string]string{"%": "%", "_": " ", "-": "%20"}[m[1]]
	}
	text := e.value(strings.ToLower(m[2]), domain)
	split := "."
	if m[5] != "" {
		split = m[5]
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(split, r) })
	if m[4] != "" {
		slices.Reverse(parts)
	}
	if n, err := strconv.Atoi(m[3]); err == nil && n < len(parts) {
		parts = parts[len(parts)-n:]
	}
	text = strings.Join(parts, ".")
	if m[2] == strings.ToUpper(m[2]) {
		text = escapeURL(text)
	}
	return text
}

// escapeURL escapes all but the unreserved characters of RFC 3986 section 2.3.
func escapeURL(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// localPart is that of the sender where only the domain matters, RFC 7208 section 4.3.
const localPart = "postmaster"

// value returns what a macro letter stands for, RFC 7208 section 7.2.
func (e *evaluation) value(letter, domain string) string {
	switch letter {
	case "s":
		return localPart + "@" + e.client.Sender
	case "l":
		return localPart
	case "o":
		return e.client.Sender
	case "d":
		return dnsname.TrimDot(domain)
	case "h":
		return e.client.HELO
	case "v":
		if e.client.Address.Is4() {
			return "in-addr"
		}
		return "ip6"
	case "p":
		return e.pointerName(domain)
	default:
		return dotted(e)
	}
}

// dotted returns the client's address, one of IPv6 in nibbles.
func dotted(e *evaluation) string {
	a := e.client.Address
	if a.Is4() {
		return a.String()
	}
	nibbles := make([]string, 0, 32)
	for _, b := range a.As16() {
		nibbles = append(nibbles, strconv.FormatUint(uint64(b>>4), 16), strconv.FormatUint(uint64(b&15), 16))
	}
	return strings.Join(nibbles, ".")
}

// pointerName returns the best of the client's names: the domain, one below it, any.
func (e *evaluation) pointerName(domain string) string {
	list := e.validated()
	for _, fits := range []func(string) bool{
		func(n string) bool { return dnsname.Same(n, domain) },
		func(n string) bool { return dns.IsSubDomain(dns.CanonicalName(domain), dns.CanonicalName(n)) },
		func(string) bool { return true },
	} {
		if i := slices.IndexFunc(list, fits); i >= 0 {
			return list[i]
		}
	}
	return "unknown"
}
