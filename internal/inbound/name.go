package inbound

import (
	"strings"

	"golang.org/x/net/idna"
)

// name returns a name of DNS with two labels or more in A-labels, lower case, without
// the final dot, or says why it is none.
func name(s string) (ascii, why string) {
	ascii = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), ".")
	if strings.ContainsFunc(ascii, func(r rune) bool { return r >= 0x80 }) || strings.Contains("."+ascii, ".xn--") {
		var err error
		if len(ascii) > 1000 {
			return "", "is longer than a name can be"
		}
		if ascii, err = idna.Lookup.ToASCII(ascii); err != nil {
			return "", "is no valid international name"
		}
	}
	if len(ascii) > 253 {
		return "", "is longer than a name can be"
	}
	labels := strings.Split(ascii, ".")
	if len(labels) < 2 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return "", "is no full name"
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", "is no name of DNS"
		}
	}
	return ascii, ""
}
