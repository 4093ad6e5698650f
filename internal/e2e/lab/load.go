package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os/exec"
	"strconv"
	"time"
)

// LoadOptions describe steady mail. The zero value of each field is usable.
type LoadOptions struct {
	// SMTP and Sendmail are the numbers of senders of each kind: clients of
	// port 25 with a session for each message, and callers of sendmail(1).
	SMTP, Sendmail int
	// Sessions is the number of clients that send one message after the other
	// in a session of SessionTime.
	Sessions    int
	SessionTime time.Duration
	// From is the header and envelope sender of all of it.
	From string
	// Letters are mail of strangers, each from its Client, by one of Strangers senders
	// with a session for each message. They are sent in turns, their Subject with a
	// number behind it, until Count have been taken, or forever for 0.
	Letters          []Letter
	Strangers, Count int
	// Pause is what each sender waits between two messages.
	Pause time.Duration
}

// Load is what became of the mail, from the senders' side.
type Load struct {
	// Sent are the messages that Postfix took, by their Subject.
	Sent []string
	// Deferred counts answers of the 4xx kind and of sendmail's EX_TEMPFAIL,
	// after which the message was offered again.
	Deferred int
	// Broken counts sessions that ended without an answer: the message was
	// offered again, as a real client would.
	Broken int
	// Refused are the permanent refusals, in the server's words.
	Refused []string
	// Temporary is one answer of the 4xx kind for each that differs, without the session's
	// own words, at most a few.
	Temporary []string
}

// Audit is what arrived, from the sink's side.
type Audit struct {
	// Times counts how often each Subject arrived.
	Times map[string]int
	// Bad are the messages that do not carry exactly one valid signature of
	// the sender's domain, by Subject, with the reason.
	Bad map[string]string
	// Late are the messages whose signature is older than was asked for, by
	// Subject: whether it is still valid does not matter.
	Late []string
}

// Sending is mail under way.
type Sending struct {
	cmd       *exec.Cmd
	stop      io.Closer
	out, errs bytes.Buffer
}

// Load begins to send mail to RemoteZone until Stop is called.
func (b *Box) Load(t T, o LoadOptions) *Sending {
	t.Helper()
	b.probe(t)
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	s := &Sending{cmd: b.Command(t.Context(), probePath, "load", string(text))}
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.errs
	if s.stop, err = s.cmd.StdinPipe(); err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		t.Fatalf("%s: load: %v", b.Name, err)
	}
	return s
}

// Wait lets the senders of Letters send as many as they were asked for.
func (s *Sending) Wait(t T) Load {
	t.Helper()
	return s.result(t)
}

// Stop lets each sender finish its message and tells what became of the mail.
func (s *Sending) Stop(t T) Load {
	t.Helper()
	s.stop.Close()
	return s.result(t)
}

func (s *Sending) result(t T) Load {
	t.Helper()
	if err := s.cmd.Wait(); err != nil {
		t.Fatalf("load: %v\n%s", err, s.errs.String())
	}
	var l Load
	if err := json.Unmarshal(s.out.Bytes(), &l); err != nil {
		t.Fatalf("load: %v\n%s", err, s.out.String())
	}
	return l
}

// Audit verifies everything the sink has received.
func (s *Sink) Audit(t T, domain string) Audit {
	t.Helper()
	var a Audit
	s.box.answer(t, nil, &a, "audit", "-dir", sinkDir, "-domain", domain)
	return a
}

// AuditSome verifies the messages from one number of arrival up to another,
// each against the domain of its From, with the records of this moment. Of those
// that were signed longer ago than within nothing is demanded, unless that is 0.
func (s *Sink) AuditSome(t T, from, to int, within time.Duration) Audit {
	t.Helper()
	var a Audit
	s.box.answer(t, nil, &a, "audit", "-dir", sinkDir, "-from", strconv.Itoa(from), "-to", strconv.Itoa(to), "-within", within.String())
	return a
}

// Hurry makes Postfix try at once what it would try again within a minute or
// so: what sendmail(1) left behind, and what is deferred.
func (b *Box) Hurry(ctx context.Context) {
	// Where Postfix is down there is nothing to hurry.
	_, _, _ = b.Exec(ctx, nil, "sh", "-c", "postkick public pickup W; postqueue -f")
}
