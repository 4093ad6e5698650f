package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"mailsetup/internal/check/transport"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsclient/dnstest"
)

func TestReportAddresses(t *testing.T) {
	for _, tt := range []struct{ record, want string }{
		{"v=TLSRPTv1; rua=mailto:tls@lab.example", "[mailto:tls@lab.example]"},
		{"v=TLSRPTv1;rua=mailto:tls@lab.example,https://reports.example/v1 ;", "[mailto:tls@lab.example https://reports.example/v1]"},
		{"v=TLSRPTv1; rua=mailto:a%2Cb@lab.example , mailto:c@lab.example; ext=x", "[mailto:a%2Cb@lab.example mailto:c@lab.example]"},
		{"v=TLSRPTv1", "it does not begin with v=TLSRPTv1;"},
		{"v=TLSRPTv2; rua=mailto:tls@lab.example", "it does not begin with v=TLSRPTv1;"},
		{"v=tlsrptv1; rua=mailto:tls@lab.example", "it does not begin with v=TLSRPTv1;"},
		{"v=TLSRPTv1;", `"" is no field`},
		{"v=TLSRPTv1; ruf=mailto:tls@lab.example", "it has no rua"},
		{"v=TLSRPTv1; rua=", `"" has neither mailto: nor https: in front`},
		{"v=TLSRPTv1; rua=tls@lab.example", `"tls@lab.example" lacks mailto: in front`},
		{"v=TLSRPTv1; rua=mailto:lab.example", `"mailto:lab.example" is no address`},
		{"v=TLSRPTv1; rua=http://lab.example/", `"http://lab.example/" has neither mailto: nor https: in front`},
		{"v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@b.example", "it has two rua"},
	} {
		list, err := transport.ReportAddresses(tt.record)
		got := fmt.Sprint(list)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: %s; want %s", tt.record, got, tt.want)
		}
	}
}

func TestRecordOfTLSReports(t *testing.T) {
	for _, tt := range []struct{ records, want, remedy string }{
		{"", "note", `_smtp._tls.lab.example. TXT "v=TLSRPTv1; rua=mailto:postmaster@lab.example"`},
		{`"v=TLSRPTv1; rua=mailto:tls@lab.example"`, "ok", ""},
		{`"v=TLSRPTv1; rua=mailto:tls@lab.example"|"some text"`, "ok", ""},
		{`"v=TLSRPTv1; rua=tls@lab.example"`, "problem", `_smtp._tls.lab.example. TXT "v=TLSRPTv1; rua=mailto:postmaster@lab.example"`},
		{`"v=TLSRPTv1; rua=mailto:a@lab.example"|"v=TLSRPTv1; rua=mailto:b@lab.example"`, "problem", "leave one of them"},
	} {
		var more []string
		for r := range strings.SplitSeq(tt.records, "|") {
			if r != "" {
				more = append(more, "_smtp._tls.lab.example. 60 IN TXT "+r)
			}
		}
		f := find(t, check(t, zone(t, more...), server(), transport.Options{SMTPPort: "1"}), "tlsrpt.record")
		if string(f.Severity) != tt.want || f.Remedy.String() != tt.remedy || f.Domain != "lab.example" || f.Subject != "_smtp._tls.lab.example" {
			t.Errorf("%s: %+v", tt.records, f)
		}
	}
}

// A resolver that fails makes everything unknown, and nothing absent.
func TestResolverThatFails(t *testing.T) {
	c := refuses(t, "", nil)
	expect(t, lines(check(t, c, server(), transport.Options{SMTPPort: "1"}), "tls", "sts", "tlsrpt", "dane", "caa"),
		"unknown sts.record lab.example _mta-sts.lab.example", "unknown tlsrpt.record lab.example _smtp._tls.lab.example")
}

const tlsaName = "_25._tcp.mx.lab.example"

