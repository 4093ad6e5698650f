package main

import (
	"encoding/json"
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
	dialer := net.Dialer{Timeout: 10 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(m.Client)}}
	conn, err := dialer.Dial("tcp", m.Server)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		return err
	}
	c, err := smtp.NewClient(conn, m.Server)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Hello(m.Helo); err != nil {
		return err
	}
	if err := c.Mail(m.From); err != nil {
		return err
	}
	if err := c.Rcpt(m.To); err != nil {
		return err
	}
	word, err := data(c, text(m))
	if err != nil {
		return err
	}
	fmt.Println(word)
	return c.Quit()
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
	return strings.Join([]string{
		"From: <" + m.HeaderFrom + ">",
		"To: <" + m.To + ">",
		"Subject: " + m.Subject,
		"Date: " + time.Now().Format(time.RFC1123Z),
		fmt.Sprintf("Message-ID: <%d@%s>", time.Now().UnixNano(), m.Helo),
		"",
		m.Body,
		"",
	}, "\r\n")
}
