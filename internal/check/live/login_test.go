package live_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/live"
	"mailsetup/internal/hint"
	"mailsetup/internal/livepath"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Only a file that nobody but root can read may have a password.
func TestReadLogin(t *testing.T) {
	const ownFile = "a file of its own, made by install -m 600 /dev/null FILE, with two lines: the user, as it logs in, and the password"
	ann := state.Owner{User: "ann", Group: "ann"}
	for _, tt := range []struct {
		name, file string
		mode       fs.FileMode
		owner      state.Owner
		text       string
		says, hint string
	}{
		{"right", "/root/login", 0o600, state.Root, "ann@lab.example\nsecret word\n", "", ""},
		{"without a final line break", "/root/login", 0o400, state.Root, "ann\nsecret", "", ""},
		{"others may read it", "/root/login", 0o640, state.Root, "ann\nsecret\n", "--login /root/login: root:root, mode 0640: others could read the password", ownFile},
		{"somebody else's", "/root/login", 0o600, ann, "ann\nsecret\n", "--login /root/login: ann:ann, mode 0600", ownFile},
		{"no password", "/root/login", 0o600, state.Root, "ann\n", "not a user and a password", ownFile},
		{"three lines", "/root/login", 0o600, state.Root, "ann\nsecret\nmore\n", "not a user and a password", ownFile},
		{"no such file", "/root/other", 0o600, state.Root, "", "--login /root/other: is no regular file", ownFile},
		{"not a whole path", "login", 0o600, state.Root, "", "--login login: ", "name it with its whole path, as in /root/login"},
	} {
		m := systemtest.NewMem()
		m.Put("/root/login", state.Object{Kind: state.Regular, Mode: tt.mode, Owner: tt.owner, Content: []byte(tt.text)})
		l, err := live.ReadLogin(m, tt.file)
		switch {
		case tt.says == "" && (err != nil || !strings.HasPrefix(l.User, "ann") || !strings.HasPrefix(l.Password, "secret")):
			t.Errorf("%s: %v, %v", tt.name, l, err)
		case tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says) || !slices.Equal(hint.Of(err), []string{tt.hint})):
			t.Errorf("%s: %v, %q", tt.name, err, hint.Of(err))
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the password is in the error", tt.name)
		}
	}
}

// submission is a service for users, which is played here.
type submission struct {
	w          *world
	mechanisms []string
	refuses    error // what it answers to the login
	sender     error // what it answers to MAIL
	plain      bool  // no STARTTLS
}

// serve puts the service into master.cf.
func (s *submission) serve() {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		s.w.t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &userSession{session: session{w: s.w}, of: s}, nil
	}))
	srv.EnableDSN = true
	if !s.plain {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{selfSigned(s.w.t)}}
	}
	served := make(chan struct{})
	go func() {
		_ = srv.Serve(l)
		close(served)
	}()
	s.w.t.Cleanup(func() {
		_ = l.Close()
		<-served
	})
	p := s.w.server.Facts.Postfix
	p.Services = append(p.Services, state.Service{
		Name: l.Addr().String() + "/inet", Command: "smtpd", Options: []state.Option{{Name: "smtpd_sasl_auth_enable", Value: "yes", Expanded: "yes"}},
	})
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

type userSession struct {
	session
	of *submission
}

func (s *userSession) AuthMechanisms() []string { return s.of.mechanisms }

func (s *userSession) Auth(mechanism string) (sasl.Server, error) {
	check := func(user, password string) error {
		if s.of.refuses == nil && (user != "ann" || password != "secret") {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "Error: authentication failed"}
		}
		return s.of.refuses
	}
	if mechanism == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is AUTH LOGIN of a server.
type loginServer struct {
	check func(user, password string) error
	given []string
}

func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		s.given = append(s.given, string(response))
	}
	switch len(s.given) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, s.check(s.given[0], s.given[1])
}

func (s *userSession) Mail(from string, o *smtp.MailOptions) error {
	if s.of.sender != nil {
		return s.of.sender
	}
	return s.session.Mail(from, o)
}

