package eximconf_test

import (
	"strings"
	"testing"

	"mailsetup/internal/eximconf"
)

// What exim4 says nothing of: a canonicalization that breaks on the way, fields that are sealed
// although they are not there, and faults that let mail out unsigned or hold it.
func TestFaults(t *testing.T) {
	const headers = "DKIM_SIGN_HEADERS = +From:=Subject:=Date\n"
	for _, tt := range []struct {
		text, want string
		ours       bool
	}{
		{"DKIM_DOMAIN = a.example\n" + headers, "", false},
		{"DKIM_CANON = relaxed\n" + headers, "", false},
		{"DKIM_CANON == simple\n", "1: DKIM_CANON = simple: a signature breaks as soon as a server on the way folds", false},
		{"X = y\nDKIM_CANON = simple/relaxed\n", "2: DKIM_CANON = simple/relaxed: a signature breaks", false},
		{"DKIM_DOMAIN == a.example\n", "", true},
		{"DKIM_DOMAIN = a.example\n", "1: without DKIM_SIGN_HEADERS fields are sealed that are not there", false},
		{"DKIM_SIGN_HEADERS = From:Subject:List-Id\n", "1: DKIM_SIGN_HEADERS = From:Subject:List-Id: a message without list-id is sealed against it", false},
		{"DKIM_SIGN_HEADERS = _DKIM_SIGN_HEADERS:+_DKIM_SIGN_HEADERS\n", "a message without List-Id is sealed", false},
		{"DKIM_SIGN_HEADERS = From:=Sender:=List-Id\n", "", false},
		{"DKIM_STRICT = true\n", "1: DKIM_STRICT = true: one key that cannot be read holds the mail of all domains", false},
		{"DKIM_STRICT = 0\n", "", false},
		{"DKIM_PRIVATE_KEY = /etc/exim4/keys/$dkim_domain.pem\n", "is refused (tainted): mail leaves without a signature", false},
		{"DKIM_PRIVATE_KEY = ${lookup{$dkim_domain}lsearch{/etc/exim4/keys}}\n", "", false},
	} {
		var got []string
		macros := eximconf.SigningMacros(tt.text)
		for i := range macros {
			macros[i].At = string(rune('0' + macros[i].Line))
		}
		for _, f := range eximconf.Faults(macros, tt.ours) {
			got = append(got, f.At+": "+f.Text)
		}
		if said := strings.Join(got, "|"); (tt.want == "") != (said == "") || !strings.Contains(said, tt.want) {
			t.Errorf("%q: %q, want %q", tt.text, said, tt.want)
		}
	}
}
