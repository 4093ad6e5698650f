package probe

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"mailsetup/internal/eximconf"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// eximConcurrency is how many messages Exim is given at a time: it waits for the sink.
const eximConcurrency = 4

// eximSigns has Exim deliver a message of each signer to a sink, with the configuration of
// the machine but for the queue and the way: whatever keeps it from signing (a file that it
// cannot read, an expansion that fails) it tells its log alone, and sends the message unsigned.
func (b *Prober) eximSigns(ctx context.Context, p state.Probe) error {
	if len(p.Signers) == 0 {
		return errors.New("probe exim: no signer is named")
	}
	ctx, cancel := context.WithTimeout(ctx, p.Within)
	defer cancel()
	sink, err := listenForExim()
	if err != nil {
		return err
	}
	defer func() { _ = sink.server.Close() }()
	dir, err := eximDirectory(p, sink.port)
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	step, end := func() {}, func() {}
	if b.Bar != nil {
		step, end = b.Bar("signatures proven", len(p.Signers))
	}
	defer end()
	errs := make([]error, len(p.Signers))
	var mu sync.Mutex
	_ = parallel.Do(len(p.Signers), eximConcurrency, func(i int) error {
		errs[i] = b.eximProves(ctx, dir, sink, p.Signers[i], i)
		mu.Lock()
		defer mu.Unlock()
		step()
		return nil
	})
	failed, proven := state.DomainErrors{}, 0
	for i, s := range p.Signers {
		if errs[i] == nil {
			proven++
		} else if failed[s.Domain] == nil {
			failed[s.Domain] = fmt.Errorf("mail from %s: %w", s.From, errs[i])
		}
	}
	if proven == 0 {
		return cmp.Or(ctx.Err(), failed[p.Signers[0].Domain])
	}
	return failed.Err()
}

// eximProves has a message of a signer delivered, and verifies its signature.
func (b *Prober) eximProves(ctx context.Context, dir string, sink *eximSink, s state.Signer, n int) error {
	to := fmt.Sprintf("%d@mailsetup.invalid", n)
	m := testMessage(s.From, n)
	for i, f := range m.fields {
		switch f.name {
		case "To":
			m.fields[i].value = "<" + to + ">"
		case "Subject":
			m.fields[i].value = "mailsetup asks exim4 for a signature"
		}
	}
	text := bytes.ReplaceAll(m.bytes(), []byte("\r\n"), []byte("\n"))
	res, err := b.run.Run(ctx, system.Command{
		Argv: []string{"exim4", "-C", filepath.Join(dir, "conf"), "-odf", "-oi", "-f", s.From, to}, Stdin: text, Within: 30 * time.Second,
	})
	if err != nil {
		return err
	}
	got := sink.message(to)
	if got == nil {
		return fmt.Errorf("exim4 does not send it: %s", cmp.Or(eximLog(dir, ""), lastLine(res.Stderr, res.Stdout), "exit status "+strconv.Itoa(res.Code)))
	}
	if err := verifyText(got, s); err != nil {
		if why := eximLog(dir, eximID(got)); why != "" {
			return fmt.Errorf("%w (%s)", err, why)
		}
		return err
	}
	if err := verifyText(append([]byte(ofList), got...), s); err != nil {
		return errors.New("its signature breaks once a mailing list adds List-Id, Sender or Reply-To: its h= names fields that it does not have")
	}
	return nil
}

// ofList are fields that mailing lists add (RFC 2919, RFC 2369).
const ofList = "List-Id: <list.mailsetup.invalid>\r\nList-Unsubscribe: <mailto:leave@mailsetup.invalid>\r\nList-Post: <mailto:list@mailsetup.invalid>\r\n" +
	"Sender: list@mailsetup.invalid\r\nReply-To: list@mailsetup.invalid\r\n"