// What became of the login is told: of a service, or why none was asked.
func TestLogin(t *testing.T) {
	plain := []string{sasl.Plain, sasl.Login}
	serves := func(s submission) func(*world) {
		return func(w *world) {
			s.w = w
			s.serve()
		}
	}
	for _, tt := range []struct {
		name           string
		is             func(*world)
		password       string
		severity, seen string
	}{
		{"taken", serves(submission{mechanisms: plain}), "secret", "ok", "signed once by s1._domainkey.lab.example, holds with the key on disk and with DNS, by smtp"},
		{"by AUTH LOGIN", serves(submission{mechanisms: []string{sasl.Login}}), "secret", "ok", "signed once by s1._domainkey.lab.example, holds with the key on disk and with DNS, by smtp"},
		{"wrong password", serves(submission{mechanisms: plain}), "other", "unknown", "it does not take user and password: 535 5.7.8 Error: authentication failed"},
		{"no server for passwords", serves(submission{mechanisms: plain, refuses: &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "Temporary authentication failure: Connection lost to authentication server"}}), "secret", "unknown", "it could not check user and password: 454 4.7.0 Temporary authentication failure: Connection lost to authentication server"},
		{"no AUTH", serves(submission{}), "secret", "unknown", "nobody can log in there: neither AUTH PLAIN nor AUTH LOGIN is offered"},
		{"other mechanisms", serves(submission{mechanisms: []string{"XOAUTH2"}}), "secret", "unknown", "nobody can log in there: neither AUTH PLAIN nor AUTH LOGIN is offered"},
		{"no TLS", serves(submission{mechanisms: plain, plain: true}), "secret", "unknown", "a password goes there under TLS alone: STARTTLS is not offered"},
		{"not the message", serves(submission{mechanisms: plain, sender: &smtp.SMTPError{Code: 553, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "Sender address rejected: not owned by user ann"}}), "secret", "unknown", "it takes the login, and not the message: 553 5.7.1 Sender address rejected: not owned by user ann"},
		{"nobody answers", func(w *world) {
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "127.0.0.1:1/inet", Command: "smtpd", Options: []state.Option{{Name: "smtpd_sasl_auth_enable", Value: "yes", Expanded: "yes"}}})
		}, "secret", "unknown", "nobody logged in: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"its address is not known", func(w *world) {
			w.server.Facts.Postfix.Services = append(w.server.Facts.Postfix.Services, state.Service{Name: "mail.lab.example:submission/inet", Command: "smtpd"})
		}, "secret", "unknown", "nobody logged in: the address at which it listens is not known"},
		{"no message can be sent", func(w *world) {
			serves(submission{mechanisms: plain})(w)
			w.server.Facts.Postfix.Value["always_bcc"] = "boss@lab.example"
		}, "secret", "unknown", "nobody logged in: no message could be sent: Postfix would send it elsewhere as well (always_bcc = boss@lab.example)"},
		{"no service", func(*world) {}, "secret", "unknown", "nobody logged in: no service of master.cf is for users (submission, smtps)"},
		{"left alone", func(w *world) {
			serves(submission{mechanisms: plain})(w)
			s := w.server.Facts.Postfix.Services
			w.server.Spec.Host.LeaveServices = []string{s[len(s)-1].Name}
		}, "secret", "unknown", "nobody logged in: the services for users are left alone (leave_services of host.toml)"},
		{"init never ran", func(w *world) {
			serves(submission{mechanisms: plain})(w)
			foreign(w)
		}, "secret", "unknown", "nobody logged in: there is no route for messages to this machine itself, which mailsetup init makes"},
		{"OpenDKIM is down", func(w *world) {
			serves(submission{mechanisms: plain})(w)
			w.server.Facts.Daemons["opendkim.service"] = state.Daemon{}
		}, "secret", "unknown", "nobody logged in: no mail gets through"},
		{"the signer does not sign", func(w *world) {
			serves(submission{mechanisms: plain})(w)
			w.unsigned = true
		}, "secret", "unknown", "nobody logged in: the signer does not sign, so no message was sent"},
		{"no domain sends", func(w *world) { w.domains[0].Sends = false }, "secret", "unknown", "nobody logged in: none of the domains that are looked at sends mail"},
		{"no Postfix", func(w *world) { w.server.Facts.Postfix = nil }, "secret", "unknown", "nobody logged in: there is no Postfix here"},
	} {
		w := newWorld(t)
		tt.is(w)
		r := live.Check(t.Context(), w, w.resolver(), w.server, w.domains, live.Options{Login: &livepath.Login{User: "ann", Password: tt.password}})
		all := slices.DeleteFunc(slices.Clone(r.Findings), func(f finding.Finding) bool { return f.ID != "live.signed.submission" || f.CausedBy == f.ID })
		if len(all) == 0 || string(all[0].Severity) != tt.severity || all[0].Seen != tt.seen {
			t.Errorf("%s: %+v", tt.name, all)
		}
	}
}
