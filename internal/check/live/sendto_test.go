package live_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
)

func TestAddress(t *testing.T) {
	for _, a := range []string{"ann@example.org", "ann+x.y@mail.example.org"} {
		if err := live.Address(a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"", "ann", "-oQ/tmp@example.org", "Ann <ann@example.org>", "ann@example.org, bob@example.org", "ann@example.org\nX: y", "ann@localhost", "|x@example.org"} {
		if live.Address(a) == nil {
			t.Errorf("%q is taken", a)
		}
	}
}

// What became of a message that left is read in the journal, by its queue ID.
func TestSendTo(t *testing.T) {
	const to = "bob@remote.example"
	for _, tt := range []struct{ name, log, severity, seen string }{
		{"taken", "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77)", "ok", "mx.remote.example[192.0.2.25]:25 took it: 250 2.0.0 Ok: queued as 77"},
		{"refused", "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, dsn=5.7.26, status=bounced (host mx said: 550 5.7.26 no)", "problem", "mx.remote.example[192.0.2.25]:25 refused it: host mx said: 550 5.7.26 no"},
		{"waits", "4A: to=<bob@remote.example>, relay=none, delay=30, dsn=4.4.1, status=deferred (connect to mx: Connection timed out)", "unknown", "it waits: none: connect to mx: Connection timed out"},
	} {
		w := newWorld(t)
		w.journal = tt.log
		r := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{SendTo: to})
		i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Subject == "to "+to })
		if i < 0 || string(r.Findings[i].Severity) != tt.severity || r.Findings[i].Seen != tt.seen {
			t.Errorf("%s: %+v", tt.name, r.Findings)
		}
		if !strings.Contains(w.left, "From: <postmaster@lab.example>\r\nTo: <bob@remote.example>") {
			t.Errorf("%s: it sent %q", tt.name, w.left)
		}
	}
}
