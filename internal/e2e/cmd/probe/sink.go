package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"mailsetup/internal/e2e/lab"
)

// sink accepts every message and stores it as NUMBER.eml with its envelope
// beside it in NUMBER.json, which appears last.
func sink(args []string) error {
	flags := flag.NewFlagSet("sink", flag.ContinueOnError)
	listen := flags.String("listen", lab.SinkAddr+":25", "addresses with their ports, by commas")
	dir := flags.String("dir", "", "where messages are stored")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	var count atomic.Int64
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		client, _, err := net.SplitHostPort(c.Conn().RemoteAddr().String())
		return &session{dir: *dir, count: &count, conn: c, client: client}, err
	}))
	server.Domain = "mx." + lab.RemoteZone
	server.EnableSMTPUTF8 = true
	ended := make(chan error)
	for addr := range strings.SplitSeq(*listen, ",") {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return err
		}
		go func() { ended <- server.Serve(l) }()
	}
	return <-ended
}

type session struct {
	dir    string
	count  *atomic.Int64
	conn   *smtp.Conn
	client string
	mail   lab.Message
}

func (s *session) Reset()        { s.mail = lab.Message{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.mail = lab.Message{From: from, Helo: s.conn.Hostname(), Client: s.client}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.mail.To = append(s.mail.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	envelope, err := json.Marshal(s.mail)
	if err != nil {
		return err
	}
	// The time keeps the order across restarts of the sink.
	name := filepath.Join(s.dir, fmt.Sprintf("%d-%06d", time.Now().UnixNano(), s.count.Add(1)))
	return errors.Join(
		os.WriteFile(name+".eml", data, 0o644),
		os.WriteFile(name+".tmp", envelope, 0o644),
		os.Rename(name+".tmp", name+".json"),
	)
}
