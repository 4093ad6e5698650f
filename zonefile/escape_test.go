package zonefile_test

import (
	"testing"

	"mailsetup/zonefile"
)

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: "plain", `a\"b`: `a"b`, `\\`: `\`, `\065\010`: "A\n", `\255`: "\xff",
		`\999`: "999", `\06`: "06", `end\`: `end\`, `\;`: ";",
	} {
		if got := zonefile.Unescape(in); got != want {
			t.Errorf("Unescape(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for in, want := range map[string]string{
		"v=spf1 a -all; x": "v=spf1 a -all; x", `a"b\c`: `a\"b\\c`, "\x00\t\x7f\xff~ ": `\000\009\127\255~ `, "": "",
	} {
		if got := zonefile.Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("v=DKIM1; p=abc")
	f.Add("a\"b\\065\x00\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		if got := zonefile.Unescape(zonefile.Escape(s)); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}
