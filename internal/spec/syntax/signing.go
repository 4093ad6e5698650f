package syntax

import (
	"slices"
	"strings"
)

// Sender accepts a row of a SigningTable of type file: a domain, .example.org
// for what is below, one address, user@.example.org, and * for any domain.
func Sender(s string) (string, error) {
	text := strings.TrimSpace(s)
	local, host, address := strings.Cut(text, "@")
	if !address {
		return senderDomain(s, text)
	}
	if local == "" || host == "" || host != "*" && host[0] != '.' {
		return mailAddress("also", s, strings.ToLower(text))
	}
	if _, err := mailAddress("also", s, local+"@example.org"); err != nil {
		return "", err
	}
	host, err := senderDomain(s, host)
	return strings.ToLower(local) + "@" + host, err
}

func senderDomain(given, text string) (string, error) {
	if text == "*" {
		return text, nil
	}
	below, under := strings.CutPrefix(text, ".")
	name, err := hostLike("also", below, "example.org, .example.org or user@example.org")
	if bad, ok := err.(*BadValue); ok {
		bad.Value = given
		return "", bad
	}
	if under {
		return "." + name, nil
	}
	return name, nil
}

// Identity accepts a sender and what i= says about it, in which % stands for
// the domain of the address.
func Identity(s string) (string, error) {
	bad := &BadValue{Field: "identities", Value: s, Hint: "a sender and what i= says, as in \"example.org @example.org\""}
	words := strings.Fields(s)
	if len(words) != 2 {
		bad.Why = "is not two words"
		return "", bad
	}
	sender, err := Sender(words[0])
	if err != nil {
		bad.Why = "begins with no sender"
		return "", bad
	}
	if bad.Why = PlainFault(words[1]); bad.Why != "" {
		return "", bad
	}
	return sender + " " + words[1], nil
}

// Trusted accepts an entry of InternalHosts, opendkim.conf(5), in a form that
// stays a word of its own in the file.
func Trusted(s string) (string, error) {
	text := strings.TrimSpace(s)
	bad := &BadValue{Field: "trusted", Value: s, Hint: "as in 192.0.2.0/24, 2001:db8::1, relay.example.org or .example.org"}
	if bad.Why = PlainFault(text); bad.Why != "" {
		return "", bad
	}
	return text, nil
}

// PlainFault returns what is wrong with a word of a table of OpenDKIM, "" for nothing.
func PlainFault(word string) string {
	switch {
	case word == "":
		return "is empty"
	case strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' || r == '#' }):
		return "has white space, a # or something beyond ASCII"
	}
	return ""
}

// reservedParameters are parameters of opendkim.conf(5) that cannot be set by hand:
// they decide where the daemon listens and for whom it signs, or do not work well with
// it.
var reservedParameters = []string{
	"socket", "umask", "userid", "pidfile", "background", "changerootdirectory", "include",
	"keytable", "signingtable", "domain", "keyfile", "selector", "subdomains", "multiplesignatures",
	"internalhosts", "externalignorelist", "signaturealgorithm", "resolverconfiguration", "setuppolicyscript",
}

// IsReserved reports whether a parameter of opendkim.conf(5) cannot be set by hand.
func IsReserved(parameter string) bool {
	return slices.Contains(reservedParameters, strings.ToLower(parameter))
}

// OpenDKIMLine accepts a line of opendkim.conf(5), or the name of a parameter.
func OpenDKIMLine(s string) (string, error) {
	bad := &BadValue{Field: "opendkim", Value: s, Hint: "a line of opendkim.conf, as in \"Canonicalization simple/simple\""}
	name, value, _ := strings.Cut(strings.TrimSpace(s), " ")
	value = strings.TrimSpace(value)
	switch {
	case name == "" || strings.ContainsFunc(name, func(r rune) bool { return r != '-' && (r|' ' < 'a' || r|' ' > 'z') }):
		bad.Why = "begins with no name of a parameter"
	case IsReserved(name):
		bad.Why, bad.Hint = "is for mailsetup to decide", "leave the line out"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' || r == '#' }):
		bad.Why = "has a #, a tab or something beyond ASCII"
	}
	if bad.Why != "" {
		return "", bad
	}
	return strings.TrimSpace(name + " " + value), nil
}
