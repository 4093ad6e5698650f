package finding_test

import (
	"slices"
	"testing"

	"mailsetup/internal/check/finding"
)

// A command holds only words that are plain or quoted; what no command line can hold is no
// command.
func TestCommand(t *testing.T) {
	command := func(text string) finding.Line { return finding.Line{Kind: finding.LineCommand, Text: text} }
	prose := func(text string) finding.Line { return finding.Line{Kind: finding.LineText, Text: text} }
	const byHand = "by hand, since a name in it is none that a shell can be given: "
	for _, tt := range []struct {
		got  finding.Remedy
		want []finding.Line
	}{
		{finding.Command("mailsetup init --yes"), []finding.Line{command("mailsetup init --yes")}},
		{finding.Command("mailsetup dns %s", "lab.example"), []finding.Line{command("mailsetup dns lab.example")}},
		{finding.Command("rndc notify %s", "a b.example"), []finding.Line{command("rndc notify 'a b.example'")}},
		{finding.Command("rndc notify %s", "x$(reboot)"), []finding.Line{command("rndc notify 'x$(reboot)'")}},
		{finding.Command("rndc notify %s", "it's"), []finding.Line{command(`rndc notify 'it'\''s'`)}},
		{finding.Command("rndc notify %s", "x; reboot"), []finding.Line{command("rndc notify 'x; reboot'")}},
		{finding.Command("rndc notify %s", "x\nreboot"), []finding.Line{prose(byHand + `rndc notify 'x\x0areboot'`)}},
		{finding.Command("rndc notify %s", "x\u202ereboot"), []finding.Line{prose(byHand + `rndc notify 'x\u202ereboot'`)}},
		{finding.Command("postmap %s", "-v"), []finding.Line{prose(byHand + "postmap -v")}},
		{finding.Command("postmap %s"), []finding.Line{prose(byHand + "postmap ")}},
		{finding.Command("apt install %s && reboot", "a", "b c"), []finding.Line{command("apt install a 'b c' && reboot")}},
		{finding.Command("mailsetup init --ip %s --ip …", "192.0.2.1", "2001:db8::1"), []finding.Line{command("mailsetup init --ip 192.0.2.1 --ip 2001:db8::1")}},
		{finding.Command("mailsetup init --ip %s --ip …", "192.0.2.1"), []finding.Line{command("mailsetup init --ip 192.0.2.1")}},
		{finding.Command("mailsetup check --only %s", "spf", "lab.example"), []finding.Line{command("mailsetup check --only spf lab.example")}},
		{finding.Command("df -h", "/"), []finding.Line{prose(byHand + "df -h")}},
		{finding.Command("chown %s %s && chmod 600 %s", "opendkim:", "/a b", "/a b"), []finding.Line{command("chown opendkim: '/a b' && chmod 600 '/a b'")}},
		{finding.Text("publish:").Record("lab.example. TXT \"a\nb\"").Text(""), []finding.Line{
			prose("publish:"), {Kind: finding.LineRecord, Text: `lab.example. TXT "a\x0ab"`},
		}},
		{finding.Advice("publish it: mailsetup dns lab.example"), []finding.Line{prose("publish it:"), command("mailsetup dns lab.example")}},
		{finding.Advice("publish it: mailsetup dns x;reboot"), []finding.Line{prose("publish it: mailsetup dns x;reboot")}},
		{finding.Advice("mailsetup list shows the domains"), []finding.Line{prose("mailsetup list shows the domains")}},
		{finding.Advice("chown opendkim: /k && chmod 600 /k", "see that it runs"), []finding.Line{command("chown opendkim: /k && chmod 600 /k"), prose("see that it runs")}},
		{finding.Advice("publish a copy at a.example: TXT v=spf1; mailsetup init takes it up"), []finding.Line{prose("publish a copy at a.example: TXT v=spf1; mailsetup init takes it up")}},
		{finding.Advice(""), nil},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%+v, want %+v", tt.got, tt.want)
		}
	}
}

// What a remedy goes on with is no part of that which it began with.
func TestRemedyIsAValue(t *testing.T) {
	first := finding.Text("one").Text("two").Text("three")
	a, b := first.Text("a"), first.Text("b")
	if a.String() != "one\ntwo\nthree\na" || b.String() != "one\ntwo\nthree\nb" {
		t.Errorf("%q, %q", a, b)
	}
	if got := finding.Text("publish it:").Command("mailsetup init --yes").Overwriting([]string{"/etc/x"}).String(); got != "publish it:\nmailsetup init --yes --overwrite-drift\nit overwrites what somebody edited: /etc/x" {
		t.Error(got)
	}
}
