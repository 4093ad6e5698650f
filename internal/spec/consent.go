package spec

import (
	"slices"
	"strings"

	"mailsetup/internal/spec/syntax"
)

// ExistingRecords parses whether records of the administrator's may be changed.
func ExistingRecords(s string) (bool, error) {
	word, err := syntax.OneOf("existing-records", s, "change edits the line in your zone file, keep leaves it alone", nil, "change", "keep")
	return word == "change", err
}

// ServiceMilters accepts whether the signer may be added to the milters of a
// service that has its own.
func ServiceMilters(s string) (bool, error) {
	word, err := syntax.OneOf("service-milters", s, "merge adds the signer to the service's own milters, keep leaves them alone", nil, "merge", "keep")
	return word == "merge", err
}

// WildcardRecords parses what happens to wildcard records at names that exist from now
// on: Copy or Drop.
func WildcardRecords(s string) (string, error) {
	return syntax.OneOf("wildcard-records", s, "copy publishes them at the new names, too, drop goes on without them", nil, Copy, Drop)
}

// What becomes of records that a wildcard of the zone answered for names which
// exist because of ours.
const (
	Copy = "copy" // they are published at these names, too
	Drop = "drop"
)

// SignBounces accepts whether bounces go through all milters to get signed.
func SignBounces(s string) (string, error) {
	return syntax.OneOf("sign-bounces", s, "yes shows bounces to your other milters, too", nil, "yes", "no")
}

// Exim is the mail server exim4.
const Exim = "exim4"

// MTA accepts a mail server; Postfix is "".
func MTA(s string) (string, error) {
	name, err := syntax.OneOf("mta", s, "the mail server that signs: exim4 does it itself, Postfix asks OpenDKIM", nil, "postfix", Exim)
	return strings.TrimPrefix(name, "postfix"), err
}

// Repair accepts whether records that are gone are put back.
func Repair(s string) (string, error) {
	return syntax.OneOf("repair", s, "no only tells of records that are gone, yes puts them back into a zone of this machine, once a week at most", nil, "yes", "no")
}

// OtherSigner parses whether ours replaces another milter that signs a domain's mail
// already.
func OtherSigner(s string) (bool, error) {
	word, err := syntax.OneOf("other-signer", s, "replace switches its signing off and signs here, keep leaves signing to it", nil, "replace", "keep")
	return word == "replace", err
}

// SignedBy accepts who signs a domain's mail.
func SignedBy(s string) (string, error) {
	if strings.TrimSpace(s) != ByOther {
		return "", &syntax.BadValue{Field: "signed_by", Value: s, Why: "is not \"other\"", Hint: `"other" leaves signing to a milter that was here before, "" is mailsetup's OpenDKIM`}
	}
	return ByOther, nil
}

// NonsigningMilter accepts a milter as Postfix's lists have it (postconf(5)).
func NonsigningMilter(s string) (string, error) {
	text := strings.TrimSpace(s)
	transport, address, _ := strings.Cut(text, ":")
	if !slices.Contains([]string{"inet", "unix", "local"}, transport) || address == "" || syntax.PlainFault(text) != "" || strings.ContainsAny(text, ",{}") {
		return "", &syntax.BadValue{Field: "nonsigning_milters", Value: s, Why: "is no milter", Hint: "as in inet:192.0.2.7:8891; postconf smtpd_milters shows them"}
	}
	return text, nil
}

// BlockList accepts the zone of a block list.
func BlockList(s string) (string, error) {
	zone, err := syntax.DomainName(s)
	if err != nil {
		return "", &syntax.BadValue{Field: "block_lists", Value: s, Why: "is no zone", Hint: "as in bl.spamcop.net, or with a key KEY.zen.dq.spamhaus.net"}
	}
	return zone, nil
}

// Service accepts the name that postconf(1) gives a service of master.cf.
func Service(s string) (string, error) {
	text := strings.TrimSpace(s)
	bad := &syntax.BadValue{Field: "service", Value: s, Hint: "name and type, as in submission/inet; postconf -M lists them"}
	at := strings.LastIndexByte(text, '/')
	switch {
	case at < 1:
		bad.Why = "is not the name of a service and its type"
	case !slices.Contains([]string{"inet", "unix", "fifo", "pass", "unix-dgram"}, text[at+1:]): // master(5)
		bad.Why = "has a type that master.cf does not know"
	case strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '#' }):
		bad.Why = "has a character that no service has"
	default:
		return text, nil
	}
	return "", bad
}

// Kept parses a kind of record that stays as it is in the zone.
func Kept(s string) (string, error) {
	return syntax.OneOf("keep", s, "the SPF record of the domain, that of the host name, or the DMARC record", nil, "spf", "helo", "dmarc")
}
