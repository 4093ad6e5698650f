package livepath

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"mailsetup/internal/livepath/route"
	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// message is a test message.
type message struct {
	way      Way
	eightBit bool // its body has octets above 127
	tag      string
	text     []byte // with CRLF
}

// compose writes a message that says what it is, in case anybody sees it.
func (p *probe) compose(way Way, eight bool, n int) message {
	m := message{way: way, eightBit: eight, tag: fmt.Sprintf("%s-%d", p.nonce, n)}
	from := p.from(way).From
	_, host, _ := strings.Cut(from, "@")
	encoding, body := "7bit", "This message goes from mailsetup to mailsetup, on this machine."
	if eight {
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
	case p.smtp == "":
		return "Postfix does not listen there"
	}
	if f := proxyFilter(p.postfix); f != "" {
		return "what comes in there goes to " + f + " before the signer sees it (smtpd_proxy_filter)"
	}
	return p.access(ctx)
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

// submit hands a message to Postfix and returns why Postfix refused it, "" if it did
// not.
func (p *probe) submit(ctx context.Context, m message) (refused string) {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	if m.way == Sendmail {
		return p.bySendmail(ctx, m)
	}
	return p.bySMTP(ctx, m)
}

func (p *probe) bySendmail(ctx context.Context, m message) string {
	argv := []string{"sendmail", "-i", "-N", "never", "-f", p.sender}
	if m.eightBit {
		argv = append(argv, "-B", "8BITMIME")
	}
	argv = append(argv, "--")
	for _, t := range p.transports {
		argv = append(argv, route.Recipient(t))
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

func (p *probe) bySMTP(ctx context.Context, m message) string {
	if err := p.smtpDialogue(ctx, m); err != nil {
		if said := new(smtp.SMTPError); errors.As(err, &said) {
			err = fmt.Errorf("%d %s", said.Code, said.Message)
		}
		return err.Error()
	}
	return ""
}

func (p *probe) smtpDialogue(ctx context.Context, m message) (err error) {
	defer func() {
		if errors.Is(err, net.ErrClosed) { // by us, when the time was over
			err = fmt.Errorf("no answer from %s", p.smtp)
		}
	}()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.smtp)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	c := smtp.NewClient(conn)
	name := "localhost"
	if tcp, ok := conn.LocalAddr().(*net.TCPAddr); ok && tcp.IP.To4() != nil {
		name = "[" + tcp.IP.String() + "]"
	} else if ok {
		name = "[IPv6:" + tcp.IP.String() + "]"
	}
	if err := c.Hello(name); err != nil {
		return err
	}
	o := &smtp.MailOptions{}
	if ok, _ := c.Extension("8BITMIME"); ok && m.eightBit {
		o.Body = smtp.Body8BitMIME
	}
	if err := c.Mail(p.sender, o); err != nil {
		return err
	}
	for _, t := range p.transports {
		never := &smtp.RcptOptions{}
		if ok, _ := c.Extension("DSN"); ok {
			never.Notify = []smtp.DSNNotify{smtp.DSNNotifyNever}
		}
		if err := c.Rcpt(route.Recipient(t), never); err != nil {
			return err
		}
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(m.text); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	_ = c.Quit()
	return nil
}
