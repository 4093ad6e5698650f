package live_test

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io"
	"net"
	"net/netip"
	nettextproto "net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-milter"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-smtp"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/live"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/keyring"
	"mailsetup/internal/probe"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
)

// world is a server whose Postfix and OpenDKIM are played here: sendmail, port 25, the
// milter, the resolver of trivial-rewrite(8) and the delivery to the sink.
type world struct {
	*detecttest.Machine
	system.Units
	t       *testing.T
	server  subject.Server
	domains []subject.Domain
	dns     *dnsclient.Client
	key     crypto.Signer

	// What the signer does.
	unsigned, refuses, signsAll bool
	selector                    string
	// What Postfix does with a message after it was signed, nil for nothing.
	alters func([]byte) []byte
	// skips are ways whose mail the signer does not see: "sendmail", "smtp", "bounce".
	skips []string
	// twice: something else signs as well.
	twice   bool
	records []string // of DNS
	times   map[string]time.Time
	// left is the message that left for an address elsewhere, and journal what Postfix
	// says of it under the queue ID 4A.
	left, journal string
}

const rewriteHello = "protocol\x00trivial_rewrite_protocol\x00\x00"

// newWorld returns a server on which all is well. Only root can listen where the sink
// does.
func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the sink of the messages needs root")
	}
	pem, err := os.ReadFile("../../../keygen/testdata/rsa2048.pem")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := keygen.Parse(pem)
	if err != nil {
		t.Fatal(err)
	}
	signer := parsePrivate(t, pem)
	w := &world{Machine: detecttest.New(), t: t, selector: "s1", key: signer, times: map[string]time.Time{}}
	opendkim := state.Owner{User: "opendkim", Group: "opendkim"}
	for _, dir := range []state.Path{"/etc", "/etc/dkimkeys", "/etc/dkimkeys/lab.example"} {
		owner := opendkim
		if dir == "/etc" {
			owner = state.Root
		}
		w.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: owner})
	}
	const file = "/etc/dkimkeys/lab.example/s1.private"
	w.Put(file, state.Object{Kind: state.Regular, Mode: 0o600, Owner: opendkim, Content: pem})
	w.PutFile("/etc/postfix/master.cf", "smtp inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n")
	w.PutFile("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nopendkim:x:104:109::/run:/bin/false\n")
	w.PutFile("/etc/group", "root:x:0:\nopendkim:x:109:\n")
	w.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	queue := t.TempDir()
	for _, d := range []string{"private", "opendkim", "pid"} {
		if err := os.Mkdir(filepath.Join(queue, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.milter(filepath.Join(queue, "opendkim", "opendkim.sock"))
	w.rewrite(filepath.Join(queue, "private", "rewrite"))
	milters := "unix:opendkim/opendkim.sock"
	postfix := &state.Postfix{
		Unit: "postfix.service", QueueDirectory: state.Path(queue),
		Raw:   map[string]string{"mail_owner": "root"},
		Value: map[string]string{"smtpd_milters": milters, "non_smtpd_milters": milters, "milter_default_action": "tempfail", "inet_interfaces": "all", "inet_protocols": "ipv4", "mydestination": "lab.example", "myhostname": "mail.lab.example"},
		Services: []state.Service{
			{Name: "smtp/inet", Command: "smtpd"}, {Name: "cleanup/unix", Command: "cleanup"}, {Name: "pickup/unix", Command: "pickup"}, {Name: "smtp/unix", Command: "smtp"},
		},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	}
	key := keyring.Key{Selector: "s1", Public: pair.Public(), File: file, Stage: keyring.Active}
	domain := spec.Domain{Name: "lab.example", Receive: true}
	w.records = []string{"s1._domainkey.lab.example. 60 IN TXT " + quoted(keygen.Record(pair.Public())), "lab.example. 60 IN MX 10 mail.lab.example."}
	w.server = subject.Server{
		Name: "mail.lab.example", SetUp: true, Now: time.Now(),
		Spec:   spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Domain: "lab.example", MilterDefaultAction: "tempfail"}, Domains: []spec.Domain{domain}},
		Ledger: keyring.Ledger{"lab.example": {key}},
		Facts: state.Facts{
			Postfix: postfix, OpenDKIM: &state.OpenDKIM{Active: true}, SMTPAddress: w.smtpd(), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")},
			Daemons: map[string]state.Daemon{"postfix.service": {Running: true}, "opendkim.service": {Running: true}},
		},
	}
	w.domains = []subject.Domain{{Name: "lab.example", Wanted: &domain, Sends: true, Receives: true}}
	return w
}

