package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"time"
)

// saslConf is read by Postfix's smtpd, before it goes into its chroot.
const saslConf = `pwcheck_method: auxprop
auxprop_plugin: sasldb
mech_list: PLAIN LOGIN
`

// SASLUser lets Postfix know a user by Cyrus SASL: it installs the packages
// with the first call, writes /etc/postfix/sasl/smtpd.conf and the password
// into sasldb, once where an smtpd without chroot looks and once where one in a
// chroot does. A user without "@" is one of $myhostname, as Postfix takes it to
// be. main.cf and master.cf are the test's to write:
//
//	submission inet n - y - - smtpd
//	  -o smtpd_sasl_auth_enable=yes
//	  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
//
// Debian's smtpd_sasl_type (cyrus) and smtpd_sasl_path (smtpd) are right. With
// -o smtpd_tls_security_level=encrypt, or -o smtpd_tls_auth_only=yes, there
// must be a certificate (see Certificate) and the Letter needs StartTLS.
func (b *Box) SASLUser(t T, user, password string) {
	t.Helper()
	if !b.Exists("/usr/sbin/saslpasswd2") {
		b.Apt(t, "sasl2-bin", "libsasl2-modules", "libsasl2-modules-db")
		b.Write(t, "/etc/postfix/sasl/smtpd.conf", saslConf, 0o644)
	}
	name, realm, found := strings.Cut(user, "@")
	if !found {
		realm = strings.TrimSpace(b.Run(t, "postconf", "-h", "-x", "myhostname"))
	}
	_, stderr, code := b.Exec(t.Context(), strings.NewReader(password), "saslpasswd2", "-p", "-c", "-u", realm, name)
	if code != 0 {
		t.Fatalf("%s: saslpasswd2 %s: exit status %d: %s", b.Name, user, code, stderr)
	}
	b.Sh(t, `cd /var/spool/postfix
mkdir -p etc
cp /etc/sasldb2 etc/sasldb2
chown root:postfix /etc/sasldb2 etc/sasldb2
chmod 640 /etc/sasldb2 etc/sasldb2`)
}

// Certificate is the path of a self-signed certificate for the host name, with
// its key in the same file, for both of smtpd_tls_cert_file and
// smtpd_tls_key_file. The Mail image of Debian 12 has one of its own, that of
// Debian 13 has none and offers no STARTTLS without.
func (b *Box) Certificate(t T) (path string) {
	t.Helper()
	text, err := certificate(b.Hostname)
	if err != nil {
		t.Fatalf("certificate for %s: %v", b.Hostname, err)
	}
	b.Write(t, "/etc/ssl/lab.pem", text, 0o600)
	return "/etc/ssl/lab.pem"
}

func certificate(host string) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	public, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	private, err2 := x509.MarshalPKCS8PrivateKey(key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: public})), errors.Join(err, err2)
}
