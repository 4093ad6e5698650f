package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mailsetup/internal/e2e/lab"
)

// load sends mail until stop ends, and prints what became of it.
func load(args []string, stop io.Reader) error {
	var o lab.LoadOptions
	if len(args) != 1 {
		return errors.New("usage: probe load OPTIONS")
	}
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	l := &loader{o: o, stop: make(chan struct{})}
	l.number.Store(time.Now().UnixMilli() * 100_000) // no Subject of a process comes twice
	var all sync.WaitGroup
	senders := func(n int, kind string, work func(kind string)) {
		for i := range n {
			all.Go(func() { work(fmt.Sprintf("%s-%d", kind, i)) })
		}
	}
	senders(o.SMTP, "smtp", func(kind string) { l.sessions(kind, 0) })
	senders(o.Sessions, "session", func(kind string) { l.sessions(kind, o.SessionTime) })
	senders(o.Sendmail, "sendmail", l.sendmails)
	senders(o.Strangers, "stranger", l.strangers)
	var err error
	done := make(chan struct{})
	go func() {
		_, err = io.Copy(io.Discard, stop)
		close(l.stop)
		close(done)
	}()
	all.Wait()
	if o.Count == 0 {
		<-done
		if err != nil {
			return err
		}
	}
	return print(l.result)
}

type loader struct {
	o      lab.LoadOptions
	stop   chan struct{}
	number atomic.Int64
	taken  atomic.Int64 // letters of strangers that a sender has begun with

	mu     sync.Mutex
	result lab.Load
}

func (l *loader) note(f func(r *lab.Load)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(&l.result)
}

// going waits between two messages and tells whether there is to be another.
func (l *loader) going() bool {
	select {
	case <-l.stop:
		return false
	case <-time.After(l.o.Pause):
		return true
	}
}

func (l *loader) letter(kind string) lab.Letter {
	return lab.Letter{
		From: l.o.From, HeaderFrom: l.o.From, To: "bob@" + lab.RemoteZone, Helo: "client.example",
		Subject: fmt.Sprintf("%s-%d-%d", kind, os.Getpid(), l.number.Add(1)), Body: strings.Repeat("What a fine day it is.\r\n", 20),
	}
}

// sessions sends messages over SMTP, in sessions that last a while or end with
// the first message. A message that was not taken is offered again and again,
// also after the stop: it is to arrive.
func (l *loader) sessions(kind string, lasting time.Duration) {
	var c *smtp.Client
	var began time.Time
	for l.going() {
		m := l.letter(kind)
		for {
			var err error
			if c == nil {
				c, err = dial("127.0.0.1:25", m.Helo)
				began = time.Now()
			}
			if err == nil {
				err = transact(c, m)
			}
			again := l.judge(m, err)
			if c != nil && (err != nil || time.Since(began) >= lasting) {
				_ = c.Quit() // the message has its answer
				_ = c.Close()
				c = nil
			}
			if !again {
				break
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	if c != nil {
		_ = c.Quit()
	}
}

// strangers send one letter after the other, each from where its client is.
func (l *loader) strangers(string) {
	for l.going() {
		n := int(l.taken.Add(1)) - 1
		if l.o.Count > 0 && n >= l.o.Count {
			return
		}
		m := l.o.Letters[n%len(l.o.Letters)]
		number := fmt.Sprintf("%s-%d-%d", m.Subject, os.Getpid(), l.number.Add(1))
		m.Raw = []byte(strings.Replace(string(m.Raw), "Subject: "+m.Subject, "Subject: "+number, 1))
		if m.Subject = number; len(m.Raw) == 0 {
			m.Raw = nil
		}
		for l.judge(m, offer(m)) {
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// offer sends one letter in a session of its own.
func offer(m lab.Letter) error {
	c, err := connect(m)
	if err != nil {
		return err
	}
	err = transact(c, m)
	_ = c.Quit() // the message has its answer
	_ = c.Close()
	return err
}

// judge books the answer and tells whether to offer the message again.
func (l *loader) judge(m lab.Letter, err error) (again bool) {
	reply := (*textproto.Error)(nil)
	isReply := errors.As(err, &reply)
	l.note(func(r *lab.Load) {
		switch {
		case err == nil:
			r.Sent = append(r.Sent, m.Subject)
		case isReply && reply.Code >= 500:
			r.Refused = append(r.Refused, fmt.Sprintf("%s: %v", m.Subject, reply))
		case isReply:
			r.Deferred++
			if word := fmt.Sprint(reply.Code, " ", reply.Msg); !slices.Contains(r.Temporary, word) && len(r.Temporary) < 5 {
				r.Temporary = append(r.Temporary, word)
			}
		default:
			r.Broken++
		}
		again = err != nil && !(isReply && reply.Code >= 500)
	})
	return again
}

func dial(server, helo string) (*smtp.Client, error) {
	conn, err := net.DialTimeout("tcp", server, 10*time.Second)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		return nil, err
	}
	c, err := smtp.NewClient(conn, server)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := c.Hello(helo); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func transact(c *smtp.Client, m lab.Letter) error {
	if err := c.Mail(m.From); err != nil {
		return err
	}
	if err := c.Rcpt(m.To); err != nil {
		return err
	}
	_, err := data(c, text(m))
	return err
}

// tempFail is EX_TEMPFAIL of sysexits.h.
const tempFail = 75

func (l *loader) sendmails(kind string) {
	for l.going() {
		m := l.letter(kind)
		for {
			cmd := exec.Command("/usr/sbin/sendmail", "-i", "-f", m.From, m.To)
			cmd.Stdin = strings.NewReader(strings.ReplaceAll(text(m), "\r\n", "\n"))
			out, err := cmd.CombinedOutput()
			if err == nil {
				l.note(func(r *lab.Load) { r.Sent = append(r.Sent, m.Subject) })
				break
			}
			if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != tempFail {
				l.note(func(r *lab.Load) { r.Refused = append(r.Refused, fmt.Sprintf("%s: %v: %s", m.Subject, err, out)) })
				break
			}
			l.note(func(r *lab.Load) { r.Deferred++ })
			time.Sleep(200 * time.Millisecond)
		}
	}
}