func TestTLSA(t *testing.T) {
	ca := newAuthority(t, "Lab")
	cert := ca.issue(t, "mx.lab.example", 60)
	port := smtpServer(t, config(cert))
	key := keyRecord(cert)
	_, digest, _ := strings.Cut(key, "3 1 1 ")
	other := "3 1 1 " + strings.Repeat("ab", 32)
	authorityKey := "2 1 1 " + keyDigest(ca)
	for _, tt := range []struct {
		name    string
		records []string
		want    []string
	}{
		{"none", nil, []string{"note dane.match " + tlsaName}},
		{"the key in use", []string{key}, []string{"ok dane.usage " + tlsaName, "ok dane.match " + tlsaName}},
		{"the key in use, in capitals", []string{"3 1 1 " + strings.ToUpper(digest)}, []string{"ok dane.usage " + tlsaName, "ok dane.match " + tlsaName}},
		{"another key", []string{other}, []string{"ok dane.usage " + tlsaName, "problem dane.match " + tlsaName}},
		{"the next key beside it", []string{other, key}, []string{"ok dane.usage " + tlsaName, "ok dane.match " + tlsaName, "ok dane.rollover " + tlsaName}},
		{"the authority", []string{authorityKey}, []string{"ok dane.usage " + tlsaName, "ok dane.match " + tlsaName, "ok dane.rollover " + tlsaName}},
		{"the key as an authority", []string{"2 1 1 " + digest}, []string{"ok dane.usage " + tlsaName, "problem dane.match " + tlsaName}},
		{"the whole certificate", []string{wholeRecord(cert)}, []string{"warning dane.usage " + tlsaName, "ok dane.match " + tlsaName}},
		{"SHA-512 alone", []string{"3 1 2 " + longDigest(cert)}, []string{"warning dane.usage " + tlsaName, "ok dane.match " + tlsaName}},
		{"SHA-512 beside SHA-256", []string{"3 1 2 " + longDigest(cert), key}, []string{"ok dane.usage " + tlsaName, "ok dane.match " + tlsaName}},
		{"usage for the web", []string{"1 1 1 " + digest}, []string{"warning dane.usage " + tlsaName}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var more []string
			for _, r := range tt.records {
				more = append(more, tlsaName+". 60 IN TLSA "+r)
			}
			o := transport.Options{Roots: ca.roots(), SMTPPort: port}
			r := check(t, signedZone(t, more...), server(), o)
			expect(t, lines(r, "dane"), tt.want...)
			if len(tt.want) > 1 && strings.HasPrefix(tt.want[1], "problem") && find(t, r, "dane.match").Remedy.String() != tlsaName+". TLSA "+key {
				t.Errorf("remedy %s", find(t, r, "dane.match").Remedy.String())
			}
			if len(tt.records) > 0 {
				expect(t, lines(check(t, zone(t, more...), server(), o), "dane"), "note dane.match "+tlsaName)
			}
		})
	}
}

// What a TLSA record demands is a problem where it is missing; a server that is not
// reached is unknown.
func TestTLSAWithoutTLS(t *testing.T) {
	c := signedZone(t, tlsaName+". 60 IN TLSA 3 1 1 "+strings.Repeat("ab", 32))
	r := check(t, c, server(), transport.Options{SMTPPort: smtpServer(t, nil)})
	expect(t, lines(r, "tls", "dane"), "problem tls.starttls mx.lab.example (127.0.0.2)", "ok dane.usage "+tlsaName, "unknown dane.match "+tlsaName)
	if f := find(t, r, "dane.match"); f.CausedBy != "tls.starttls" {
		t.Errorf("%+v", f)
	}
	failing := refuses(t, tlsaName+".", dnstest.Zone(t, "lab.example. 60 IN MX 10 mx.lab.example.", "mx.lab.example. 60 IN A 127.0.0.2"))
	expect(t, lines(check(t, failing, server(), transport.Options{SMTPPort: smtpServer(t, nil)}), "dane"), "unknown dane.match "+tlsaName)
}

// A resolver that validates says by AD that TLSA records count, without a look at DS.
func TestTLSAThatTheResolverValidated(t *testing.T) {
	z := dnstest.Zone(t, "lab.example. 60 IN MX 10 mx.lab.example.", "mx.lab.example. 60 IN A 127.0.0.2", tlsaName+". 60 IN TLSA 3 1 1 "+strings.Repeat("ab", 32))
	c := dnsclient.New(dnstest.Serve(t, "127.0.0.1", func(r *dns.Msg) *dns.Msg {
		m := z(r)
		m.AuthenticatedData = r.AuthenticatedData
		return m
	})).WithCache()
	r := check(t, c, server(), transport.Options{SMTPPort: smtpServer(t, config(newAuthority(t, "Lab").issue(t, "mx.lab.example", 60)))})
	expect(t, lines(r, "dane"), "ok dane.usage "+tlsaName, "problem dane.match "+tlsaName)
}

