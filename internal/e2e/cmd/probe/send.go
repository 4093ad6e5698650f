package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/smtp"
	"strings"
	"time"

	"mailsetup/internal/e2e/lab"
)

// send offers the message described on r and prints the server's last word.
func send(r io.Reader) error {
	var m lab.Letter
	if err := json.NewDecoder(r).Decode(&m); err != nil {
		return err
	}
	c, err := connect(m)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Mail(m.From); err != nil {
		return err
	}
	for _, to := range append([]string{m.To}, m.Cc...) {
		if err := c.Rcpt(to); err != nil {
			return err
		}
	}
	word, err := data(c, text(m))
	if err != nil {
		return err
	}
	fmt.Println(word)
	return c.Quit()
}

// connect makes a client that is ready for mail: greeted, encrypted, authenticated.
func connect(m lab.Letter) (*smtp.Client, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(m.Client)}}
	conn, err := as(m.Client, func() (net.Conn, error) { return dialer.Dial("tcp", m.Server) })
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return nil, err
	}
	anyCertificate := &tls.Config{InsecureSkipVerify: true}
	if m.ImplicitTLS {
		conn = tls.Client(conn, anyCertificate)
	}
	c, err := smtp.NewClient(conn, m.Server)
	if err != nil {
		return nil, err
	}
	err = c.Hello(m.Helo)
	if err == nil && m.StartTLS {
		err = c.StartTLS(anyCertificate)
	}
	if err == nil && m.User != "" {
		err = c.Auth(plain{m.User, m.Password})
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// plain is AUTH PLAIN that does not mind who can read along.
type plain struct{ user, password string }

func (p plain) Start(*smtp.ServerInfo) (proto string, toServer []byte, err error) {
	return "PLAIN", []byte("\x00" + p.user + "\x00" + p.password), nil
}

func (p plain) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server wants to hear more after AUTH PLAIN")
	}
	return nil, nil
}

// data does the DATA exchange itself: the client of net/smtp drops the reply.
func data(c *smtp.Client, text string) (reply string, err error) {
	id, err := c.Text.Cmd("DATA")
	if err != nil {
		return "", err
	}
	c.Text.StartResponse(id)
	_, _, err = c.Text.ReadResponse(354)
	c.Text.EndResponse(id)
	if err != nil {
		return "", err
	}
	w := c.Text.DotWriter()
	if _, err := io.WriteString(w, text); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	code, word, err := c.Text.ReadResponse(250)
	return fmt.Sprint(code, " ", word), err
}

func text(m lab.Letter) string {
	if m.Raw != nil {
		return string(m.Raw)
	}
	return strings.Join([]string{
		"From: <" + m.HeaderFrom + ">",
		"To: <" + strings.Join(append([]string{m.To}, m.Cc...), ">, <") + ">",
		"Subject: " + m.Subject,
		"Date: " + time.Now().Format(time.RFC1123Z),
		fmt.Sprintf("Message-ID: <%d@%s>", time.Now().UnixNano(), m.Helo),
		"",
		m.Body,
		"",
	}, "\r\n")
}
