// Package notify mails the administrator, and says in the journal what must not be
// missed.
package notify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"mailsetup/internal/mailbox"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// Message is a mail in plain text. What it says is public: records, and what was
// printed.
type Message struct {
	Hostname string // of this server
	To       string // the address, as it went through the spec: no control characters
	Subject  string // without the server's name
	Body     string
	Date     time.Time
}

// Bytes returns the message as sendmail(1) takes it, without control characters of
// others. It asks programs for no
// answer (RFC 3834 section 5).
func (m Message) Bytes() []byte {
	head := []string{
		"From: mailsetup <root@" + m.Hostname + ">",
		"To: <" + m.To + ">",
		"Subject: " + m.Hostname + ": " + m.Subject,
		"Date: " + m.Date.Format(time.RFC1123Z),
		"Auto-Submitted: auto-generated",
		"MIME-Version: 1.0",
		"Content-Type: text/plain; charset=utf-8",
		"Content-Transfer-Encoding: 8bit",
	}
	return []byte(strings.Join(head, "\n") + "\n\n" + text.PrintableLines(strings.TrimRight(m.Body, "\n")) + "\n")
}

// sendTimeout bounds sendmail(1), which only has to queue the message.
const sendTimeout = time.Minute

// Send queues a message with sendmail(1).
func Send(ctx context.Context, programs system.Runner, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	res, err := programs.Run(ctx, system.Command{Argv: []string{"sendmail", "-t", "-i"}, Stdin: m.Bytes()})
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("run sendmail: exit status %d: %s", res.Code, strings.TrimSpace(string(res.Stderr)))
	}
	return err
}

// ToRoot appends a message to root's mailbox, a file of this machine, whatever
// aliases say: mail to others may fail just now.
func ToRoot(ctx context.Context, file string, m Message) error {
	m.To = "root@" + m.Hostname
	return mailbox.Append(ctx, file, m.Bytes(), m.Date)
}