// resolver serves the records as they are when it is first asked for.
func (w *world) resolver() *dnsclient.Client {
	if w.dns == nil {
		w.dns = dnsclient.New(dnstest.Serve(w.t, "127.0.0.1", dnstest.Zone(w.t, w.records...)))
	}
	return w.dns
}

func quoted(text string) string {
	var b strings.Builder
	for len(text) > 255 {
		b.WriteString(`"` + text[:255] + `" `)
		text = text[255:]
	}
	return b.String() + `"` + text + `"`
}

// check returns what is found, without what is ok, as "severity id <- cause".
func (w *world) check(o live.Options) []string {
	w.t.Helper()
	r := live.Check(w.t.Context(), w, w.resolver(), w.server, w.domains, o)
	findingtest.Remedies(w.t, r.Findings)
	return lines(r)
}

func lines(r finding.Result) []string {
	var all []string
	for _, f := range r.Findings {
		if f.Severity == finding.OK {
			continue
		}
		line := string(f.Severity) + " " + f.ID
		if f.CausedBy != "" {
			line += " <- " + f.CausedBy
		}
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all
}

// Status implements system.Units.
func (w *world) Status(ctx context.Context, unit string) (system.UnitStatus, error) {
	return w.Machine.Status(ctx, unit)
}

// Probe implements system.Prober.
func (w *world) Probe(ctx context.Context, p state.Probe) error {
	return probe.NewProber(w, w).Probe(ctx, p)
}

// Run plays the programs of Postfix.
func (w *world) Run(ctx context.Context, c system.Command) (system.Result, error) {
	switch c.Argv[0] {
	case "sendmail":
		at := slices.Index(c.Argv, "--")
		from := c.Argv[slices.Index(c.Argv, "-f")+1]
		text := bytes.ReplaceAll(c.Stdin, []byte("\n"), []byte("\r\n"))
		way := "sendmail"
		if !strings.HasSuffix(c.Argv[at+1], "@[127.83.77.1]") {
			w.left = string(text)
			return system.Result{}, nil
		}
		if strings.HasPrefix(c.Argv[at+1], "refused-") {
			way = "bounce"
			text = slices.Concat([]byte("From: MAILER-DAEMON@mail.lab.example\r\nSubject: Undelivered\r\n\r\n"), text)
			c.Argv[at+1], from = from, ""
		}
		return system.Result{}, w.deliver(way, from, c.Argv[at+1:], text)
	case "journalctl":
		_, id, _ := strings.Cut(w.left, "Message-ID: ")
		id, _, _ = strings.Cut(id, "\r\n")
		return system.Result{Stdout: []byte("4A: message-id=" + id + "\n" + strings.ReplaceAll(w.journal, "message-id=ID", "message-id="+id) + "\n")}, nil
	case "postqueue":
		return system.Result{}, nil
	case "stat":
		var out strings.Builder
		for _, file := range c.Argv[5:] {
			if at, ok := w.times[file]; ok {
				fmt.Fprintf(&out, "%d.%09d %s\n", at.Unix(), at.Nanosecond(), file)
			}
		}
		return system.Result{Stdout: []byte(out.String())}, nil
	}
	return w.Machine.Run(ctx, c)
}

// deliver signs a message, changes it and hands it to the sink, once for each recipient.
func (w *world) deliver(way, from string, to []string, text []byte) error {
	if !w.unsigned && !slices.Contains(w.skips, way) {
		text = w.sign(text)
		if w.twice {
			text = w.sign(text)
		}
	}
	if w.alters != nil {
		text = w.alters(text)
	}
	c, err := smtp.Dial("127.83.77.1:24")
	if err != nil {
		return err
	}
	defer c.Close()
	return c.SendMail(from, to, bytes.NewReader(text))
}

func (w *world) options() *dkim.SignOptions {
	return &dkim.SignOptions{
		Domain: "lab.example", Selector: w.selector, Signer: w.key, HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationSimple,
	}
}

func (w *world) sign(text []byte) []byte {
	var b bytes.Buffer
	if err := dkim.Sign(&b, bytes.NewReader(text), w.options()); err != nil {
		w.t.Error(err)
	}
	return b.Bytes()
}

// rewrite plays trivial-rewrite(8): all addresses lead to the sink.
func (w *world) rewrite(socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, rewriteHello)
			b := make([]byte, 4096)
			n, _ := conn.Read(b)
			parts := strings.Split(string(b[:n]), "\x00")
			_, _ = io.WriteString(conn, strings.Join([]string{"flags", "0", "transport", "smtp", "nexthop", "[127.83.77.1]:24", "recipient", parts[5], "", ""}, "\x00"))
			_ = conn.Close()
		}
	}()
}

