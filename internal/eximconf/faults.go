package eximconf

import (
	"strings"

	"mailsetup/internal/state"
)

// absentInMost are fields that most messages lack, and that mailing lists add.
var absentInMost = []string{"list-id", "list-post", "list-unsubscribe", "sender", "resent-from"}

// Faults returns what is wrong with DKIM that somebody has set up by hand: Exim says nothing of
// it, and every check of a configuration passes. With ours, mailsetup's settings are there, too.
func Faults(macros []Macro, ours bool) []state.EximFault {
	var list []state.EximFault
	headers, domain := ours, ""
	for _, m := range macros {
		value, why := strings.ToLower(m.Value), ""
		switch strings.ToUpper(m.Name) {
		case "DKIM_DOMAIN":
			domain = m.At
		case "DKIM_CANON":
			if strings.HasPrefix(value, "simple") {
				why = "a signature breaks as soon as a server on the way folds a header field or drops a space"
			}
		case "DKIM_STRICT":
			if value != "" && value != "0" && value != "false" && value != "no" {
				why = "one key that cannot be read holds the mail of all domains to the same server"
			}
		case "DKIM_PRIVATE_KEY":
			if strings.Contains(value, "$dkim_domain") && !strings.Contains(value, "lookup") {
				why = "a file name made of the domain is refused (tainted): mail leaves without a signature"
			}
		case "DKIM_SIGN_HEADERS":
			headers = true
			if field := sealsAbsent(value); field != "" {
				why = "a message without " + field + " is sealed against it: any mailing list breaks the signature (=" + field + " signs it where it is there)"
			}
		}
		if why != "" {
			list = append(list, state.EximFault{At: m.At, Text: m.Name + " = " + m.Value + ": " + why})
		}
	}
	if domain != "" && !headers {
		list = append(list, state.EximFault{At: domain, Text: "without DKIM_SIGN_HEADERS fields are sealed that are not there: any mailing list breaks the signature"})
	}
	return list
}

// sealsAbsent returns a field of a list for h= that counts also where a message lacks it, and
// that others add, "" for none.
func sealsAbsent(value string) string {
	for _, field := range strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(": \t", r) }) {
		if strings.HasPrefix(field, "_dkim_sign_headers") || strings.HasPrefix(field, "+_dkim_sign_headers") {
			return "List-Id"
		}
		for _, name := range absentInMost {
			if strings.TrimPrefix(field, "+") == name {
				return name
			}
		}
	}
	return ""
}
