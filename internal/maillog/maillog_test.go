package maillog_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/maillog"
)

// Lines as Postfix 3.7 and 3.10 write them.
const (
	first  = "AAAAAA1: uid=0 from=<postmaster@lab.example>\nAAAAAA1: message-id=<x@lab.example>\nAAAAAA1: from=<postmaster@lab.example>, size=700, nrcpt=1 (queue active)\n"
	amavis = "AAAAAA1: to=<bob@remote.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.3, delays=0.1/0/0/0.2, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as BBBBBB2)\n"
	back   = "connect from localhost[127.0.0.1]\nBBBBBB2: client=localhost[127.0.0.1]\nBBBBBB2: message-id=<x@lab.example>\nBBBBBB2: from=<postmaster@lab.example>, size=900, nrcpt=1 (queue active)\n"
	taken  = "BBBBBB2: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as CCCCCC3)\n"
	piped  = "AAAAAA1: to=<bob@remote.example>, relay=filter, delay=0.3, delays=0.1/0/0/0.2, dsn=2.0.0, status=sent (delivered via filter service)\n"
)

func TestFollow(t *testing.T) {
	const filter = "smtp-amavis:[127.0.0.1]:10024"
	for _, tt := range []struct{ name, filter, log, want string }{
		{"nothing yet", "", "", "no attempt"},
		{"in the queue", "", first, "no attempt, queued as AAAAAA1"},
		{"another message", "", strings.ReplaceAll(first, "<x@", "<y@") + strings.ReplaceAll(taken, "BBBBBB2", "AAAAAA1"), "no attempt"},
		{"straight", "", first + strings.ReplaceAll(taken, "BBBBBB2", "AAAAAA1"), "final: sent by mx.remote.example[192.0.2.25]:25"},
		{"refused", "", first + "AAAAAA1: to=<bob@remote.example>, relay=mx.remote.example[2001:db8::25]:25, delay=0.1, delays=0/0/0/0.1, dsn=5.7.26, status=bounced (host mx.remote.example[2001:db8::25] said: 550 5.7.26 no (in reply to end of DATA command))\n", "final: bounced by mx.remote.example[2001:db8::25]:25"},
		{"deferred, and then taken", "", first + "AAAAAA1: to=<bob@remote.example>, relay=none, delay=1, delays=0/0/1/0, dsn=4.4.1, status=deferred (connect to mx.remote.example[192.0.2.25]:25: Connection refused)\n" + strings.ReplaceAll(taken, "BBBBBB2", "AAAAAA1"), "final: sent by mx.remote.example[192.0.2.25]:25"},
		{"the filter has it", filter, first + amavis, "sent by 127.0.0.1[127.0.0.1]:10024, a filter"},
		{"it is back", filter, first + back + amavis, "sent by 127.0.0.1[127.0.0.1]:10024, a filter, back, queued as BBBBBB2"},
		{"and on", filter, first + back + amavis + taken, "final: sent by mx.remote.example[192.0.2.25]:25, back"},
		{"before the filter has answered", filter, first + back + taken, "no attempt, queued as AAAAAA1"},
		{"a filter that a table chose", "", first + back + amavis + taken, "final: sent by mx.remote.example[192.0.2.25]:25, back"},
		{"a filter that changes the Message-ID", filter, first + strings.ReplaceAll(back, "<x@", "<y@") + amavis + taken, "final: sent by mx.remote.example[192.0.2.25]:25, back"},
		{"a filter by name", "smtp-amavis:[localhost]:10024", first + amavis, "sent by 127.0.0.1[127.0.0.1]:10024, a filter"},
		{"a filter on another machine", "scan:[scan.lab.example]:10024", first + strings.ReplaceAll(amavis, "127.0.0.1[127.0.0.1]", "scan.lab.example[192.0.2.9]") + back + taken, "final: sent by mx.remote.example[192.0.2.25]:25, back"},
		{"a filter by a socket", "lmtp-filter:unix:/run/filter.sock", first + strings.ReplaceAll(amavis, "127.0.0.1[127.0.0.1]:10024", "mail.lab.example[/run/filter.sock]"), "sent by mail.lab.example[/run/filter.sock], a filter"},
		{"another port of the same host", "smtp-amavis:[127.0.0.1]:10026", first + amavis, "final in time: sent by 127.0.0.1[127.0.0.1]:10024"},
		{"the filter refuses it", filter, first + strings.ReplaceAll(strings.ReplaceAll(amavis, "status=sent", "status=bounced"), "2.0.0", "5.7.0"), "final: bounced by 127.0.0.1[127.0.0.1]:10024, a filter"},
		{"a program", "filter:dummy", first + piped, "sent by filter, a filter"},
		{"a program that handed it back", "filter:dummy", first + piped + back + taken, "final: sent by mx.remote.example[192.0.2.25]:25, back"},
		{"a program that a table chose", "", first + piped, "final in time: sent by filter"},
		{"a mailbox", "", first + "AAAAAA1: to=<ann@lab.example>, orig_to=<bob@remote.example>, relay=local, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (delivered to mailbox)\n", "final in time: sent by local"},
		{"a copy for somebody else", "", first + "AAAAAA1: to=<boss@lab.example>, relay=local, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (delivered to mailbox)\n", "no attempt, queued as AAAAAA1"},
		{"rewritten", "", first + "AAAAAA1: to=<bob@new.example>, orig_to=<Bob@remote.example>, relay=mx.new.example[192.0.2.26]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 ok)\n", "final: sent by mx.new.example[192.0.2.26]:25"},
		{"rewritten before a filter", filter, first + strings.ReplaceAll(amavis, "<bob@remote.example>", "<bob@new.example>, orig_to=<bob@remote.example>") + back + strings.ReplaceAll(taken, "remote", "new"), "final: sent by mx.new.example[192.0.2.25]:25, back"},
		{"a reply that names our own queue ID", "", first + strings.ReplaceAll(strings.ReplaceAll(taken, "CCCCCC3", "AAAAAA1"), "BBBBBB2", "AAAAAA1"), "final: sent by mx.remote.example[192.0.2.25]:25"},
		{"a filter that names it", filter, first + strings.ReplaceAll(amavis, "BBBBBB2", "AAAAAA1"), "sent by 127.0.0.1[127.0.0.1]:10024, a filter"},
	} {
		m := maillog.Message{ID: "<x@lab.example>", To: "bob@remote.example"}
		if tt.filter != "" {
			m.Filters = []string{tt.filter}
		}
		f := m.Follow(tt.log)
		got := "no attempt"
		if f.Last.Status != "" {
			got = f.Last.Status + " by " + f.Last.Relay
		}
		for _, word := range []struct {
			is   bool
			text string
		}{{f.ToFilter, ", a filter"}, {f.Back, ", back"}, {f.Queued != "", ", queued as " + f.Queued}} {
			if word.is {
				got += word.text
			}
		}
		switch {
		case f.Final(time.Second):
			got = "final: " + got
		case f.Final(6 * time.Second):
			got = "final in time: " + got
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