// milter plays OpenDKIM.
func (w *world) milter(socket string) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		w.t.Fatal(err)
	}
	s := &milter.Server{NewMilter: func() milter.Milter { return &opendkim{w: w} }, Actions: milter.OptAddHeader | milter.OptChangeHeader, Protocol: milter.OptNoUnknown}
	served := make(chan struct{})
	go func() {
		_ = s.Serve(l)
		close(served)
	}()
	w.t.Cleanup(func() { // Server.Close would read what Serve may not have written yet
		_ = l.Close()
		<-served
	})
}

type opendkim struct {
	milter.NoOpMilter
	w            *world
	header, body strings.Builder
	stranger     bool
}

func (s *opendkim) Connect(_, _ string, _ uint16, addr net.IP, _ *milter.Modifier) (milter.Response, error) {
	s.stranger = !addr.IsLoopback()
	return milter.RespContinue, nil
}

func (s *opendkim) MailFrom(_ string, m *milter.Modifier) (milter.Response, error) {
	s.stranger = s.stranger && m.Macros["{auth_type}"] == ""
	return milter.RespContinue, nil
}

func (s *opendkim) Header(name, value string, _ *milter.Modifier) (milter.Response, error) {
	fmt.Fprintf(&s.header, "%s: %s\r\n", name, value)
	return milter.RespContinue, nil
}

func (s *opendkim) Headers(nettextproto.MIMEHeader, *milter.Modifier) (milter.Response, error) {
	return milter.RespContinue, nil
}

func (s *opendkim) BodyChunk(chunk []byte, _ *milter.Modifier) (milter.Response, error) {
	s.body.Write(chunk)
	return milter.RespContinue, nil
}

func (s *opendkim) Body(m *milter.Modifier) (milter.Response, error) {
	switch {
	case s.w.refuses:
		return milter.RespTempFail, nil
	case s.w.unsigned, s.stranger && !s.w.signsAll:
		return milter.RespAccept, nil
	}
	d, err := dkim.NewSigner(s.w.options())
	if err == nil {
		_, err = io.WriteString(d, s.header.String()+"\r\n"+s.body.String())
	}
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		return nil, err
	}
	_, value, _ := strings.Cut(d.Signature(), ": ")
	return milter.RespAccept, m.InsertHeader(1, "DKIM-Signature", strings.ReplaceAll(strings.TrimSpace(value), "\r\n", "\n"))
}

// smtpd plays port 25 on all loopback addresses.
func (w *world) smtpd() string {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{w: w}, nil
	}))
	s.Domain, s.EnableDSN = "mail.lab.example ESMTP", true
	served := make(chan struct{})
	go func() {
		_ = s.Serve(l)
		close(served)
	}()
	w.t.Cleanup(func() { // Server.Close would read what Serve may not have written yet
		_ = l.Close()
		<-served
	})
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "127.0.0.1:" + port
}

type session struct {
	w    *world
	from string
	to   []string
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = append(s.to, to); return nil }

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return s.w.deliver("smtp", s.from, s.to, text)
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// rootReadBy writes root's alias for somebody; only ann has a mailbox.
func (w *world) rootReadBy(name string) {
	value := w.server.Facts.Postfix.Value
	value["myorigin"], value["alias_maps"] = "lab.example", "hash:/etc/aliases"
	value["local_recipient_maps"] = "proxy:unix:passwd.byname hash:/etc/aliases"
	w.PutFile("/etc/aliases", "root: "+name+"\npostmaster: root\n")
	w.Answers["postmap -q"], w.Answers["getent passwd"] = system.Result{Code: 1}, system.Result{Code: 2}
	w.Says("postmap -q root hash:/etc/aliases", name+"\n")
	w.Says("postmap -q postmaster hash:/etc/aliases", "root\n")
	w.Says("getent passwd ann", "ann:x:1000:1000::/home/ann:/bin/sh\n")
}