// certbot makes a new key with each renewal unless it is told to keep it.
func TestTLSAOfTheNextKey(t *testing.T) {
	ca := newAuthority(t, "Lab")
	cert := ca.issue(t, "mx.lab.example", 60)
	c := signedZone(t, tlsaName+". 60 IN TLSA "+keyRecord(cert))
	s := server()
	s.Facts.Postfix = postfix("smtpd_tls_chain_files", "/etc/letsencrypt/live/mx.lab.example/privkey.pem, /etc/letsencrypt/live/mx.lab.example/fullchain.pem")
	for text, want := range map[string]string{
		"[renewalparams]\nauthenticator = webroot\n":                   "warning dane.rollover " + tlsaName,
		"[renewalparams]\nreuse_key = False\n":                         "warning dane.rollover " + tlsaName,
		"[renewalparams]\nauthenticator = webroot\nreuse_key = True\n": "ok dane.rollover " + tlsaName,
	} {
		o := transport.Options{Roots: ca.roots(), SMTPPort: smtpServer(t, config(cert)), Files: files("/etc/letsencrypt/renewal/mx.lab.example.conf", text)}
		r := check(t, c, s, o)
		expect(t, lines(r, "dane.rollover"), want)
		if f := find(t, r, "dane.rollover"); f.Severity == "warning" && f.Remedy.String() != "certbot reconfigure --cert-name mx.lab.example --reuse-key" {
			t.Errorf("%+v", f)
		}
	}
	expect(t, lines(check(t, c, s, transport.Options{SMTPPort: smtpServer(t, config(cert)), Files: files("/etc/nothing", "")}), "dane.rollover"))
}

func TestCAA(t *testing.T) {
	ca := newAuthority(t, "Let's Encrypt")
	port := smtpServer(t, config(ca.issue(t, "mx.lab.example", 60)))
	for _, tt := range []struct{ records, want, text string }{
		{"", "ok", "every authority may issue certificates"},
		{`lab.example. 60 IN CAA 0 issue "letsencrypt.org; validationmethods=dns-01"`, "ok", "lab.example allows letsencrypt.org"},
		{`lab.example. 60 IN CAA 0 iodef "mailto:a@lab.example"`, "ok", "every authority may issue certificates"},
		{`lab.example. 60 IN CAA 0 issue "digicert.com"|lab.example. 60 IN CAA 0 issue "LetsEncrypt.org"`, "ok", "lab.example allows digicert.com, letsencrypt.org"},
		{`lab.example. 60 IN CAA 0 issue "digicert.com"|mx.lab.example. 60 IN CAA 0 issue "letsencrypt.org"`, "ok", "mx.lab.example allows letsencrypt.org"},
		{`lab.example. 60 IN CAA 0 issue "digicert.com"`, "warning", `lab.example. CAA 0 issue "letsencrypt.org"`},
		{`lab.example. 60 IN CAA 0 issue ";"`, "warning", `lab.example. CAA 0 issue "letsencrypt.org"`},
		{`lab.example. 60 IN CAA 0 issuewild "digicert.com"`, "ok", "every authority may issue certificates"},
	} {
		var more []string
		if tt.records != "" {
			more = strings.Split(tt.records, "|")
		}
		f := find(t, check(t, zone(t, more...), server(), transport.Options{SMTPPort: port}), "caa")
		if string(f.Severity) != tt.want || f.Seen != tt.text && f.Remedy.String() != tt.text || f.Subject != "mx.lab.example" {
			t.Errorf("%s: %+v", tt.records, f)
		}
	}
	// What an authority that nobody trusts obeys is its own business.
	other := smtpServer(t, config(newAuthority(t, "Lab").issue(t, "mx.lab.example", 60)))
	expect(t, lines(check(t, zone(t, `lab.example. 60 IN CAA 0 issue ";"`), server(), transport.Options{SMTPPort: other}), "caa"))
}

// Which names an authority has in CAA records changes: without certainty that all that are
// there belong to others it is a note.
func TestCAAOfAuthoritiesThatAreNotKnown(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ organization, url, server, issue, want, seen string }{
		{"Let's Encrypt", "", "", "letsencrypt.example", "note", "lab.example allows letsencrypt.example; whether these are names of Let's Encrypt, which issued the certificate in use, is not known"},
		{"New CA", "", "", "digicert.com", "note", "lab.example allows digicert.com; whether these are names of New CA, which issued the certificate in use, is not known"},
		{"New CA", "", "", ";", "warning", "lab.example does not allow New CA, which issued the certificate in use: it cannot be renewed"},
		{"New CA", "http://crt.new-ca.example/r1.crt", "", "new-ca.example", "ok", "lab.example allows new-ca.example"},
		{"New CA", "http://crt.new-ca.example/r1.crt", "", "w-ca.example", "note", ""},
		{"New CA", "http://crt.new-ca.example/r1.crt", "", "example", "note", ""},
		{"New CA", "", "https://acme.api.new-ca.example/directory", "new-ca.example", "ok", "lab.example allows new-ca.example"},
	} {
		ca := newAuthority(t, tt.organization)
		s := server()
		s.Facts.Postfix = postfix("smtpd_tls_chain_files", "/etc/letsencrypt/live/mx/all.pem")
		o := transport.Options{
			Roots: ca.roots(), SMTPPort: smtpServer(t, config(ca.issueTo(t, "mx.lab.example", 60, key, tt.url))),
			Files: files("/etc/letsencrypt/renewal/mx.conf", "[renewalparams]\nserver = "+tt.server+"\n"),
		}
		f := find(t, check(t, zone(t, `lab.example. 60 IN CAA 0 issue "`+tt.issue+`"`), s, o), "caa")
		if string(f.Severity) != tt.want || tt.seen != "" && f.Seen != tt.seen {
			t.Errorf("%+v: %+v", tt, f)
		}
	}
}

