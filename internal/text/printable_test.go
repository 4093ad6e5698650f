package text_test

import (
	"testing"

	"mailsetup/internal/text"
)

func TestPrintable(t *testing.T) {
	for given, want := range map[string]string{
		"zone\tBüro":            "zone\tBüro",
		"\x1b[2J\a\n\x7f\u009b": `\x1b[2J\x07\x0a\u007f\u009b`,
		"; B\xfcro":             `; B\xfcro`,
		"\ufffd":                "\ufffd",
		// What looks as "example.org" that way round, and what is not seen at all.
		"v=spf1 \u202egro.elpmaxe\u2069 a\u200bb\ufeff": `v=spf1 \u202egro.elpmaxe\u2069 a\u200bb\ufeff`,
	} {
		if got := text.Printable(given); got != want {
			t.Errorf("%q: got %s, want %s", given, got, want)
		}
	}
}

// What a tool says over several lines stays several lines.
func TestPrintableLines(t *testing.T) {
	if got, want := text.PrintableLines("named:\n | \x1b]0;x\r\n"), "named:\n | \\x1b]0;x\\x0d\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
