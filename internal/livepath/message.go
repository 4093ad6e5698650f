package livepath

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"mailsetup/internal/livepath/route"
	"mailsetup/internal/parallel"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// message is a test message.
type message struct {
	Letter
	tag  string
	text []byte // with CRLF
}

// compose writes a message that says what it is, in case anybody sees it.
func (p *probe) compose(l Letter, n int) message {
	m := message{Letter: l, tag: fmt.Sprintf("%s-%d", p.nonce, n)}
	from := l.Signer.From
	_, host, _ := strings.Cut(from, "@")
	encoding, body := "7bit", "This message goes from mailsetup to mailsetup, on this machine."
	if l.EightBit {
		encoding, body = "8bit", body+" Gr\u00fc\u00dfe!"
	}
	var b bytes.Buffer
	for _, f := range [][2]string{
		{"From", "<" + from + ">"},
		{"To", "<" + route.Recipient(p.transports[0]) + ">"},
		{"Subject", "mailsetup asks whether mail leaves signed"},
		{"Date", time.Now().Format(time.RFC1123Z)},
		{"Message-ID", "<mailsetup-" + m.tag + "@" + host + ">"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "text/plain; charset=utf-8"},
		{"Content-Transfer-Encoding", encoding},
		{"Auto-Submitted", "auto-generated"},
	} {
		fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
	}
	fmt.Fprintf(&b, "\r\n%s\r\n%s\r\n", body, m.tag)
	m.text = b.Bytes()
	return m
}

// whyClosed returns why a way is not tried.
func (p *probe) whyClosed(ctx context.Context, way Way) string {
	switch {
	case way == Sendmail:
		return ""
	case way == Bounce:
		return p.whyNoBounce(ctx)
	case way != Port25 && NotifiesOfRefusals(p.postfix):
		return "the postmaster would get a transcript of what is refused (notify_classes)"
	case way != Port25:
		return p.access(ctx)
	case p.smtp == "":
		return "Postfix does not listen there"
	}
	if f := proxyFilter(p.postfix); f != "" {
		return "what comes in there goes to " + f + " before the signer sees it (smtpd_proxy_filter)"
	}
	return p.access(ctx)
}

// NotifiesOfRefusals reports whether Postfix sends the postmaster a transcript of sessions in
// which it refuses something.
func NotifiesOfRefusals(p *state.Postfix) bool {
	classes := postconf.Effective(p, nil, "notify_classes")
	return postconf.Has(classes, "policy") || postconf.Has(classes, "protocol")
}

// proxyFilter returns the filter to which the smtpd of port 25 hands messages before
// any milter sees them, "" for none.
func proxyFilter(p *state.Postfix) string {
	for i := range p.Services {
		s := &p.Services[i]
		at := s.Name[:max(0, strings.LastIndexByte(s.Name, '/'))]
		if port := at[strings.LastIndexByte(at, ':')+1:]; port != "25" && port != "smtp" && s.Name != "smtpd/pass" {
			continue
		}
		if f := postconf.ProxyFilter(p, s); f != "" {
			return f
		}
	}
	return ""
}

// submitted is a message, and why it was not taken, "" if it was.
type submitted struct {
	message
	refused string
	auth    Auth
}

// submitAll submits the messages by one way after the other, those of a proof by both at the same
// time. It returns them in the order of the letters.
func (p *probe) submitAll(ctx context.Context) []submitted {
	letters := p.letters()
	all := make([]submitted, len(letters))
	var ways []Way
	for i, l := range letters {
		all[i].message = p.compose(l, i)
		if !slices.Contains(ways, l.Way) {
			ways = append(ways, l.Way)
		}
	}
	atOnce := 1
	if p.wanted == nil {
		atOnce = len(ways)
	}
	_ = parallel.Do(len(ways), atOnce, func(w int) error {
		closed := p.whyClosed(ctx, ways[w])
		for i := range all {
			m := &all[i]
			switch {
			case m.Way != ways[w]:
				continue
			case closed != "":
				m.refused = closed
			default:
				m.refused, m.auth = p.submit(ctx, m.message)
			}
			if m.refused != "" && (p.wanted == nil || strings.HasPrefix(m.refused, noAnswer)) {
				closed = m.refused // one refusal is enough for a proof, and nobody waits twice
			}
		}
		return nil
	})
	return all
}

// submit hands a message to Postfix and returns why Postfix refused it, "" if it did
// not, and what became of the login.
func (p *probe) submit(ctx context.Context, m message) (refused string, auth Auth) {
	ctx, cancel := context.WithTimeout(ctx, min(sendWithin, p.within))
	defer cancel()
	if m.Way == Sendmail || m.Way == Bounce {
		return p.bySendmail(ctx, m), ""
	}
	auth, err := p.smtpDialogue(ctx, m)
	if err != nil {
		return said(err), auth
	}
	return "", auth
}

