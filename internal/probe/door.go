package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"time"
)

// answersPolicy asks a policy service about a message of this machine's own, as smtpd(8)
// does (SMTPD_POLICY_README). Any action is an answer.
func answersPolicy(ctx context.Context, socket string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("policy service %s: %w", socket, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	_, err = fmt.Fprintf(conn, "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\nclient_address=127.0.0.1\n"+
		"client_name=localhost\nhelo_name=localhost\nsender=\nrecipient=postmaster\ninstance=mailsetup.%x\n\n", time.Now().UnixNano())
	if err != nil {
		return fmt.Errorf("policy service %s: %w", socket, err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	switch {
	case strings.HasPrefix(line, "action="):
		return nil
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("policy service %s: it ends without an answer", socket)
	case err != nil:
		return fmt.Errorf("policy service %s: no answer", socket)
	}
	return fmt.Errorf("policy service %s: answers %.60q", socket, line)
}

// decides asks for each recipient from the loopback, and from addresses of this machine
// that Postfix may take for those of strangers. Any decision will do; a program that died,
// or a restriction that is broken, makes none.
func decides(ctx context.Context, server string, recipients []string) error {
	locals := []netip.Addr{{}}
	own, _ := net.InterfaceAddrs()
	for _, a := range own {
		n, err := netip.ParsePrefix(a.String())
		if err == nil && !n.Addr().IsLoopback() && !n.Addr().IsLinkLocalUnicast() && len(locals) < 4 {
			locals = append(locals, n.Addr())
		}
	}
	to, err := netip.ParseAddrPort(server)
	for _, local := range locals {
		if err == nil && local.IsValid() && local.Is4() != to.Addr().Unmap().Is4() {
			continue
		}
		if err := decidesFor(ctx, server, local, recipients); err != nil {
			return err
		}
	}
	return nil
}

func decidesFor(ctx context.Context, server string, local netip.Addr, recipients []string) error {
	d := &net.Dialer{}
	if local.IsValid() {
		d.LocalAddr = &net.TCPAddr{IP: local.AsSlice(), Zone: local.Zone()}
	}
	conn, err := d.DialContext(ctx, "tcp", server)
	if err != nil {
		return fmt.Errorf("smtp %s: connect: %w", server, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := textproto.NewConn(conn)
	lines := []string{"EHLO " + literal(conn.LocalAddr()), "MAIL FROM:<>"}
	for _, to := range recipients {
		lines = append(lines, "RCPT TO:<"+to+">")
	}
	for i, line := range append([]string{""}, lines...) {
		if line != "" {
			err = c.PrintfLine("%s", line)
		}
		if err == nil {
			_, _, err = c.ReadResponse(2)
		}
		var said *textproto.Error
		switch {
		case err == nil:
		case errors.As(err, &said) && !broken(said):
			if i < 3 {
				return nil // it decides before it knows the recipient
			}
			err = nil
		case said != nil:
			return fmt.Errorf("smtp %s: %s: %d %s", server, line, said.Code, said.Msg)
		default:
			return fmt.Errorf("smtp %s: %s: %w", server, line, answered(err))
		}
	}
	return c.PrintfLine("QUIT")
}

// broken reports whether a reply is that of a server whose configuration does not work:
// service unavailable, or local problems (RFC 3463, X.3.0 and X.3.5).
func broken(said *textproto.Error) bool {
	return said.Code == 421 || strings.HasPrefix(said.Msg, "4.3.0") || strings.HasPrefix(said.Msg, "4.3.5")
}