// A server with two keys shows each client one that it can verify: both need a record.
func TestTLSAOfTwoKeys(t *testing.T) {
	ca := newAuthority(t, "Lab")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curve, number := ca.issue(t, "mx.lab.example", 60), ca.issueTo(t, "mx.lab.example", 60, key)
	next := "3 1 1 " + strings.Repeat("ab", 32)
	renewal := files("/etc/letsencrypt/renewal/mx.conf", "[renewalparams]\n")
	s := server()
	s.Facts.Postfix = postfix("smtpd_tls_cert_file", "/etc/letsencrypt/live/mx/fullchain.pem", "smtpd_tls_eccert_file", "/etc/letsencrypt/live/mx-ec/fullchain.pem")
	for _, certs := range [][]tls.Certificate{{curve, number}, {number, curve}} {
		port := smtpServer(t, &tls.Config{Certificates: certs})
		for _, tt := range []struct {
			records []string
			want    []string
			seen    string
		}{
			{[]string{keyRecord(curve)}, []string{"problem dane.match " + tlsaName}, "no TLSA record is of the RSA key, which is in use beside another: "},
			{[]string{keyRecord(number)}, []string{"problem dane.match " + tlsaName}, "no TLSA record is of the ECDSA key, which is in use beside another: "},
			{[]string{keyRecord(number), keyRecord(curve)}, []string{"ok dane.match " + tlsaName, "warning dane.rollover " + tlsaName}, ""},
			{[]string{keyRecord(number), keyRecord(curve), next}, []string{"ok dane.match " + tlsaName, "ok dane.rollover " + tlsaName}, ""},
		} {
			var more []string
			for _, r := range tt.records {
				more = append(more, tlsaName+". 60 IN TLSA "+r)
			}
			r := check(t, signedZone(t, more...), s, transport.Options{Roots: ca.roots(), SMTPPort: port, Files: renewal})
			expect(t, lines(r, "dane.match", "dane.rollover"), tt.want...)
			if f := find(t, r, "dane.match"); !strings.HasPrefix(f.Seen, tt.seen) {
				t.Errorf("%q: %q", tt.records, f.Seen)
			}
		}
	}
}

// Answers of any size and number are looked at within bounds, and quoted shortly.
func TestHostileAnswers(t *testing.T) {
	long := strings.Repeat("x", 250)
	var more []string
	for i := range 60 {
		more = append(more,
			fmt.Sprintf(`_mta-sts.lab.example. 60 IN TXT "v=STSv1; id=%d%s"`, i, long), fmt.Sprintf(`_smtp._tls.lab.example. 60 IN TXT "v=TLSRPTv1; rua=%d%s"`, i, long),
			fmt.Sprintf("%s. 60 IN TLSA 3 1 1 %064x", tlsaName, i), fmt.Sprintf(`mx.lab.example. 60 IN CAA 0 issue "ca%d.example"`, i),
			fmt.Sprintf("lab.example. 60 IN MX 10 mx%d.lab.example.", i), fmt.Sprintf("mx.lab.example. 60 IN A 192.0.2.%d", i%256))
	}
	cert := newAuthority(t, "Let's Encrypt").issue(t, "mx.lab.example", 60)
	r := check(t, signedZone(t, more...), server(), transport.Options{SMTPPort: smtpServer(t, config(cert))})
	for _, f := range r.Findings {
		if len(f.Seen) > 700 || len(f.Expected) > 300 || len(f.Remedy.String()) > 500 {
			t.Errorf("%s has %d, %d and %d octets", f.ID, len(f.Seen), len(f.Expected), len(f.Remedy.String()))
		}
	}
	if n := len(r.Findings); n > 40 {
		t.Errorf("%d findings", n)
	}
}
