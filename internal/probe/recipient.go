package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"regexp"
	"strings"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// recipients asks, without a message, whether Postfix accepts and delivers mail for
// addresses: by RCPT, where it listens, and for p.Deliver by a delivery agent that logs
// what it would do.
func (b *Prober) recipients(ctx context.Context, p state.Probe) error {
	if p.Address != "" {
		if err := retry(ctx, p.Within, func(ctx context.Context) error { return acceptsRecipients(ctx, p.Address, p.Recipients) }); err != nil {
			return err
		}
	}
	if p.Deliver == "" {
		return nil
	}
	return b.deliverable(ctx, p.Deliver, p.Within)
}

// acceptsRecipients returns an error if a recipient is rejected as unknown (the codes
// 5.1.x of RFC 3463). Other rejections depend on the client and the moment.
func acceptsRecipients(ctx context.Context, address string, recipients []string) error {
	fail := func(step string, err error) error { return fmt.Errorf("smtp %s: %s: %w", address, step, answered(err)) }
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return fail("connect", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c, err := smtp.NewClient(conn, address)
	if err == nil {
		err = c.Hello(literal(conn.LocalAddr()))
	}
	if err == nil {
		err = c.Mail("")
	}
	if err != nil {
		return fail("MAIL FROM:<>", err)
	}
	for _, to := range recipients {
		err := c.Rcpt(to)
		if said := new(textproto.Error); errors.As(err, &said) {
			if said.Code >= 500 && strings.HasPrefix(said.Msg, "5.1.") {
				return permanent{fail(fmt.Sprintf("RCPT TO:<%s>", to), fmt.Errorf("%d %s", said.Code, said.Msg))}
			}
		} else if err != nil {
			return fail(fmt.Sprintf("RCPT TO:<%s>", to), err)
		}
	}
	_, _ = c.Reset(), c.Quit() // it has answered
	return nil
}

// delivered matches the log line of a delivery agent about a name without a domain.
var delivered = regexp.MustCompile(`orig_to=<([^>]*)>,.* dsn=(\d)\.\S+ status=((?:un)?deliverable) \((.*)\)$`)

// deliverable asks Postfix what it would do with mail for a user of this machine: with
// sendmail -bv, whose report goes to nobody, since the sender is empty; the delivery
// agents log it as well. Without a systemd journal nothing is proven, and that is no
// error.
func (b *Prober) deliverable(ctx context.Context, user string, within time.Duration) error {
	at, err := b.run.Run(ctx, system.Command{Argv: []string{"journalctl", "-q", "-n", "1", "--show-cursor", "-o", "cat"}})
	_, cursor, found := strings.Cut(string(at.Stdout), "-- cursor: ")
	if err != nil || !found {
		return err
	}
	res, err := b.run.Run(ctx, system.Command{Argv: []string{"sendmail", "-bv", "-f", "", user}})
	if err != nil {
		return fmt.Errorf("run sendmail: %w", err)
	}
	if res.Code != 0 {
		return fmt.Errorf("sendmail -bv %s: exit status %d: %s", user, res.Code, lastLine(res.Stderr, res.Stdout))
	}
	var lines []string
	_ = retry(ctx, within, func(ctx context.Context) error {
		log, err := b.run.Run(ctx, system.Command{Argv: []string{"journalctl", "-q", "-o", "cat", "--after-cursor", strings.TrimSpace(cursor)}})
		lines = strings.Split(string(log.Stdout), "\n")
		if _, told := verdict(lines, user); err != nil || !told {
			return errors.New("not told yet")
		}
		return nil
	})
	if why, told := verdict(lines, user); told && why != "" {
		return fmt.Errorf("mail for %s is lost: %s", user, why)
	}
	return ctx.Err()
}

// verdict returns why mail for a user would be lost, "" if it is delivered, as far as
// the log lines tell.
func verdict(lines []string, user string) (why string, told bool) {
	for _, line := range lines {
		m := delivered.FindStringSubmatch(strings.TrimSpace(line))
		switch {
		case m == nil || m[1] != user:
		case m[3] == "deliverable", m[2] != "5": // or it waits
			return "", true
		default:
			why, told = m[4], true
		}
	}
	return why, told
}