// eximDirectory makes a directory with the configuration, and with a queue and logs that
// belong to the user Debian-exim, which Exim becomes. Nobody else may read it: the configuration
// may have passwords, with CFILEMODE='640'.
func eximDirectory(p state.Probe, port int) (string, error) {
	text, err := os.ReadFile(string(eximconf.WholeFile))
	if errors.Is(err, fs.ErrNotExist) {
		text, err = os.ReadFile(p.Address)
	}
	if err != nil {
		return "", err
	}
	account, err := user.Lookup(eximconf.User)
	if err != nil {
		return "", err
	}
	uid, err := strconv.Atoi(account.Uid)
	if err != nil {
		return "", err
	}
	gid, err := strconv.Atoi(account.Gid)
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("/var/lib/exim4", ".mailsetup-probe-")
	if err != nil {
		return "", err
	}
	conf, err := eximconf.ForProbe(string(text), eximconf.Probe{Spool: dir, Port: port})
	file := filepath.Join(dir, "conf")
	err = cmp.Or(err, os.WriteFile(file, []byte(conf), 0o600), os.Chown(file, 0, gid), os.Chmod(file, 0o640), os.Chown(dir, 0, gid), os.Chmod(dir, 0o710))
	for _, name := range []string{"spool", "log"} {
		err = cmp.Or(err, os.Mkdir(filepath.Join(dir, name), 0o700), os.Chown(filepath.Join(dir, name), uid, gid))
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// eximLog returns what Exim says about a message that it could not sign or send, "" for nothing.
// Without its ID, what it says about any.
func eximLog(dir, id string) string {
	f, err := os.OpenInRoot(dir, filepath.Join("log", "paniclog")) // Debian-exim might make a link of it
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	text, _ := io.ReadAll(io.LimitReader(f, 64<<10))
	return eximSays(string(text), dir, id)
}

// panicLine is a line of a log of Exim: when, with what log_selector adds, which message, what.
var panicLine = regexp.MustCompile(`^\d{4}-\d\d-\d\d \S+ (?:[+-]\d{4} )?(?:\[\d+\] )?(?:(\w{6}-\w{6,11}-\w{2,4}) )?(.+)`)

// eximSays returns what a panic log says of a message, else of none, in words that are the same
// whenever the trouble is. Several messages are on their way at a time, in any order.
// The exim user loses its privileges with another configuration; that is no trouble.
func eximSays(log, dir, id string) string {
	var found []string
	for line := range strings.Lines(log) {
		f := panicLine.FindStringSubmatch(strings.TrimSpace(line))
		if f != nil && (id == "" || f[1] == "" || f[1] == id) && !strings.Contains(f[2], "lost privilege") {
			found = append(found, strings.ReplaceAll(f[2], dir, ""))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return slices.Min(found)
}

// receivedID is the ID in the Received field that Exim puts in front of the message.
var receivedID = regexp.MustCompile(`(?m)^Received:.*\r?\n(?:[ \t].*\r?\n)*?\s+id (\w{6}-\w{6,11}-\w{2,4})\s`)

// eximID returns the ID that Exim gave a message, "" for none.
func eximID(message []byte) string {
	if f := receivedID.FindSubmatch(message); f != nil {
		return string(f[1])
	}
	return ""
}

// eximSink is a mail server that takes the messages of one probe.
type eximSink struct {
	server *smtp.Server
	port   int

	mu  sync.Mutex
	all map[string][]byte // by recipient
}

func listenForExim() (*eximSink, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &eximSink{port: l.Addr().(*net.TCPAddr).Port, all: map[string][]byte{}}
	s.server = smtp.NewServer(s)
	s.server.Domain, s.server.MaxMessageBytes, s.server.ErrorLog = "mailsetup.invalid", 1<<20, log.New(io.Discard, "", 0)
	s.server.ReadTimeout, s.server.WriteTimeout = 30*time.Second, 30*time.Second
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// message returns what arrived for a recipient, nil for nothing.
func (s *eximSink) message(to string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[to]
}

// NewSession implements smtp.Backend.
func (s *eximSink) NewSession(*smtp.Conn) (smtp.Session, error) { return &eximDelivery{sink: s}, nil }

type eximDelivery struct {
	sink *eximSink
	to   string
}

// Mail implements smtp.Session.
func (d *eximDelivery) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt implements smtp.Session.
func (d *eximDelivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.to = to
	return nil
}

// Data implements smtp.Session.
func (d *eximDelivery) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	d.sink.mu.Lock()
	defer d.sink.mu.Unlock()
	d.sink.all[d.to] = data
	return nil
}

// Reset implements smtp.Session.
func (d *eximDelivery) Reset() {}

// Logout implements smtp.Session.
func (d *eximDelivery) Logout() error { return nil }
