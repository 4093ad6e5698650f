package probe

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"mailsetup/internal/state"
)

// backend is an SMTP server that remembers whom it spoke to.
type backend struct {
	mu     sync.Mutex
	helo   string
	from   []string
	resets int
	refuse atomic.Int32 // how many MAIL FROM to refuse
}

type smtpSession struct {
	*backend
	conn *smtp.Conn
}

func (b *backend) NewSession(c *smtp.Conn) (smtp.Session, error) { return smtpSession{b, c}, nil }

func (s smtpSession) Mail(from string, _ *smtp.MailOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse.Add(-1) >= 0 {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Service unavailable - try again later"}
	}
	s.helo, s.from = s.conn.Hostname(), append(s.from, from)
	return nil
}

func (s smtpSession) Rcpt(string, *smtp.RcptOptions) error {
	return errors.New("no recipient expected")
}
func (s smtpSession) Data(io.Reader) error { return errors.New("no message expected") }
func (s smtpSession) Logout() error        { return nil }
func (s smtpSession) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resets++
}

func smtpServer(t *testing.T, b *backend) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := smtp.NewServer(b)
	server.Domain = "mail.example.org"
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

func TestSMTP(t *testing.T) {
	t.Parallel()
	b := &backend{}
	p := state.Probe{Kind: state.ProbeSMTP, Address: smtpServer(t, b)}
	wantError(t, probe(t, NewProber(nil, nil), p), "")
	p.Signers = []state.Signer{{From: "root@example.org"}}
	wantError(t, probe(t, NewProber(nil, nil), p), "")
	b.mu.Lock()
	defer b.mu.Unlock()
	if got := strings.Join(b.from, ","); got != ",root@example.org" || b.helo != "[127.0.0.1]" || b.resets == 0 {
		t.Errorf("senders %q, EHLO %q, %d resets", got, b.helo, b.resets)
	}
}

func TestSMTPRetries(t *testing.T) {
	t.Parallel()
	b := &backend{}
	b.refuse.Store(2)
	p := state.Probe{Kind: state.ProbeSMTP, Address: smtpServer(t, b), Within: 20 * time.Second}
	wantError(t, probe(t, NewProber(nil, nil), p), "")
}

func TestSMTPRefuses(t *testing.T) {
	t.Parallel()
	b := &backend{}
	b.refuse.Store(1 << 20)
	p := state.Probe{Kind: state.ProbeSMTP, Address: smtpServer(t, b), Within: time.Second}
	wantError(t, probe(t, NewProber(nil, nil), p), "MAIL FROM:<>: 451 4.7.1 Service unavailable - try again later")
	p.Address = "127.0.0.1:1"
	wantError(t, probe(t, NewProber(nil, nil), p), "smtp 127.0.0.1:1: connect")
	p.Address = silentServer(t, "tcp", "127.0.0.1:0")
	wantError(t, probe(t, NewProber(nil, nil), p), "greeting: no answer")
}

func TestSMTPGreetsWithAnError(t *testing.T) {
	t.Parallel()
	p := state.Probe{Kind: state.ProbeSMTP, Address: answers(t, "421 4.3.2 All server ports are busy\r\n"), Within: time.Second}
	wantError(t, probe(t, NewProber(nil, nil), p), "greeting: 421 4.3.2 All server ports are busy")
}

// answers is a server that says a text to each client and closes the connection.
func answers(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text))
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

// A server that refuses the client is alive, one that dies before it says anything
// is not.
func TestGreeting(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, want string }{
		{smtpServer(t, &backend{}), ""},
		{answers(t, "421 4.3.2 All server ports are busy\r\n"), ""},
		{answers(t, "554-mail.lab.example\r\n554 5.7.1 go away\r\n"), ""},
		{answers(t, ""), ": the connection is closed without a greeting"},
		{silentServer(t, "tcp", "127.0.0.1:0"), ": no greeting"},
		{"127.0.0.1:1", "smtp 127.0.0.1:1: connect"},
	} {
		p := state.Probe{Kind: state.ProbeGreeting, Address: c.address, Within: time.Second}
		wantError(t, probe(t, NewProber(nil, nil), p), c.want)
	}
}

func TestLiteral(t *testing.T) {
	six := &net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 1}
	if got := literal(six); got != "[IPv6:2001:db8::1]" {
		t.Errorf("literal of an IPv6 address: %q", got)
	}
}
