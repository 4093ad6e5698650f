package dnsname

import "strings"

// IsSPF reports whether a TXT record is one for SPF: the version is followed by
// a space or the end (RFC 7208 section 4.5).
func IsSPF(text string) bool {
	version, _, _ := strings.Cut(text, " ")
	return strings.EqualFold(version, "v=spf1")
}

// Version returns what a TXT record is for: "spf", "dmarc", or its version tag in
// lower case without white space, as in v=dkim1; "" where it has none.
func Version(text string) string {
	if IsSPF(text) {
		return "spf"
	}
	tag, _, _ := strings.Cut(text, ";")
	name, value, found := strings.Cut(strings.ToLower(strings.Join(strings.Fields(tag), "")), "=")
	switch {
	case !found || name != "v":
		return ""
	case value == "dmarc1":
		return "dmarc"
	}
	return "v=" + value
}

// Conflict reports whether two different TXT records at one name exclude each
// other. A key's name holds one record (RFC 6376 section 3.6.2.2); elsewhere
// there is one of each version (RFC 7208 section 3.2, RFC 9989), and other texts
// stand beside it. Consents to reports are the exception: any of them will do
// (RFC 9990).
func Conflict(name, a, b string) bool {
	switch version := Version(a); {
	case a == b:
		return false
	case IsKey(name):
		return true
	case IsReportConsent(name):
		return false
	default:
		return version != "" && version == Version(b)
	}
}
