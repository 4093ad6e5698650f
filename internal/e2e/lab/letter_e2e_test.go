//go:build e2e

package lab

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// services are those of a server with submission and amavis.
const services = `
submission inet n - y - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
465 inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
smtp-amavis unix - - y - 2 smtp
  -o smtp_data_done_timeout=1200
  -o smtp_send_xforward_command=yes
127.0.0.1:10025 inet n - y - - smtpd
  -o content_filter=
  -o smtpd_authorized_xforward_hosts=127.0.0.0/8
`

func TestLettersOfUsersNeighboursAndStrangers(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		b := Boot(t, Options{Release: release, Image: Mail, Addresses: []string{"192.0.2.10/32", "10.20.30.5/32"}})
		b.Named(t, "lab.example")
		sink := b.Sink(t)
		b.SASLUser(t, "ann", "a secret")
		b.SASLUser(t, "carl@other.example", "another")
		b.ContentFilter(t, "127.0.0.1:10024", "127.0.0.1:10025")
		cert := b.Certificate(t)
		b.Write(t, "/etc/postfix/master.cf", b.Read(t, "/etc/postfix/master.cf")+services, 0o644)
		b.Sh(t, `postconf -e smtpd_tls_cert_file=`+cert+` smtpd_tls_key_file=`+cert+` \
	content_filter=smtp-amavis:[127.0.0.1]:10024 'mynetworks=127.0.0.0/8 10.20.30.0/24 172.17.0.0/24'
systemctl restart postfix`)

		arrived := 0
		for name, c := range letters() {
			c.letter.From, c.letter.To = "ann@lab.example", "bob@remote.example"
			said, taken := b.Send(t, c.letter)
			if taken != (c.refused == "") || !strings.Contains(said, c.refused) {
				t.Errorf("%s: %s", name, said)
			}
			if taken {
				arrived++
			}
		}
		for _, m := range sink.Wait(t, arrived, time.Minute) {
			if bytes.Count(m.Data, []byte("X-Virus-Scanned: lab\r\n")) != 1 {
				t.Errorf("not filtered once:\n%s", m.Data)
			}
		}
		asSeen(t, b)
		raw := Letter{From: "ann@lab.example", To: "bob@remote.example", Cc: []string{"dan@remote.example"}, Raw: []byte("no header\n.dot\n")}
		if said, taken := b.Send(t, raw); !taken {
			t.Fatalf("a message without a header: %s", said)
		}
		last := sink.Wait(t, arrived+1, time.Minute)[arrived]
		want(t, "recipients", strings.Join(last.To, " "), "bob@remote.example dan@remote.example")
		contains(t, "message", string(last.Data), "\r\n\r\nno header\r\n.dot\r\n")
	})
}

// asSeen looks at where Postfix saw the letters come from, and that nobody is
// sent from an address that Postfix takes for its own.
func asSeen(t *testing.T, b *Box) {
	t.Helper()
	log := b.Run(t, "journalctl", "--no-pager", "-o", "cat", "-t", "postfix/smtpd")
	contains(t, "the log", log, "client=unknown["+LANAddr+"]", "client=unknown[172.17.0.2]", "client=unknown[10.20.30.5]",
		"NOQUEUE: reject: RCPT from unknown["+OutsideAddr+"]: 454 4.7.1")
	b.Sh(t, "ip addr add 198.51.100.66/32 dev lo")
	f := &failing{T: t}
	f.run(func() { b.Send(f, Letter{From: "ann@lab.example", To: "bob@remote.example", Client: "198.51.100.66"}) })
	contains(t, "a stranger on lo", f.said, "198.51.100.66 is an address of lo")
	b.Sh(t, "ip addr del 198.51.100.66/32 dev lo")
}

type wanted struct {
	letter  Letter
	refused string // how, empty when taken
}

func letters() map[string]wanted {
	const submission, smtps = "192.0.2.10:587", "192.0.2.10:465"
	return map[string]wanted{
		"neighbour":            {letter: Letter{Client: LANAddr}},
		"neighbour, LAN side":  {letter: Letter{Client: LANAddr, Server: "10.20.30.5:25"}},
		"container":            {letter: Letter{Client: "172.17.0.2"}},
		"the server's own":     {letter: Letter{Client: "10.20.30.5"}},
		"stranger":             {Letter{Client: OutsideAddr}, "Relay access denied"},
		"user, chroot":         {letter: Letter{Client: OutsideAddr, Server: submission, StartTLS: true, User: "ann", Password: "a secret"}},
		"user, no chroot":      {letter: Letter{Client: OutsideAddr, Server: smtps, ImplicitTLS: true, User: "ann", Password: "a secret"}},
		"user of a realm":      {letter: Letter{Client: OutsideAddr, Server: submission, StartTLS: true, User: "carl@other.example", Password: "another"}},
		"user, wrong password": {Letter{Client: OutsideAddr, Server: submission, StartTLS: true, User: "ann", Password: "another"}, "535 5.7.8"},
		"no user":              {Letter{Client: LANAddr, Server: submission, StartTLS: true}, "Access denied"},
		"no TLS":               {Letter{Client: LANAddr, Server: submission}, "Must issue a STARTTLS command first"},
	}
}
