package plan_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// questions are one of each kind.
func questions() []state.Question {
	return []state.Question{
		{
			ID: "record lab.example SPF", Kind: state.AskRecord, Subject: "spf", Domain: "lab.example",
			Text: "the SPF record of lab.example does not let 192.0.2.10 pass, so that receivers take this server's mail for forged; " +
				"it gets the address, and costs 3 of 10 look-ups as before",
			Path: "/etc/bind/db.lab.example", Line: 12,
			Before:   "lab.example.\tIN\tTXT\t\"v=spf1 mx include:_spf.news.example include:_spf.tickets.example -all\"",
			After:    "lab.example.\tIN\tTXT\t\"v=spf1 ip4:192.0.2.10 mx include:_spf.news.example include:_spf.tickets.example -all\"",
			Declined: "the record stays, and receivers may refuse the mail of this server.",
		},
		{
			ID: "service submission/inet", Kind: state.AskService, Subject: "submission/inet",
			Text: "submission/inet has milters of its own, among which the signer is not: what users send leaves unsigned",
			Path: "/etc/postfix/master.cf", Line: 17,
			Before:   "  -o smtpd_milters=inet:127.0.0.1:11332",
			After:    "  -o smtpd_milters=inet:127.0.0.1:11332,unix:opendkim/opendkim.sock",
			Declined: "mail by submission/inet leaves unsigned.",
		},
		{
			ID: "override", Kind: state.AskOverride, Text: "it starts OpenDKIM with -p, which beats our Socket",
			Path: "/etc/systemd/system/opendkim.service.d/override.conf", Line: 3,
			Before: "ExecStart=\nExecStart=/usr/sbin/opendkim -p inet:8891@localhost\x1b[2J\n",
		},
		{ID: "bounces", Kind: state.AskBounces, Text: "rspamd would see bounces, too", After: "internal_mail_filter_classes = bounce", Declined: "bounces leave unsigned."},
		{ID: "release", Kind: state.AskRelease, Text: "Ubuntu 24.04.1 LTS was not tried"},
	}
}

func TestAsk(t *testing.T) {
	var text bytes.Buffer
	for _, q := range questions() {
		if err := plan.WriteQuestion(&text, q, "", plan.TextOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "questions.txt", text.Bytes())
	for l := range strings.Lines(text.String()) {
		if utf8.RuneCountInString(strings.TrimSuffix(l, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %s", l)
		}
	}
}

// A long record loses nothing but the spaces at which it was cut.
func TestAskShowsAllOfALongRecord(t *testing.T) {
	long := strings.Repeat("ip4:192.0.2.10 ", 40) + strings.Repeat("x", 300) + " ü" + strings.Repeat("ö", 100)
	var b bytes.Buffer
	if err := plan.WriteQuestion(&b, state.Question{Kind: state.AskRecord, Text: "long", Before: long}, "1 of 2", plan.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), "  ? a record of your zone (1 of 2)\n") {
		t.Errorf("heading of %s", b.String())
	}
	shown := ""
	for l := range strings.Lines(b.String()) {
		l = strings.TrimSuffix(l, "\n")
		if n := utf8.RuneCountInString(l); n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
		if part, ok := strings.CutPrefix(l, "        "); ok {
			shown += strings.TrimPrefix(part, "- ")
		}
	}
	without := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	if got := strings.ReplaceAll(without(shown), "-", ""); got != without(long) {
		t.Errorf("shown %q", got)
	}
}

// Every kind has a flag, or nobody could say yes without a terminal.
func TestConsent(t *testing.T) {
	for _, q := range questions() {
		if yes, _ := plan.ConsentFlags(q.Kind); !strings.HasPrefix(yes, "--") {
			t.Errorf("%s: %q", q.Kind, yes)
		}
	}
}
