package relay_test

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// world is a server whose port 25 is played here.
type world struct {
	t       *testing.T
	server  subject.Server
	domains []subject.Domain
	// relays: strangers may relay; unknown are recipients that are refused.
	relays  bool
	unknown []string
	records []string // of DNS
}

// newWorld returns a server on which all is well.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, records: []string{"mail.lab.example. 60 IN A 192.0.2.10", "lab.example. 60 IN MX 10 mail.lab.example."}}
	postfix := &state.Postfix{
		Unit: "postfix.service", QueueDirectory: state.Path(t.TempDir()), Raw: map[string]string{},
		Value:    map[string]string{"inet_interfaces": "all", "inet_protocols": "ipv4", "mydestination": "lab.example", "myhostname": "mail.lab.example"},
		Services: []state.Service{{Name: "smtp/inet", Command: "smtpd"}, {Name: "cleanup/unix", Command: "cleanup"}, {Name: "smtp/unix", Command: "smtp"}},
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	}
	domain := spec.Domain{Name: "lab.example", Receive: true}
	w.server = subject.Server{
		Name: "mail.lab.example", SetUp: true, Now: time.Now(),
		Spec: spec.Spec{Host: spec.Host{Hostname: "mail.lab.example", Domain: "lab.example"}, Domains: []spec.Domain{domain}},
		Facts: state.Facts{
			Postfix: postfix, SMTPAddress: w.smtpd(), Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")},
			Daemons: map[string]state.Daemon{"postfix.service": {Running: true}},
		},
	}
	w.domains = []subject.Domain{{Name: "lab.example", Wanted: &domain, Sends: true, Receives: true}}
	return w
}

// resolver serves the records as they are.
func (w *world) resolver() *dnsclient.Client {
	return dnsclient.New(dnstest.Serve(w.t, "127.0.0.1", dnstest.Zone(w.t, w.records...)))
}

// lines is what is found, without what is ok, as "severity id <- cause".
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

// smtpd plays port 25 on all loopback addresses.
func (w *world) smtpd() string {
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		w.t.Fatal(err)
	}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return session{w, strings.HasPrefix(c.Conn().RemoteAddr().String(), "127.0.0.1:")}, nil
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
	w     *world
	local bool
}

func (session) Mail(string, *smtp.MailOptions) error { return nil }

func (s session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case slices.Contains(s.w.unknown, to):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "User unknown"}
	case !s.local && !s.w.relays && !strings.HasSuffix(to, "@lab.example"):
		return &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "Relay access denied"}
	}
	return nil
}

// Data fails the test if a message ends: each try has to stop before that.
func (s session) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	if err == nil {
		s.w.t.Error("a message was sent")
	}
	return err
}

func (session) Reset()        {}
func (session) Logout() error { return nil }
