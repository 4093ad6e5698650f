package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
)

// session is an SMTP session up to TLS.
type session struct {
	address netip.Addr
	to      string // the host and port that was asked
	err     error  // it did not come to an answer about STARTTLS
	offered bool
	failed  error // STARTTLS was offered, and did not come about
	chain   []*x509.Certificate
	version uint16
}

// secure reports whether TLS came about.
func (s session) secure() bool { return s.err == nil && s.offered && s.failed == nil }

const (
	// sessionTime is more than postscreen(8) takes: six seconds before its greeting.
	sessionTime = 15 * time.Second
	// maxSession bounds what is read of a server.
	maxSession = 1 << 20
)

// keyKind is a kind of key that a client can verify.
type keyKind string

// The kinds that mail servers have, often one of each: postconf(5)
// smtpd_tls_chain_files, smtpd_tls_eccert_file. Which is shown depends on the client.
const (
	anyKey   keyKind = ""
	rsaKey   keyKind = "RSA"
	ecdsaKey keyKind = "ECDSA"
)

// keyOf returns the kind of a certificate's key.
func keyOf(c *x509.Certificate) keyKind {
	if c.PublicKeyAlgorithm == x509.RSA {
		return rsaKey
	}
	return ecdsaKey
}

// converse says EHLO and STARTTLS to a server, and what kind of key it can verify.
func converse(ctx context.Context, helo, name string, a netip.Addr, address string, kind keyKind) (s session) {
	s.address, s.to = a, address
	if address == "" {
		s.err = errors.New("nothing here listens for SMTP")
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		s.err = short(err)
		return s
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	client, err := smtp.NewClient(&limited{Conn: raw, left: maxSession}, name)
	if err == nil {
		if !isPlain(helo) {
			helo = "localhost"
		}
		err = client.Hello(helo)
	}
	if err != nil {
		s.err = inTime(ctx, short(err))
		return s
	}
	if s.offered, _ = client.Extension("STARTTLS"); !s.offered {
		_ = client.Quit()
		return s
	}
	// Whom the certificate convinces is judged afterwards. Other senders know old suites.
	config := &tls.Config{ServerName: name, InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, CipherSuites: suites(kind)}
	if kind != anyKey {
		config.MaxVersion = tls.VersionTLS12 // the suites of TLS 1.3 fit each kind
	}
	err = client.StartTLS(config)
	state, secure := client.TLSConnectionState()
	if err != nil || !secure || !state.HandshakeComplete {
		s.failed = inTime(ctx, short(errors.Join(err)))
		if ctx.Err() != nil {
			s.err = s.failed
		}
		return s
	}
	s.chain, s.version = state.PeerCertificates, state.Version
	_ = client.Quit()
	return s
}

// suites are those that the library knows for a kind of key, also the ones that it does
// not offer.
func suites(kind keyKind) []uint16 {
	var ids []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if kind == anyKey || strings.Contains(s.Name, string(ecdsaKey)) == (kind == ecdsaKey) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// inTime returns an error of a connection that was ended when its time was over.
func inTime(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("no answer in time")
	}
	return err
}

// short returns an error of a connection in few words.
func short(err error) error {
	if said := new(textproto.Error); errors.As(err, &said) {
		return fmt.Errorf("it says %d %s", said.Code, clip(said.Msg))
	}
	if op := new(net.OpError); errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("connect to %s: %w", op.Addr, op.Err)
	}
	if err == nil {
		return errors.New("no TLS")
	}
	return err
}

// limited is a connection of which so much is read.
type limited struct {
	net.Conn
	left int
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("it says too much")
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}

// required says who demands TLS of a host, "" if nobody does.
func (h mxHost) required() string {
	var who []string
	if len(h.enforcing) > 0 {
		who = append(who, "the MTA-STS policy of "+h.enforcing[0])
	}
	if h.dane.demands() {
		who = append(who, "its TLSA record")
	}
	return strings.Join(who, " and ")
}

// startTLS judges whether each address offers TLS, and whether it comes about.
func (h mxHost) startTLS() []finding.Finding {
	var list []finding.Finding
	for _, s := range h.sessions {
		f := finding.Finding{ID: "tls.starttls", Subject: h.name + " (" + s.address.String() + ")", Expected: "STARTTLS is offered and comes about"}
		switch {
		case s.err != nil:
			f.Severity, f.Seen, f.CausedBy = finding.Unknown, clip(s.err.Error()), "live.units"
		case s.failed != nil:
			f.Severity, f.Seen = finding.Problem, "offered, and fails: "+clip(s.failed.Error())
			if strings.Contains(f.Seen, "454 4.3.0") { // Postfix 3.7 without its milter; TLS itself would be 4.7.0
				f.CausedBy = "live"
			}
			f.Why = "Many senders that are offered TLS keep trying it, and return the mail when it never comes about."
			f.Remedy = finding.Command("journalctl -t postfix/smtpd -n 20 && postconf smtpd_tls_chain_files smtpd_tls_cert_file smtpd_tls_key_file")
		case !s.offered && h.required() != "":
			f.Severity, f.Seen, f.Remedy = finding.Problem, "not offered, although "+h.required()+" demands it", withCertificate(h.name)
		case !s.offered:
			f.Severity, f.Seen, f.Remedy = finding.Note, "not offered: mail to here can be read on its way", withCertificate(h.name)
		default:
			f.Severity, f.Seen = finding.OK, "offered, with "+tls.VersionName(s.version)
		}
		list = append(list, f)
	}
	return list
}

// withCertificate says how a host gets a certificate, and Postfix uses it.
func withCertificate(host string) finding.Remedy {
	if !isPlain(host) {
		return finding.Text("get a certificate for this name, and set smtpd_tls_chain_files and smtpd_tls_security_level")
	}
	live := "/etc/letsencrypt/live/" + host
	return finding.Command("apt install certbot && certbot certonly --standalone -d %s && postconf -e smtpd_tls_security_level=may %s && postfix reload",
		host, "smtpd_tls_chain_files="+live+"/privkey.pem, "+live+"/fullchain.pem")
}

// versions judges the version of TLS that each address takes.
func (h mxHost) versions() []finding.Finding {
	var list []finding.Finding
	for _, s := range h.sessions {
		if !s.secure() {
			continue
		}
		f := finding.Finding{ID: "tls.version", Subject: h.name, Severity: finding.OK, Seen: tls.VersionName(s.version), Expected: "TLS 1.2 or later"}
		if s.version < tls.VersionTLS12 {
			f.Severity = finding.Note
			f.Remedy = finding.Command("postconf smtpd_tls_protocols smtpd_tls_mandatory_protocols tls_medium_cipherlist")
		}
		list = append(list, f)
	}
	return list
}
