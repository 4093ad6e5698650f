package eximconf_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/state"
)

func byHand(text string) (*state.EximDKIM, string) {
	macros := eximconf.SigningMacros(text)
	for i := range macros {
		macros[i].At = fmt.Sprintf("m:%d", macros[i].Line)
	}
	return eximconf.ByHand(macros)
}

// What tutorials tell people to write, as far as it signs on Debian 12 and 13.
func TestByHand(t *testing.T) {
	for _, tt := range []struct {
		text string
		want state.EximDKIM
	}{
		{
			"DKIM_CANON = relaxed\nDKIM_SELECTOR = 2024\nDKIM_DOMAIN = Lab.example\nDKIM_PRIVATE_KEY = /etc/exim4/dkim.key\n",
			state.EximDKIM{Domain: "lab.example", Selector: "2024", Key: "/etc/exim4/dkim.key", At: "m:4"},
		},
		{
			"REMOTE_SMTP_HELO_DATA = x\nDKIM_DOMAIN==lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = CONFDIR/dkim/lab.pem\nDKIM_SIGN_HEADERS = from:to\n",
			state.EximDKIM{Domain: "lab.example", Selector: "s", Key: "/etc/exim4/dkim/lab.pem", At: "m:4"},
		},
		{
			"DKIM_DOMAIN = ${lc:${domain:$h_from:}}\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = ${lookup{$dkim_domain}lsearch{/etc/exim4/dkim.table}{$value}{0}}\n",
			state.EximDKIM{Selector: "s", Table: "/etc/exim4/dkim.table", At: "m:3"},
		},
		{
			"DKIM_DOMAIN = ${domain:${address:$rh_from:}}\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = \\\n ${lookup{${dkim_domain}.private}dsearch,ret=full{/etc/exim4/keys/}}\n",
			state.EximDKIM{Selector: "s", Directory: "/etc/exim4/keys", Suffix: ".private", At: "m:3"},
		},
	} {
		got, unknown := byHand(tt.text)
		if got == nil || cmp.Diff(tt.want, *got) != "" {
			t.Errorf("%s\n%+v, not understood: %q", tt.text, got, unknown)
		}
	}
	for text, at := range map[string]string{
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\n":                                                                       "m:1", // no key: nothing is signed
		"DKIM_DOMAIN = a.example : b.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /k\n":                                      "m:1",
		"DKIM_DOMAIN = ${lc:${domain:$h_from:}}\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /etc/exim4/one.key\n":                   "m:3",
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = ${lookup{x}lsearch{/t}}\nDKIM_PRIVATE_KEY = /k\n":                          "m:2",
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = ${if exists{/k/$dkim_domain}{/k/$dkim_domain}{0}}\n": "m:3",
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /k\nDKIM_STRICT = true\n":                            "m:4",
		"DKIM_DOMAIN = lab.example\nDKIM_DOMAIN == shop.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /k\n":                   "m:2",
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /k\nDKIM_CANON = simple\n":                           "m:4",
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /k\nremote_smtp:\n  dkim_strict = true\n":            "m:5",
		"DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = -----BEGIN RSA PRIVATE KEY-----\\nMII\n":             "m:3",
		"DKIM_DOMAIN = ${lc:${domain:$h_from:}}\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = /etc/exim4/dkim/$dkim_domain.private\n": "m:3",
	} {
		if got, unknown := byHand(text); got != nil || unknown != at {
			t.Errorf("%s\nunderstood as %+v; the place is %q, not %q", text, got, unknown, at)
		}
	}
}

// A comment is made of each line, and of those that go on; once more changes nothing.
func TestCommentOut(t *testing.T) {
	const text = "A = 1\nDKIM_DOMAIN = lab.example\nDKIM_PRIVATE_KEY = \\\n  /k\n# DKIM_CANON = simple\nB = 2\n\tdkim_domain = DKIM_DOMAIN\nC = \\\n 3"
	const want = "A = 1\n# DKIM_DOMAIN = lab.example\n# DKIM_PRIVATE_KEY = \\\n#   /k\n# DKIM_CANON = simple\nB = 2\n\tdkim_domain = DKIM_DOMAIN\nC = \\\n 3"
	got := eximconf.CommentOut(text)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if eximconf.CommentOut(got) != got {
		t.Errorf("once more:\n%s", eximconf.CommentOut(got))
	}
}
