package transport_test

import (
	"crypto/tls"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/transport"
)

func config(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }

// What senders that nobody told more see of the MX: a missing STARTTLS and a certificate
// that nobody knows are notes, a STARTTLS that fails is a problem.
func TestMailServer(t *testing.T) {
	ca := newAuthority(t, "Lab")
	good := ca.issue(t, "mx.lab.example", 60)
	for _, tt := range []struct {
		name   string
		config *tls.Config
		want   []string
		seen   string // of the first that is not OK
	}{
		{"all is well", config(good), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "ok tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, ""},
		{"no STARTTLS", nil, []string{"note tls.starttls mx.lab.example (127.0.0.2)"}, "not offered"},
		{"STARTTLS without a certificate", &tls.Config{}, []string{"problem tls.starttls mx.lab.example (127.0.0.2)"}, "454 4.7.0 TLS not available"},
		{"signed by itself", config(authority{}.issue(t, "mx.lab.example", 60)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "note tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, "it is signed by itself"},
		{"signed by itself, and ended", config(authority{}.issue(t, "mx.lab.example", -60)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "note tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, "it is signed by itself"},
		{"of another authority", config(newAuthority(t, "Other").issue(t, "mx.lab.example", 60)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "note tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, "its issuer is CN=Root,O=Other"},
		{"for another name", config(ca.issue(t, "www.lab.example", 60)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "note tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, "x509: certificate is valid for www.lab.example, not mx.lab.example"},
		{"ends soon", config(ca.issue(t, "mx.lab.example", 13)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "warning tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, "ends in 13 days, on 2026-12-13"},
		{"ends in time to be renewed", config(ca.issue(t, "mx.lab.example", 14)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "ok tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, ""},
		{"ended", config(ca.issue(t, "mx.lab.example", -1)), []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "warning tls.cert mx.lab.example", "ok tls.version mx.lab.example",
		}, "ended on 2026-11-29"},
		{"old TLS", &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, []string{
			"ok tls.starttls mx.lab.example (127.0.0.2)", "ok tls.cert mx.lab.example", "note tls.version mx.lab.example",
		}, "TLS 1.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := check(t, zone(t), server(), transport.Options{Roots: ca.roots(), SMTPPort: smtpServer(t, tt.config)})
			expect(t, lines(r, "tls"), tt.want...)
			for _, f := range r.Findings {
				if f.Severity != "ok" && strings.HasPrefix(f.ID, "tls.") && !strings.Contains(f.Seen, tt.seen) {
					t.Errorf("%s: %q", f.ID, f.Seen)
				}
			}
		})
	}
}

// A server that cannot be asked is unknown.
func TestServerThatDoesNotAnswer(t *testing.T) {
	closes := listen(t, func(c net.Conn) { _ = c.Close() })
	r := check(t, zone(t), server(), transport.Options{SMTPPort: closes})
	expect(t, lines(r, "tls"), "unknown tls.starttls mx.lab.example (127.0.0.2)")
	busy := listen(t, func(c net.Conn) { _, _ = c.Write([]byte("421 4.3.2 All server ports are busy\r\n")) })
	r = check(t, zone(t), server(), transport.Options{SMTPPort: busy})
	if f := find(t, r, "tls.starttls"); f.Severity != "unknown" || f.Seen != "it says 421 4.3.2 All server ports are busy" {
		t.Errorf("%+v", f)
	}
	endless := listen(t, func(c net.Conn) {
		for {
			if _, err := c.Write([]byte("220-" + strings.Repeat("x", 4000) + "\r\n")); err != nil {
				return
			}
		}
	})
	begun := time.Now()
	r = check(t, zone(t), server(), transport.Options{SMTPPort: endless})
	if f := find(t, r, "tls.starttls"); f.Severity != "unknown" || f.Seen != "it says too much" || time.Since(begun) > 30*time.Second {
		t.Errorf("%+v after %v", f, time.Since(begun))
	}
}

// Hosts of others are asked with --online only, and only where mail is received. Behind
// NAT the server is asked by its own address.
func TestWhoIsAsked(t *testing.T) {
	port := smtpServer(t, nil)
	foreign := server()
	foreign.Facts.Addresses = nil
	expect(t, lines(check(t, zone(t), foreign, transport.Options{SMTPPort: port}), "tls", "dane"))
	expect(t, lines(check(t, zone(t), foreign, transport.Options{SMTPPort: port, Online: true}), "tls"), "note tls.starttls mx.lab.example (127.0.0.2)")
	sendOnly := receives("lab.example")
	sendOnly[0].Receives = false
	expect(t, lines(check(t, zone(t), server(), transport.Options{SMTPPort: port}, sendOnly...), "tls", "sts", "dane", "tlsrpt"))

	nat := foreign
	nat.Spec.Host.Addresses = []netip.Addr{netip.MustParseAddr("127.0.0.2")}
	nat.Facts.SMTPAddress = "127.0.0.2:" + port
	expect(t, lines(check(t, zone(t), nat, transport.Options{SMTPPort: "1"}), "tls"), "note tls.starttls mx.lab.example (127.0.0.2)")
}

// A host of many domains is asked and told of once.
func TestHostOfManyDomains(t *testing.T) {
	c := zone(t, "b.lab.example. 60 IN MX 10 mx.lab.example.", "c.lab.example. 60 IN A 127.0.0.2", "d.lab.example. 60 IN MX 0 .")
	r := check(t, c, server(), transport.Options{SMTPPort: smtpServer(t, nil)}, receives("lab.example", "b.lab.example", "c.lab.example", "d.lab.example")...)
	expect(t, lines(r, "tls"), "note tls.starttls mx.lab.example (127.0.0.2)", "note tls.starttls c.lab.example (127.0.0.2)")
}
