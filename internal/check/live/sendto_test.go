package live_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
	"mailsetup/internal/hint"
	"mailsetup/internal/state"
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

// A message to an address of this server would not leave it.
func TestLeaves(t *testing.T) {
	const elsewhere = "name an address at a provider, where you can read the header of the message"
	for class, want := range map[state.AddressClass]string{
		state.ClassLocal:          "--send-to ann@lab.example: mail for lab.example is for this server itself (mydestination)",
		state.ClassVirtualAlias:   "--send-to ann@lab.example: mail for lab.example is for this server itself (virtual_alias_domains)",
		state.ClassVirtualMailbox: "--send-to ann@lab.example: mail for lab.example is for this server itself (virtual_mailbox_domains)",
		state.ClassRelay:          "--send-to ann@lab.example: this server takes mail for lab.example and passes it on (relay_domains)",
	} {
		err := live.Leaves("ann@lab.example", state.MailDomain{Class: class}, false)
		if err == nil || err.Error() != want || !slices.Equal(hint.Of(err), []string{elsewhere}) {
			t.Errorf("%s: %v, %q", class, err, hint.Of(err))
		}
	}
	for _, is := range []state.MailDomain{{Class: state.ClassDefault}, {Unknown: "a table failed"}, {}} {
		if err := live.Leaves("bob@remote.example", is, false); err != nil {
			t.Errorf("%v: %v", is, err)
		}
		if err := live.Leaves("ann@lab.example", is, true); err == nil || err.Error() != "--send-to ann@lab.example: mail for lab.example is for this server itself (receive in its file)" {
			t.Errorf("%v: %v", is, err)
		}
	}
}

const (
	to       = "bob@remote.example"
	filtered = "4A: to=<bob@remote.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.3, dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B)"
	signs    = "; the key s1._domainkey.lab.example signs mail of lab.example"
)

// What became of a message that left is read in the journal, from queue ID to queue ID.
func TestSendTo(t *testing.T) {
	filter := func(w *world) { w.server.Facts.Postfix.Value["content_filter"] = "smtp-amavis:[127.0.0.1]:10024" }
	const taken = "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 77)"
	const sent = "mx.remote.example[192.0.2.25]:25 took it: 250 2.0.0 Ok: queued as 77"
	for _, tt := range []struct {
		name           string
		is             func(*world)
		log            string
		severity, seen string
	}{
		{"taken", nil, taken, "ok", sent + signs},
		{"refused", nil, "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=0.1, dsn=5.7.26, status=bounced (host mx said: 550 5.7.26 no)", "problem", "mx.remote.example[192.0.2.25]:25 refused it: host mx said: 550 5.7.26 no"},
		{"waits", nil, "4A: to=<bob@remote.example>, relay=mx.remote.example[192.0.2.25]:25, delay=30, dsn=4.7.1, status=deferred (host mx said: 450 4.7.1 greylisted)", "unknown", "it waits: mx.remote.example[192.0.2.25]:25: host mx said: 450 4.7.1 greylisted"},
		{"nobody reached", nil, "4A: to=<bob@remote.example>, relay=none, delay=30, dsn=4.4.1, status=deferred (connect to mx: Connection timed out)", "unknown", "it waits, and no server was reached: connect to mx: Connection timed out"},
		{"no such domain", nil, "4A: to=<bob@remote.example>, relay=none, delay=1, dsn=5.4.4, status=bounced (Host or domain name not found. Name service error for name=remote.example type=A: Host not found)", "unknown", "no server was asked, and it came back: Host or domain name not found. Name service error for name=remote.example type=A: Host not found"},
		{"a milter refused it", nil, "4A: to=<bob@remote.example>, relay=none, delay=1, dsn=5.7.1, status=bounced (Command rejected)", "problem", "no server was asked, and it came back: Command rejected"},
		{"nothing said", nil, "", "unknown", "Postfix took it, and has not said yet what became of it: mailq"},
		{"it stays here", nil, "4A: to=<ann@lab.example>, orig_to=<bob@remote.example>, relay=local, delay=0, dsn=2.0.0, status=sent (delivered to mailbox)", "unknown", "it stayed on this machine (local): delivered to mailbox"},
		{"the filter keeps it", filter, filtered, "unknown", "the content filter 127.0.0.1[127.0.0.1]:10024 took it, and has not handed it back: 250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4B"},
		{"it is back from the filter", filter, filtered + "\n4B: message-id=ID", "unknown", "it came back from the content filter 127.0.0.1[127.0.0.1]:10024, and Postfix has not said yet what became of it: mailq"},
		{"taken behind the filter", filter, filtered + "\n4B: message-id=ID\n4B" + taken[2:], "ok", sent + signs},
		{"the filter refused it", filter, "4A: to=<bob@remote.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=0.3, dsn=5.7.0, status=bounced (host 127.0.0.1[127.0.0.1] said: 554 5.7.0 Reject)", "problem", "the content filter 127.0.0.1[127.0.0.1]:10024 refused it, and nothing left: host 127.0.0.1[127.0.0.1] said: 554 5.7.0 Reject"},
		{"nothing signs", func(w *world) { w.unsigned = true }, taken, "note", sent + "; it was sent without a DKIM signature: the signer does not sign it"},
		{"no key yet", func(w *world) { w.server.Ledger["lab.example"][0].Stage = "gone" }, taken, "note", sent + "; it was sent without a DKIM signature: no key of it signs yet"},
		{"init never ran, and a milter signs", foreign, taken, "ok", sent + signs},
		{"init never ran, and nothing signs", func(w *world) { foreign(w); w.unsigned = true }, taken, "note", sent + "; it was sent without a DKIM signature: no milter of Postfix signs it"},
		{"OpenDKIM is down", func(w *world) { w.server.Facts.Daemons["opendkim.service"] = state.Daemon{} }, taken, "unknown", "not sent: it would not get through"},
		{"no domain sends", func(w *world) { w.domains[0].Sends = false }, taken, "unknown", "not sent: none of the domains that are looked at sends mail"},
		{"another mail server", func(w *world) { w.server.Facts.Postfix, w.server.Facts.MTA = nil, "exim4" }, taken, "unknown", "exim4 took it: its log says what became of it"},
		{"no mail server", func(w *world) { w.server.Facts.Postfix = nil }, taken, "unknown", "not sent: no program here sends mail"},
	} {
		w := newWorld(t)
		w.journal = tt.log
		if tt.is != nil {
			tt.is(w)
		}
		within := 6 * time.Second
		if tt.severity == "unknown" {
			within = 50 * time.Millisecond
		}
		r := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{SendTo: to, SendWithin: within})
		i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.Subject == "to "+to })
		if i < 0 || string(r.Findings[i].Severity) != tt.severity || r.Findings[i].Seen != tt.seen {
			t.Errorf("%s: %+v", tt.name, r.Findings[max(i, 0):])
		}
		if left := w.left != ""; left == strings.HasPrefix(tt.seen, "not sent") || left && !strings.Contains(w.left, "@lab.example>\r\nTo: <bob@remote.example>") {
			t.Errorf("%s: it sent %q", tt.name, w.left)
		}
	}
}
