// Package outsidetest has web, mail and time servers of others on loopback addresses.
package outsidetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"mailsetup/internal/check/outside"
	"mailsetup/internal/dnsclient"
)

// Web starts a web server for names, and has the world ask it. What it answers to a path
// with its query is in pages; a page that is missing is a 404.
func Web(t testing.TB, w *outside.World, names []string, pages map[string]string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if page, ok := pages[r.Host+r.URL.RequestURI()]; ok {
			_, _ = io.WriteString(rw, page)
			return
		}
		http.NotFound(rw, r)
	}))
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	w.Roots = x509.NewCertPool()
	w.Roots.AddCert(cert)
	_, w.HTTPS, _ = net.SplitHostPort(server.Listener.Addr().String())
}

// Mail starts a mail server that says a greeting, "" for none.
func Mail(t testing.TB, w *outside.World, greeting string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, greeting)
			_ = c.Close()
		}
	}()
	_, w.SMTP, _ = net.SplitHostPort(l.Addr().String())
}

// Clock starts a time server whose clock is ahead.
func Clock(t testing.TB, w *outside.World, ahead time.Duration) {
	t.Helper()
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	go func() {
		q := make([]byte, 128)
		for {
			n, at, err := p.ReadFrom(q)
			if err != nil {
				return
			}
			r := make([]byte, 48)
			r[0], r[1] = 4<<3|4, 2
			copy(r[24:32], q[40:min(n, 48)])
			now := time.Now().Add(ahead)
			binary.BigEndian.PutUint32(r[40:], uint32(now.Unix()+2208988800))
			binary.BigEndian.PutUint32(r[44:], uint32(int64(now.Nanosecond())<<32/1e9))
			_, _ = p.WriteTo(r, at)
		}
	}()
	_, w.NTP, _ = net.SplitHostPort(p.LocalAddr().String())
}

// New returns a world that asks a resolver.
func New(resolver string) outside.World {
	c := dnsclient.New(resolver)
	c.Timeout = 200 * time.Millisecond
	return outside.World{DNS: c.WithCache()}
}
