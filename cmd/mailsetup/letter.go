package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mailsetup/internal/machine"
	"mailsetup/internal/notify"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/zonefile"
)

// letter is a mail to whoever host.toml names in notify.
type letter struct{ subject, body string }

func (l letter) message(h spec.Host, now time.Time) notify.Message {
	return notify.Message{Hostname: h.Hostname, To: h.Notify, Subject: l.subject, Body: l.body, Date: now}
}

// send posts a letter where the host wants any. A run does not fail for it.
func (s *session) send(ctx context.Context, h spec.Host, l letter) {
	if h.Notify == "" || s.o.root != "" || s.o.dryRun {
		return
	}
	if err := notify.Send(ctx, s.Sys, l.message(h, s.Now)); err != nil {
		s.c.say("no mail to %s: %s", h.Notify, harmless(err))
	}
}

// mailFailure posts why a run failed that nobody sits in front of, at most once
// a day. The run may have failed before it knew anything, so this looks for
// itself, and host.toml alone has to be readable.
func mailFailure(ctx context.Context, c console, o options, failed error) {
	code, hints := judge(failed)
	if errors.Is(failed, errProblemsFound) || code == exitInterrupted || os.Geteuid() != 0 {
		return
	}
	s := &session{c: c, o: o}
	s.Machine = machine.New(system.NewHost(system.Options{}), nil, s.machineOptions())
	why := []string{"mailsetup: " + harmless(failed)}
	for _, hint := range hints {
		why = append(why, "hint: "+plan.Printable(hint))
	}
	if some := (*leftOut)(nil); errors.As(failed, &some) {
		why = append(some.why, why...)
	}
	s.failedTo(ctx, strings.Join(why, "\n"))
}

func (s *session) failedTo(ctx context.Context, why string) {
	host, err := s.store().Host() // what is wrong with it is what failed
	if err != nil || host.Notify == "" || host.Hostname == "" {
		return
	}
	if at, ok := s.store().LastFailureMail(); ok && s.today(at) {
		return
	}
	if err := s.store().SaveFailureMail(s.Now); err != nil {
		s.c.say("%v", err)
		return // or each run would send one
	}
	s.send(ctx, host, letter{"mailsetup rotate-dkim failed", why + "\n" + failedNote})
}

const failedNote = `
It is tried again every hour. Of a failure you are told once a day; more is in
the journal: journalctl -u mailsetup-rotate
`

// awaited is a key that waits for somebody.
type awaited struct {
	domain string
	record state.Record
	manual bool   // the record is to be published by hand
	text   string // what is in the way, "" if nobody looked yet
}

// inLetter is how many keys a letter is about.
const inLetter = 100

// waitingLetter says of all keys that wait what to publish, or what is wrong,
// and what else the run left to the administrator.
func waitingLetter(list []awaited, left []state.Note) letter {
	manual := 0
	for _, a := range list {
		if a.manual {
			manual++
		}
	}
	rest := reasons(list)
	if len(left) > 0 {
		var b strings.Builder
		writeNotes(&b, left)
		rest += "Left for you:\n" + b.String()
	}
	switch {
	case manual > 0:
		return letter{counted(manual, "publish a DKIM record", "publish DKIM records"), toPublish + pasted(list) + rest}
	case len(list) > 0:
		return letter{counted(len(list), "a new DKIM key waits", "new DKIM keys wait"), stillWaits + rest}
	}
	return letter{"left for you by mailsetup rotate-dkim", rest}
}

// pasted are the records that somebody has to publish, in two forms.
func pasted(list []awaited) string {
	var lines, zones strings.Builder
	for _, a := range list[:min(len(list), inLetter)] {
		if a.manual {
			fmt.Fprintf(&lines, "%s\n\n", onOneLine(a.record))
			fmt.Fprintf(&zones, "%s\n", zonefile.Text(a.domain, []state.Record{a.record}))
		}
	}
	return "Name, type and value:\n\n" + lines.String() + "The same as text of a zone file:\n\n" + zones.String()
}

// reasons are what keeps each key waiting.
func reasons(list []awaited) string {
	var b strings.Builder
	for _, a := range list[:min(len(list), inLetter)] {
		if a.text != "" {
			fmt.Fprintf(&b, "%s\n\n", fold(plan.Printable(a.text), 76))
		}
	}
	if more := len(list) - inLetter; more > 0 {
		fmt.Fprintf(&b, "And %d more domains: mailsetup dns prints all records.\n\n", more)
	}
	return b.String()
}

const toPublish = `Publish what follows, beside the records that are there. mailsetup looks every
hour: once every name server has had a record for long enough, its key signs.
Until then the one before does; no mail waits for this.

`

const stillWaits = `A new DKIM key signs once every name server has its record. Until then the one
before does; no mail waits for this.

`

// onOneLine is a record as it is printed for those who publish it.
func onOneLine(r state.Record) string {
	return strings.TrimSuffix(r.Name, ".") + " " + r.Type + " " + r.Value
}

func counted(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf("%s (%d)", many, n)
}
