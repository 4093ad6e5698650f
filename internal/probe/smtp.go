package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"net/textproto"
	"syscall"
	"time"

	"mailsetup/internal/state"
)

// takesSender talks to an SMTP server up to MAIL FROM, which fails for everybody if a
// milter does not answer or a restriction is broken. The sender is that of the first
// signer, or the null sender.
func takesSender(ctx context.Context, p state.Probe) error {
	fail := func(step string, err error) error {
		// The library quotes the server's text; people search for it as it is.
		if said := new(textproto.Error); errors.As(err, &said) {
			err = fmt.Errorf("%d %s", said.Code, said.Msg)
		}
		return fmt.Errorf("smtp %s: %s: %w", p.Address, step, answered(err))
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.Address)
	if err != nil {
		return fail("connect", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c, err := smtp.NewClient(conn, p.Address)
	if err != nil {
		return fail("greeting", err)
	}
	if err := c.Hello(literal(conn.LocalAddr())); err != nil {
		return fail("EHLO", err)
	}
	from := ""
	if len(p.Signers) > 0 {
		from = p.Signers[0].From
	}
	if err := c.Mail(from); err != nil {
		return fail(fmt.Sprintf("MAIL FROM:<%s>", from), err)
	}
	if err := c.Reset(); err != nil {
		return fail("RSET", err)
	}
	if err := c.Quit(); err != nil {
		return fail("QUIT", err)
	}
	return nil
}

// answered returns the error of a dialogue that was ended when its time was over as one
// of a server that does not answer.
func answered(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return errors.New("no answer")
	}
	return err
}

// errClosed says that a server ended the connection before it said anything.
var errClosed = errors.New("the connection is closed without a greeting")

// greets asks until the server says anything. Where a program died it is asked once
// more, and not for long: Postfix starts another one a minute later.
func greets(ctx context.Context, p state.Probe) error {
	var died error
	return retry(ctx, p.Within, func(ctx context.Context) error {
		if died == nil {
			err := replies(ctx, p.Address)
			if errors.Is(err, errClosed) {
				died = err
			}
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		if err := replies(ctx, p.Address); err != nil {
			return permanent{died}
		}
		return nil
	})
}

// replies connects to an SMTP server and waits for its reply. One that refuses the
// client answers as well; a program that dies before it says anything does not.
func replies(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("smtp %s: connect: %w", address, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := textproto.NewConn(conn)
	switch _, _, err := c.ReadResponse(0); {
	case errors.As(err, new(*textproto.Error)), err == nil:
		return c.PrintfLine("QUIT")
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Errorf("smtp %s: %w", address, errClosed)
	default:
		return fmt.Errorf("smtp %s: no greeting", address)
	}
}

// literal returns the address literal (RFC 5321 section 4.1.3) of our end, which
// restrictions on host names in EHLO accept.
func literal(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	switch {
	case !ok:
		return "localhost"
	case tcp.IP.To4() == nil:
		return "[IPv6:" + tcp.IP.String() + "]"
	default:
		return "[" + tcp.IP.String() + "]"
	}
}
