// Package restrictions reads the access restrictions of Postfix's SMTP server (the smtpd
// restriction lists of postconf(5), in main.cf and in the options of services), tells
// which list keeps strangers from relaying, and puts checks behind that. Pure: text in,
// text out, and every byte that nobody asked to change stays.
package restrictions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Names of parameters and restrictions, postconf(5).
const (
	RelayList     = "smtpd_relay_restrictions"
	RecipientList = "smtpd_recipient_restrictions"

	classList                                 = "smtpd_restriction_classes"
	mynetworks, authenticated, unauth, policy = "permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination", "check_policy_service"
)

// Restriction is one element of a list.
type Restriction struct {
	Name string // in lower case, as Postfix compares it
	Arg  string // of one that takes an argument: unix:private/policyd-spf
	Warn bool   // behind warn_if_reject: a refusal is only logged
	// Reference: the element is $name, and stands for what that parameter has.
	Reference bool

	from, to int // of the value; with its argument and a warn_if_reject before it
}

// String returns the restriction as it is written.
func (r Restriction) String() string {
	if r.Arg == "" {
		return r.Name
	}
	return r.Name + " " + r.Arg
}

// Is reports whether the element is a check: name and argument are those.
func (r Restriction) Is(check string) bool {
	list, err := Parse(check)
	return err == nil && len(list) == 1 && r.Name == list[0].Name && squeezed(r.Arg) == squeezed(list[0].Arg)
}

func squeezed(s string) string { return strings.Join(strings.FieldsFunc(s, separates), " ") }

func separates(r rune) bool { return strings.ContainsRune(separators, r) }

// separators of elements, and of an element and its argument: CHARS_COMMA_SP.
const separators = ", \t\r\n"

// token is a word of a list.
type token struct {
	text     string
	from, to int
}

// tokens splits at separators outside braces.
func tokens(value string) ([]token, error) {
	var all []token
	depth, from := 0, -1
	for i := range len(value) {
		c := value[i]
		if depth == 0 && strings.IndexByte(separators, c) >= 0 {
			if from >= 0 {
				all = append(all, token{value[from:i], from, i})
			}
			from = -1
			continue
		}
		if from < 0 {
			if c == '#' {
				return nil, errors.New(`"#" in the middle of a line begins no comment, but is part of the value`)
			}
			from = i
		}
		switch {
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return nil, errors.New(`"}" closes nothing`)
		case c == '}':
			depth--
		}
	}
	if depth > 0 {
		return nil, errors.New(`"{" is not closed`)
	}
	if from >= 0 {
		all = append(all, token{value[from:], from, len(value)})
	}
	return all, nil
}

// Parse parses the value of a list, with references as they are written.
func Parse(value string) ([]Restriction, error) {
	words, err := tokens(value)
	if err != nil {
		return nil, err
	}
	var list []Restriction
	for i := 0; i < len(words); i++ {
		r := Restriction{from: words[i].from}
		for r.Name = strings.ToLower(words[i].text); r.Name == "warn_if_reject"; r.Name = strings.ToLower(words[i].text) {
			if r.Warn = true; i+1 == len(words) {
				return nil, errors.New("nothing follows warn_if_reject")
			}
			i++
		}
		name, reference := referenceOf(words[i].text)
		switch {
		case reference:
			r.Name, r.Reference = name, true
		case strings.ContainsAny(words[i].text, "${}"):
			return nil, fmt.Errorf("%q cannot be expanded here", words[i].text)
		case takesArgument(r.Name):
			if i+1 == len(words) || !isArgument(words[i+1].text) {
				return nil, fmt.Errorf("%s: its argument is missing", r.Name)
			}
			i++
			r.Arg = words[i].text
		case strings.Contains(r.Name, ":"): // type:table alone, access(5)
			r.Name, r.Arg = "", words[i].text
		}
		r.to = words[i].to
		list = append(list, r)
	}
	return list, nil
}

// isArgument reports whether a word may be an argument: the name of another restriction
// there says that one is missing.
func isArgument(word string) bool {
	word = strings.ToLower(word)
	return !takesArgument(word) && !slices.Contains(plain, word)
}

// referenceOf returns the name in $name, ${name} or $(name), where that is the whole word.
func referenceOf(word string) (string, bool) {
	name, ok := strings.CutPrefix(word, "$")
	if !ok {
		return "", false
	}
	if n := len(name); n > 2 && (name[0] == '{' && name[n-1] == '}' || name[0] == '(' && name[n-1] == ')') {
		name = name[1 : n-1]
	}
	return name, name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// takesArgument reports whether the next word is the restriction's argument, postconf(5).
func takesArgument(name string) bool {
	return strings.HasPrefix(name, "check_") && strings.HasSuffix(name, "_access") || strings.HasPrefix(name, "reject_rhsbl_") ||
		slices.Contains([]string{policy, "reject_rbl", "reject_rbl_client", "permit_dnswl_client", "permit_rhswl_client", "sleep"}, name)
}

// plain are the restrictions without an argument, postconf(5) of Postfix 3.7 to 3.10.
var plain = strings.Fields(`
	permit reject defer defer_if_permit defer_if_reject
	permit_mynetworks permit_inet_interfaces permit_naked_ip_address permit_sasl_authenticated permit_tls_clientcerts permit_tls_all_clientcerts
	permit_auth_destination permit_mx_backup
	reject_unauth_destination defer_unauth_destination check_relay_domains reject_unauth_pipelining reject_plaintext_session
	reject_unknown_client reject_unknown_client_hostname reject_unknown_reverse_client_hostname reject_unknown_forward_client_hostname
	reject_invalid_hostname reject_invalid_helo_hostname reject_non_fqdn_hostname reject_non_fqdn_helo_hostname
	reject_unknown_hostname reject_unknown_helo_hostname
	reject_non_fqdn_sender reject_unknown_sender_domain reject_unknown_address reject_unlisted_sender reject_unverified_sender
	reject_sender_login_mismatch reject_authenticated_sender_login_mismatch reject_known_sender_login_mismatch
	reject_unauthenticated_sender_login_mismatch
	reject_non_fqdn_recipient reject_unknown_recipient_domain reject_unlisted_recipient check_recipient_maps reject_unverified_recipient
	reject_multi_recipient_bounce reject_maps_rbl reject_unknown_reverse_client
`)

// Guards reports whether the restriction refuses mail for others' domains, and lets
// everything else go on.
func (r Restriction) guards() bool {
	return !r.Warn && (r.Name == unauth || r.Name == "defer_unauth_destination")
}

// final reports whether nothing behind the restriction is ever reached.
func (r Restriction) final() bool {
	return r.Name == "permit" || !r.Warn && (r.Name == "reject" || r.Name == "defer")
}

// PolicyServer returns the address that check_policy_service asks, "" for another
// restriction: unix:private/policyd-spf, also of the form with options in braces.
func (r Restriction) PolicyServer() string {
	inner, braced := strings.CutPrefix(r.Arg, "{")
	words := strings.FieldsFunc(strings.TrimSuffix(inner, "}"), separates)
	switch {
	case r.Name != policy:
		return ""
	case !braced || len(words) == 0:
		return r.Arg
	}
	return words[0]
}
