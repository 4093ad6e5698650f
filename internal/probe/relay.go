package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/smtp"
	"net/textproto"
)

// Relays offers a message from a sender to a recipient, from an address of this machine,
// up to the answer to DATA, and closes the connection: nothing was sent. It returns that
// answer, or as an error of type *textproto.Error the refusal.
func Relays(ctx context.Context, local netip.Addr, server, from, to string) (reply string, err error) {
	d := &net.Dialer{LocalAddr: &net.TCPAddr{IP: local.AsSlice(), Zone: local.Zone()}}
	conn, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := textproto.NewConn(conn)
	code := 0
	if _, reply, err = c.ReadResponse(220); err != nil {
		return "", closed(err, server)
	}
	for _, step := range []struct {
		line string
		code int
	}{
		{"EHLO " + literal(conn.LocalAddr()), 250}, {"MAIL FROM:<" + from + ">", 250}, {"RCPT TO:<" + to + ">", 250}, {"DATA", 354},
	} {
		if err := c.PrintfLine("%s", step.line); err != nil {
			return "", closed(err, server)
		}
		if code, reply, err = c.ReadResponse(step.code); err != nil {
			return "", closed(err, server)
		}
	}
	return fmt.Sprintf("%d %s", code, reply), nil
}

// Accepts returns nil if a server takes a recipient from this machine, and as an error of
// type *textproto.Error its refusal.
func Accepts(ctx context.Context, server, to string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c, err := smtp.NewClient(conn, server)
	if err == nil {
		err = c.Hello(literal(conn.LocalAddr()))
	}
	if err == nil {
		err = c.Mail("")
	}
	if err != nil {
		return fmt.Errorf("before RCPT: %s", closed(err, server)) // it says nothing of the recipient
	}
	if err := c.Rcpt(to); err != nil {
		return closed(err, server)
	}
	_, _ = c.Reset(), c.Quit()
	return nil
}

// Greeting returns what a server says first, without the code.
func Greeting(ctx context.Context, server string) (string, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := textproto.NewConn(conn)
	_, line, err := c.ReadResponse(220)
	if err != nil {
		return "", closed(err, server)
	}
	return line, c.PrintfLine("QUIT")
}

// closed names the server that did not answer in time.
func closed(err error, server string) error {
	if errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("no answer from %s in time", server)
	}
	return err
}
