package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-milter"
)

// actions are all that a milter of protocol version 2 may request; OpenDKIM refuses to
// negotiate if one that it needs is not offered, and the library to use version 2 if a
// later one is.
const actions = milter.OptAddHeader | milter.OptChangeBody | milter.OptAddRcpt |
	milter.OptRemoveRcpt | milter.OptChangeHeader | milter.OptQuarantine

// session is a connection to a milter that ends with its context.
type session struct {
	*milter.ClientSession
	dial *dialer
	// accepted: the milter wants no mail of this client.
	accepted bool
}

// dialer gives the library its connection and keeps it to close it: the library leaves
// it open if the negotiation fails, and knows no context.
type dialer struct {
	ctx  context.Context
	conn net.Conn
	stop func() bool
}

// Dial implements milter.Dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.conn = conn
	d.stop = context.AfterFunc(d.ctx, func() { _ = conn.Close() })
	return conn, nil
}

// close ends the connection, if there was one.
func (d *dialer) close() {
	if d.conn != nil {
		d.stop()
		_ = d.conn.Close()
	}
}

// open connects to a milter and negotiates.
func open(ctx context.Context, address string) (*session, error) {
	network, target, err := endpoint(address)
	if err != nil {
		return nil, err
	}
	d := &dialer{ctx: ctx}
	timeout := 10 * time.Second
	if end, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(end))
	}
	client := milter.NewClientWithOptions(network, target, milter.ClientOptions{
		Dialer: d, ReadTimeout: timeout, WriteTimeout: timeout, ActionMask: actions,
	})
	s, err := client.Session()
	if err != nil {
		d.close()
		return nil, fmt.Errorf("milter %s: %w", address, stripPrefix(err))
	}
	return &session{ClientSession: s, dial: d}, nil
}

// close says goodbye and closes the connection whatever the milter answers.
func (s *session) close() {
	_ = s.Close()
	s.dial.close()
}

// stripPrefix removes the library's prefixes from an error.
func stripPrefix(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || !strings.HasPrefix(err.Error(), "milter: ") {
			return err
		}
		err = inner
	}
}

// negotiates returns an error unless a milter listens and speaks the protocol.
func negotiates(ctx context.Context, address string) error {
	s, err := open(ctx, address)
	if err != nil {
		return err
	}
	s.close()
	return nil
}

// endpoint parses the address of a milter: an absolute path, or OpenDKIM's (local:PATH,
// unix:PATH, inet:PORT@HOST) or Postfix's (inet:HOST:PORT) notation.
func endpoint(written string) (network, target string, err error) {
	address := written
	kind, rest, _ := strings.Cut(address, ":")
	switch {
	case strings.HasPrefix(address, "/"):
		return "unix", address, nil
	case (kind == "unix" || kind == "local") && strings.HasPrefix(rest, "/"):
		return "unix", rest, nil
	case kind == "unix" || kind == "local":
		address = ""
	case kind == "inet" || kind == "inet6":
		if port, host, ok := strings.Cut(rest, "@"); ok {
			return "tcp", net.JoinHostPort(strings.Trim(host, "[]"), port), nil
		}
		address = rest
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", "", permanent{fmt.Errorf("milter address %q: neither an absolute path nor host:port", written)}
	}
	return "tcp", address, nil
}

// connect plays a local client, as Postfix describes one.
func (s *session) connect() error {
	_ = s.Macros(milter.CodeConn, "j", "localhost", "{daemon_name}", "localhost", "{client_addr}", "127.0.0.1")
	return s.hello("localhost", "127.0.0.1")
}

// send sends the message through the milter and makes the changes that it requests.
// Macros are further names and values for MAIL FROM. A milter that accepts before the end
// wants no more of the message, and an MTA sends it none: OpenDKIM does not answer to that.
func (s *session) send(from string, m *message, macros ...string) error {
	if s.accepted {
		return nil
	}
	_ = s.Macros(milter.CodeMail, append([]string{"i", "mailsetup", "{mail_addr}", from}, macros...)...)
	type step struct {
		name string
		do   func() (*milter.Action, error)
	}
	steps := []step{
		{"MAIL FROM", func() (*milter.Action, error) { return s.Mail(from, nil) }},
		{"RCPT TO", func() (*milter.Action, error) { return s.Rcpt(strings.Trim(m.fields[1].value, "<>"), nil) }},
	}
	for _, f := range m.fields {
		steps = append(steps, step{"header " + f.name, func() (*milter.Action, error) { return s.HeaderField(f.name, f.value) }})
	}
	steps = append(steps, step{"end of header", s.HeaderEnd}, step{"body", func() (*milter.Action, error) { return s.BodyChunk(m.body) }})
	for _, step := range steps {
		a, err := step.do()
		if err := proceed(a, err); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		if a.Code == milter.ActAccept {
			return nil
		}
	}
	changes, verdict, err := s.End()
	if err := proceed(verdict, err); err != nil {
		return fmt.Errorf("end of message: %w", err)
	}
	for _, c := range changes {
		m.apply(c)
	}
	return nil
}

// hello says who connects. A milter may accept all of that client's mail at once.
func (s *session) hello(host, address string) error {
	a, err := s.Conn(host, milter.FamilyInet, 25, address)
	if err := proceed(a, err); err != nil {
		return fmt.Errorf("connection: %w", err)
	}
	if s.accepted = a.Code == milter.ActAccept; s.accepted {
		return nil
	}
	a, err = s.Helo(host)
	if err := proceed(a, err); err != nil {
		return fmt.Errorf("HELO: %w", err)
	}
	s.accepted = a.Code == milter.ActAccept
	return nil
}

// refusal is a verdict of a milter by which a message is not taken.
type refusal string

func (r refusal) Error() string { return string(r) }

// proceed returns an error for a rejection. Accept before the end means that the milter
// skips the rest: such a message is unsigned.
func proceed(a *milter.Action, err error) error {
	if err != nil {
		return stripPrefix(err)
	}
	switch a.Code {
	case milter.ActContinue, milter.ActSkip, milter.ActAccept:
		return nil
	case milter.ActReplyCode:
		return refusal(fmt.Sprintf("refused: %d %s", a.SMTPCode, strings.TrimSpace(a.SMTPText)))
	case milter.ActTempFail:
		return refusal("refused for now (tempfail)")
	case milter.ActReject:
		return refusal("refused")
	case milter.ActDiscard:
		return refusal("discarded")
	default:
		return fmt.Errorf("answered %q", byte(a.Code))
	}
}
