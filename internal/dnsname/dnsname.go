// Package dnsname knows DNS names as mail uses them: below, parent, absolute,
// the names of DKIM, DMARC and report records, and which TXT records exclude
// each other.
package dnsname

import "strings"

// TrimDot returns a name without its final dot, as people write it.
func TrimDot(name string) string { return strings.TrimSuffix(name, ".") }

// Absolute returns a name with its final dot.
func Absolute(name string) string { return TrimDot(name) + "." }

// Same compares names in any case, with or without the final dot.
func Same(a, b string) bool { return strings.EqualFold(TrimDot(a), TrimDot(b)) }

// Within reports whether a name is the origin or below it. Both end in a dot, or
// none does.
func Within(name, origin string) bool {
	cut := len(name) - len(origin)
	switch {
	case origin == ".":
		return true
	case cut <= 0:
		return strings.EqualFold(name, origin)
	}
	return name[cut-1] == '.' && strings.EqualFold(name[cut:], origin)
}

// Parent returns an absolute name without its first label, in which a dot may
// stand behind a backslash (RFC 1035 section 5.1). The root is its own parent.
func Parent(name string) string {
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '\\':
			i++
		case '.':
			if i == len(name)-1 {
				return "."
			}
			return name[i+1:]
		}
	}
	return "."
}

const (
	// KeyLabel stands between selector and domain in the name of a key's record
	// (RFC 6376 section 3.6.2.1).
	KeyLabel = "._domainkey."

	policyLabel  = "_dmarc."
	consentLabel = "._report._dmarc."
)

// Key returns the name of a key's record, SELECTOR._domainkey.DOMAIN. It ends in
// a dot if the domain does.
func Key(selector, domain string) string { return selector + KeyLabel + domain }

// KeyZone returns the name above the keys of a domain, without final dot.
func KeyZone(domain string) string { return KeyLabel[1:] + domain }

// SplitKey returns what Key made a name of.
func SplitKey(name string) (selector, domain string, isKey bool) { return cut(name, KeyLabel) }

// IsKey reports whether a name is that of a key's record.
func IsKey(name string) bool {
	_, _, isKey := SplitKey(name)
	return isKey
}

// Policy returns the name of a domain's DMARC record (RFC 9989).
func Policy(domain string) string { return policyLabel + domain }

// SplitPolicy returns the domain that Policy made a name of.
func SplitPolicy(name string) (domain string, isPolicy bool) {
	if len(name) < len(policyLabel) || !strings.EqualFold(name[:len(policyLabel)], policyLabel) {
		return "", false
	}
	return name[len(policyLabel):], true
}

// IsPolicy reports whether a name is that of a DMARC record.
func IsPolicy(name string) bool {
	_, isPolicy := SplitPolicy(name)
	return isPolicy
}

// ReportConsent returns the name at which the domain of a receiver consents to
// reports about another domain (RFC 9990).
func ReportConsent(about, receiver string) string { return about + consentLabel + receiver }

// SplitReportConsent returns what ReportConsent made a name of.
func SplitReportConsent(name string) (about, receiver string, isConsent bool) {
	return cut(name, consentLabel)
}

// IsReportConsent reports whether a name is that of a consent to reports.
func IsReportConsent(name string) bool {
	_, _, isConsent := SplitReportConsent(name)
	return isConsent
}

// cut is strings.Cut for names in any case.
func cut(name, label string) (before, after string, found bool) {
	i := strings.Index(strings.ToLower(name), label)
	if i < 0 {
		return "", "", false
	}
	return name[:i], name[i+len(label):], true
}
