package text_test

import (
	"slices"
	"testing"

	"mailsetup/internal/text"
)

// What is too long for the screen breaks between words; a command stays one that can be
// pasted, and a record stays a line.
func TestWrapAction(t *testing.T) {
	for action, want := range map[string][]string{
		"--dns manual prints the records":                         {"--dns manual prints the", "records"},
		"chmod 0600 /etc/dkimkeys/lab.example/s.private":          {"chmod 0600 /etc/dkimkeys/lab.example/s.private"},
		"once the records are elsewhere: take them out":           {"once the records are", "elsewhere: take them out"},
		"mailsetup init --ip 192.0.2.10 --ip 2001:db8::10":        {"mailsetup init --ip 192.0.2.10 --ip 2001:db8::10"},
		"touch /etc/a && postalias hash:/etc/a && postfix reload": {"touch /etc/a &&", "postalias hash:/etc/a &&", "postfix reload"},
		"touch a && touch b && touch c":                           {"touch a && touch b &&", "touch c"},
		"mail.lab.example. A 192.0.2.10 2001:db8::10":             {"mail.lab.example. A 192.0.2.10 2001:db8::10"},
	} {
		if got := text.WrapAction(action, 26); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", action, got, want)
		}
	}
}
