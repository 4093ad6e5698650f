package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

const record202612 = "v=DKIM1; h=sha256; k=rsa; p=MIIB"

func waitsFor(domain string) awaited {
	return awaited{
		domain: domain, manual: true, text: domain + ": 202612 does not sign yet, 202611 goes on: ns1: no record\x1b[2J",
		record: state.Record{Name: "202612._domainkey." + domain + ".", Type: "TXT", TTL: 3600, Value: record202612},
	}
}

// TestWaitingLetter: a letter has what to paste, twice, and no more than that.
func TestWaitingLetter(t *testing.T) {
	const want = `From: mailsetup <root@mail.lab.example>
To: <ops@lab.example>
Subject: mail.lab.example: publish a DKIM record
Date: Sun, 22 Nov 2026 10:00:00 +0000
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Publish what follows, beside the records that are there. mailsetup looks every
hour: once every name server has had a record for long enough, its key signs.
Until then the one before does; no mail waits for this.

Name, type and value:

202612._domainkey.lab.example TXT v=DKIM1; h=sha256; k=rsa; p=MIIB

The same as text of a zone file:

; Mail records of lab.example

; DKIM: the public keys that signatures are checked with
202612._domainkey.lab.example. 3600 IN TXT  "v=DKIM1; h=sha256; k=rsa; p=MIIB"

lab.example: 202612 does not sign yet, 202611 goes on: ns1: no record\x1b[2J
`
	h := spec.Host{Hostname: "mail.lab.example", Notify: "ops@lab.example"}
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	if got := string(waitingLetter([]awaited{waitsFor("lab.example")}, nil).message(h, now).Bytes()); got != want {
		t.Errorf("the letter is\n%s", got)
	}
}

// TestOneLetter: many domains are in one letter, which stays small.
func TestOneLetter(t *testing.T) {
	var list []awaited
	for i := range 250 {
		list = append(list, waitsFor(fmt.Sprintf("d%d.example", i)))
	}
	l := waitingLetter(list, nil)
	if l.subject != "publish DKIM records (250)" {
		t.Errorf("subject %q", l.subject)
	}
	if n := strings.Count(l.body, record202612); n != 200 {
		t.Errorf("%d records, want each of 100 twice", n)
	}
	if !strings.Contains(l.body, "And 150 more domains: mailsetup dns prints all records.") {
		t.Errorf("the end is %q", l.body[len(l.body)-200:])
	}
	stale := waitsFor("lab.example")
	stale.manual = false
	if l := waitingLetter([]awaited{stale}, nil); l.subject != "a new DKIM key waits" || strings.Contains(l.body, record202612) {
		t.Errorf("of a stale server: %s\n%s", l.subject, l.body)
	}
}

// TestLetterOfWhatIsLeft: what a run leaves to the administrator is in it.
func TestLetterOfWhatIsLeft(t *testing.T) {
	l := waitingLetter(nil, []state.Note{{Topic: "dns", Text: "take this record out", Do: "202611._domainkey.lab.example. TXT"}})
	const want = "Left for you:\n  * dns: take this record out\n      202611._domainkey.lab.example. TXT\n"
	if l.subject != "left for you by mailsetup rotate-dkim" || l.body != want {
		t.Errorf("%s\n%s", l.subject, l.body)
	}
}

// TestLettersAreOptional: nobody asked for any, or none can be sent.
func TestLettersAreOptional(t *testing.T) {
	s, mem, said, _ := bareSession(t)
	sent := 0
	mem.OnRun = func(c system.Command) (system.Result, error) {
		sent++
		if got := strings.Join(c.Argv, " "); got != "sendmail -t -i" {
			t.Errorf("ran %s", got)
		}
		return system.Result{Code: 75, Stderr: []byte("sendmail: fatal: queue file write error\n")}, nil
	}
	s.send(t.Context(), spec.Host{Hostname: "mail.lab.example"}, letter{"x", "y"})
	if sent > 0 {
		t.Error("nobody asked for letters")
	}
	s.send(t.Context(), spec.Host{Hostname: "mail.lab.example", Notify: "ops@lab.example"}, letter{"x", "y"})
	const want = "no mail to ops@lab.example: run sendmail: exit status 75: sendmail: fatal: queue file write error\n"
	if said.String() != want {
		t.Errorf("said %q", said)
	}
}

// TestFailuresAreMailedOnceADay, and also when a domain's file is what is wrong.
func TestFailuresAreMailedOnceADay(t *testing.T) {
	s, mem, said, _ := bareSession(t)
	var letters []string
	mem.OnRun = func(c system.Command) (system.Result, error) {
		letters = append(letters, string(c.Stdin))
		return system.Result{}, nil
	}
	mem.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700})
	mem.PutFile(spec.HostFile, `version = 1
hostname = "mail.lab.example"
domain = "lab.example"
addresses = ["192.0.2.10"]
notify = "ops@lab.example"
`)
	start := s.Now
	for _, after := range []time.Duration{0, time.Hour, 23 * time.Hour, 25 * time.Hour, -48 * time.Hour} {
		s.Now = start.Add(after)
		s.failedTo(t.Context(), "mailsetup: reload named.service: failed\nhint: journalctl -u named")
	}
	if len(letters) != 3 {
		t.Fatalf("%d letters, want them after 0 h and 25 h, and by a clock that went back:\n%s\n%s", len(letters), letters, said)
	}
	for _, want := range []string{
		"To: <ops@lab.example>\n", "Subject: mail.lab.example: mailsetup rotate-dkim failed\n",
		"\n\nmailsetup: reload named.service: failed\nhint: journalctl -u named\n",
	} {
		if !strings.Contains(letters[0], want) {
			t.Errorf("no %q in\n%s", want, letters[0])
		}
	}
}
