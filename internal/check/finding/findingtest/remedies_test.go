package findingtest_test

import (
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
)

// counting counts what would fail a test.
type counting struct {
	testing.TB
	failed int
}

func (c *counting) Helper()               {}
func (c *counting) Errorf(string, ...any) { c.failed++ }

// A check that never fails proves nothing.
func TestRemedies(t *testing.T) {
	line := func(kind finding.LineKind, text string) finding.Remedy {
		return finding.Remedy{{Kind: kind, Text: text}}
	}
	for _, tt := range []struct {
		remedy finding.Remedy
		failed int
	}{
		{nil, 0},
		{line("command", "postconf -e 'relayhost = [a b]:587' && systemctl reload postfix"), 0},
		{line("command", `postmap '/it'\''s'; newaliases`), 0},
		{line("command", "postconf -n | grep milter"), 0},
		{line("command", "postmap $(reboot)"), 1},
		{line("command", "postmap a;reboot"), 1},
		{line("command", "postmap a; reboot"), 1},
		{line("command", "postmap 'a"), 1},
		{line("command", "postmap a\nreboot"), 1},
		{line("command", "postmap a > b"), 1},
		{line("command", "see that it runs"), 1},
		{line("record", `lab.example. TXT "v=spf1 -all"`), 0},
		{line("record", "lab.example. MX 10 mail.lab.example."), 0},
		{line("record", "a shorter record"), 1},
		{line("text", "see that it runs"), 0},
		{line("text", "mailsetup list shows the domains"), 1},
		{line("text", ""), 1},
		{line("prose", "see that it runs"), 1},
	} {
		c := counting{TB: t}
		if findingtest.Remedies(&c, []finding.Finding{{ID: "spf.pass", Remedy: tt.remedy}}); c.failed != tt.failed {
			t.Errorf("%v: %d failures, want %d", tt.remedy, c.failed, tt.failed)
		}
	}
}
