package transport_test

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/finding/findingtest"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/check/transport"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
	"mailsetup/internal/state"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, organization string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{organization}, CommonName: "Root"},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return authority{sign(t, template, template, key, key), key}
}

func sign(t *testing.T, template, parent *x509.Certificate, key, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (a authority) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// issue makes a certificate that ends after so many days; one of the authority without
// a key is signed by itself.
func (a authority) issue(t *testing.T, name string, days int) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return a.issueTo(t, name, days, key)
}

// issueTo makes a certificate of a key, in which the authority is found at some addresses.
func (a authority) issueTo(t *testing.T, name string, days int, key crypto.Signer, urls ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: now.AddDate(0, -3, 0), NotAfter: now.AddDate(0, 0, days), IssuingCertificateURL: urls,
	}
	if a.key == nil {
		leaf := sign(t, template, template, key, key)
		return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	}
	leaf := sign(t, template, a.cert, key, a.key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
}

// keyRecord is the TLSA record 3 1 1 of a certificate, made without the product.
func keyRecord(c tls.Certificate) string {
	return fmt.Sprintf("3 1 1 %x", sha256.Sum256(c.Leaf.RawSubjectPublicKeyInfo))
}

// smtpServer is a mail server. Config nil: it knows no STARTTLS.
func smtpServer(t *testing.T, config *tls.Config) (port string) {
	t.Helper()
	return listen(t, func(conn net.Conn) {
		in, config := bufio.NewScanner(conn), config
		fmt.Fprint(conn, "220 mx.lab.example ESMTP\r\n")
		for in.Scan() {
			switch verb := strings.ToUpper(strings.Fields(in.Text() + " -")[0]); {
			case verb == "EHLO" && config != nil:
				fmt.Fprint(conn, "250-mx.lab.example\r\n250 STARTTLS\r\n")
			case verb == "STARTTLS" && len(config.Certificates) == 0:
				fmt.Fprint(conn, "454 4.7.0 TLS not available due to local problem\r\n")
			case verb == "STARTTLS":
				fmt.Fprint(conn, "220 2.0.0 Ready to start TLS\r\n")
				conn = tls.Server(conn, config)
				in = bufio.NewScanner(conn)
				config = nil
			case verb == "QUIT":
				fmt.Fprint(conn, "221 2.0.0 Bye\r\n")
				return
			default:
				fmt.Fprint(conn, "250 mx.lab.example\r\n")
			}
		}
	})
}

// listen serves connections on 127.0.0.2.
func listen(t *testing.T, serve func(net.Conn)) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); serve(conn) }()
		}
	}()
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// webServer serves a policy by HTTPS.
func webServer(t *testing.T, c tls.Certificate, h http.HandlerFunc) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener = l
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{c}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// zone is lab.example as most tests want it, with further records.
func zone(t *testing.T, more ...string) *dnsclient.Client {
	t.Helper()
	return dnsclient.New(dnstest.Serve(t, "127.0.0.1", dnstest.Zone(t, append([]string{
		"lab.example. 60 IN SOA ns.lab.example. h.lab.example. 1 1 1 1 1",
		"lab.example. 60 IN MX 10 mx.lab.example.", "mx.lab.example. 60 IN A 127.0.0.2",
	}, more...)...))).WithCache()
}

// signedZone is zone with a DS at the parent.
func signedZone(t *testing.T, more ...string) *dnsclient.Client {
	t.Helper()
	return zone(t, append(more, "lab.example. 60 IN DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF")...)
}

// server is this machine, with a Postfix that sends by TLS.
func server() subject.Server {
	return subject.Server{
		Name: "mx.lab.example", Now: now,
		Facts: state.Facts{Addresses: []netip.Addr{netip.MustParseAddr("127.0.0.2")}},
	}
}

func receives(names ...string) []subject.Domain {
	var list []subject.Domain
	for _, n := range names {
		list = append(list, subject.Domain{Name: n, Sends: true, Receives: true})
	}
	return list
}

// lines are the findings of some IDs: severity, ID, domain, subject.
func lines(r finding.Result, ids ...string) []string {
	var list []string
	for _, f := range r.Findings {
		if slices.ContainsFunc(ids, func(id string) bool { return f.ID == id || strings.HasPrefix(f.ID, id+".") }) {
			list = append(list, strings.Join(strings.Fields(fmt.Sprint(f.Severity, " ", f.ID, " ", f.Domain, " ", f.Subject)), " "))
		}
	}
	return list
}

// find is the finding of an ID; an empty one if there is none.
func find(t *testing.T, r finding.Result, id string) finding.Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.ID == id })
	if i < 0 {
		t.Errorf("no finding %s in %v", id, r.Findings)
		return finding.Finding{}
	}
	return r.Findings[i]
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// refuses is a resolver that fails for all names but some.
func refuses(t *testing.T, fails string, answer func(*dns.Msg) *dns.Msg) *dnsclient.Client {
	t.Helper()
	return dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		if strings.HasSuffix(r.Question[0].Name, fails) {
			return dnstest.Reply(t, r, dns.RcodeServerFailure)
		}
		return answer(r)
	})).WithCache()
}

func check(t *testing.T, c *dnsclient.Client, s subject.Server, o transport.Options, domains ...subject.Domain) finding.Result {
	t.Helper()
	if domains == nil {
		domains = receives("lab.example")
	}
	r := transport.Check(t.Context(), c, s, domains, o)
	findingtest.Remedies(t, r.Findings)
	return r
}

// keyDigest is that of an authority, for a TLSA record.
func keyDigest(a authority) string {
	return fmt.Sprintf("%x", sha256.Sum256(a.cert.RawSubjectPublicKeyInfo))
}

// wholeRecord is the TLSA record 3 0 1 of a certificate.
func wholeRecord(c tls.Certificate) string {
	return fmt.Sprintf("3 0 1 %x", sha256.Sum256(c.Leaf.Raw))
}

// longDigest is the SHA-512 of a certificate's key.
func longDigest(c tls.Certificate) string {
	return fmt.Sprintf("%x", sha512.Sum512(c.Leaf.RawSubjectPublicKeyInfo))
}