func (p *probe) bySendmail(ctx context.Context, m message) string {
	notify := "never"
	if m.Way == Bounce {
		notify = "failure"
	}
	argv := []string{"sendmail", "-i", "-N", notify, "-f", p.sender}
	if m.EightBit {
		argv = append(argv, "-B", "8BITMIME")
	}
	argv = append(argv, "--")
	if m.Way == Bounce {
		argv = append(argv, refusedAddress(p.nonce))
	} else {
		for _, t := range p.transports {
			argv = append(argv, route.Recipient(t))
		}
	}
	res, err := p.m.Run(ctx, system.Command{Argv: argv, Stdin: bytes.ReplaceAll(m.text, []byte("\r\n"), []byte("\n"))})
	switch {
	case err != nil:
		return err.Error()
	case res.Code != 0:
		return fmt.Sprintf("sendmail: exit status %d: %s", res.Code, lastLine(res.Stderr))
	}
	return ""
}

// said is an error as people search for it: what a server said.
func said(err error) string {
	if reply := new(smtp.SMTPError); errors.As(err, &reply) {
		code := ""
		if c := reply.EnhancedCode; c[0] > 0 {
			code = fmt.Sprintf("%d.%d.%d ", c[0], c[1], c[2])
		}
		return fmt.Sprintf("%d %s%s", reply.Code, code, reply.Message)
	}
	return err.Error()
}

// noAnswer begins the reason of a server that does not answer in time.
const noAnswer = "no answer"

func (p *probe) smtpDialogue(ctx context.Context, m message) (auth Auth, err error) {
	address := cmp.Or(m.At, p.smtp)
	defer func() {
		if errors.Is(err, net.ErrClosed) { // by us, when the time was over
			err = errors.New(noAnswer + " from " + address)
		}
	}()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c, err := client(conn, m.Way)
	if err != nil && strings.HasSuffix(err.Error(), "support STARTTLS") {
		return TLSNotOffered, errors.New("STARTTLS is not offered")
	}
	if err == nil && p.login != nil && m.Way != Port25 {
		auth, err = logIn(c, *p.login)
	}
	if err != nil {
		return auth, err
	}
	err = envelope(c, p.sender, m, p.transports)
	if err != nil && auth == AuthTaken && strings.Contains(p.login.User, "@") {
		// reject_sender_login_mismatch: a user may have one sender only. Without DSN it
		// would get the bounces.
		if dsn, _ := c.Extension("DSN"); dsn && c.Reset() == nil {
			err = envelope(c, p.login.User, m, p.transports)
		}
	}
	if err != nil {
		return auth, err
	}
	w, err := c.Data()
	if err != nil {
		return auth, err
	}
	if _, err := w.Write(m.text); err != nil {
		return auth, err
	}
	if err := w.Close(); err != nil {
		return auth, err
	}
	_ = c.Quit()
	return auth, nil
}

// logIn sends user and password by PLAIN, or by LOGIN where there is no other.
func logIn(c *smtp.Client, as Login) (Auth, error) {
	mechanism := sasl.NewPlainClient("", as.User, as.Password)
	if !c.SupportsAuth("PLAIN") {
		if !c.SupportsAuth("LOGIN") {
			return AuthNotOffered, errors.New("neither AUTH PLAIN nor AUTH LOGIN is offered")
		}
		mechanism = sasl.NewLoginClient(as.User, as.Password)
	}
	err := c.Auth(mechanism)
	reply := new(smtp.SMTPError)
	switch {
	case err == nil:
		return AuthTaken, nil
	case errors.As(err, &reply) && reply.Code >= 500:
		return AuthDenied, err
	}
	return AuthUnavailable, err
}

// client says EHLO, and begins TLS for ways of users.
func client(conn net.Conn, way Way) (*smtp.Client, error) {
	name := "localhost"
	if tcp, ok := conn.LocalAddr().(*net.TCPAddr); ok && tcp.IP.To4() != nil {
		name = "[" + tcp.IP.String() + "]"
	} else if ok {
		name = "[IPv6:" + tcp.IP.String() + "]"
	}
	// Our own server on this machine: its certificate is the matter of others.
	ours := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	var c *smtp.Client
	switch way {
	case SMTPS:
		c = smtp.NewClient(tls.Client(conn, ours))
	case Submission:
		var err error
		if c, err = smtp.NewClientStartTLS(conn, ours); err != nil {
			return nil, err
		}
	default:
		c = smtp.NewClient(conn)
	}
	if err := c.Hello(name); err != nil && way != Submission { // which has said it
		return nil, err
	}
	return c, nil
}

// envelope says who sends a message, and to whom.
func envelope(c *smtp.Client, from string, m message, transports []string) error {
	o := &smtp.MailOptions{}
	if ok, _ := c.Extension("8BITMIME"); ok && m.EightBit {
		o.Body = smtp.Body8BitMIME
	}
	if err := c.Mail(from, o); err != nil {
		return err
	}
	for _, t := range transports {
		never := &smtp.RcptOptions{}
		if ok, _ := c.Extension("DSN"); ok {
			never.Notify = []smtp.DSNNotify{smtp.DSNNotifyNever}
		}
		if err := c.Rcpt(route.Recipient(t), never); err != nil {
			return err
		}
	}
	return nil
}
