package spec

import (
	"fmt"
	"strconv"
	"strings"

	"mailsetup/internal/spec/syntax"
)

// The bounds of a record's TTL that are accepted, in seconds. Less than a
// minute makes every receiver ask each time; more than a week (RFC 1912
// section 2.2) keeps a mistake alive too long.
const (
	MinTTL = 60
	MaxTTL = 604800
)

// KeyBits accepts the size of an RSA key.
func KeyBits(s string) (int, error) {
	text, err := syntax.OneOf("key-bits", s, "2048 suits nearly everyone", nil, "1024", "2048", "3072", "4096")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// TTL accepts the time to live of records, in seconds.
func TTL(s string) (uint32, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil || n < MinTTL || n > MaxTTL {
		return 0, &syntax.BadValue{
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
	return syntax.OneOf("spf-all", s, "softfail unless every sender is listed", also, "softfail", "fail", "neutral")
}

// DMARCPolicy accepts p= or sp= of a DMARC record (RFC 9989).
func DMARCPolicy(s string) (string, error) {
	return syntax.OneOf("dmarc", s, "start with none and read the reports", nil, "none", "quarantine", "reject")
}

// Role accepts what a domain is for.
func Role(s string) (string, error) {
	return syntax.OneOf("role", s, "leave it out for a domain that sends, and receives as receive says", nil, SendOnly, ReceiveOnly, Parked)
}

// Alignment accepts adkim= or aspf= of a DMARC record, as a word or a letter.
func Alignment(s string) (string, error) {
	also := map[string]string{"r": "relaxed", "s": "strict"}
	return syntax.OneOf("alignment", s, "relaxed lets subdomains count", also, "relaxed", "strict")
}

// MilterAction accepts what Postfix does while our milter does not answer.
func MilterAction(s string) (string, error) {
	return syntax.OneOf("milter-default-action", s, "tempfail delays mail, accept lets it out unsigned", nil, "tempfail", "accept")
}

// DNS accepts the way records get published.
func DNS(s string) (DNSMode, error) {
	text, err := syntax.OneOf("dns", s, "manual prints the records for another DNS server", nil, string(DNSBind), string(DNSUpdate), string(DNSHook), string(DNSSlots), string(DNSDelegate), string(DNSManual))
	return DNSMode(text), err
}

// YesNo accepts an answer to a yes-or-no question.
func YesNo(s string) (bool, error) {
	also := map[string]string{"y": "yes", "true": "yes", "on": "yes", "n": "no", "false": "no", "off": "no"}
	text, err := syntax.OneOf("answer", s, "", also, "yes", "no")
	return text == "yes", err
}
