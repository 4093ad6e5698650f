//go:build e2e

package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// signedZone is a zone with a secondary, which BIND signs by itself.
const signedZone = `zone "lab.example" {
	type primary;
	file "/var/lib/bind/db.lab.example";
	dnssec-policy default;
	inline-signing yes;
	allow-transfer { 192.0.2.53; };
};`

func signedText(serial int) string {
	return fmt.Sprintf("$TTL 300\n@ IN SOA mail hostmaster %d 3600 900 604800 60\n@ IN NS mail\n@ IN NS ns2\n"+
		"mail IN A 192.0.2.10\nns2 IN A 192.0.2.53\nn%d IN A 192.0.2.80\n", serial, serial)
}

func TestConnectedBoxesTransferZones(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		both := []string{"192.0.2.10/32", "2001:db8::10/128"}
		one := Boot(t, Options{Release: release, Addresses: both})
		two := Boot(t, Options{Release: release, Hostname: "ns2.lab.example", Addresses: []string{"192.0.2.53/32", "2001:db8::53/128"}})
		Connect(t, one, two)
		one.Zone(t, "lab.example", signedZone, signedText(11))
		two.Zone(t, "lab.example", `zone "lab.example" { type secondary; primaries { 192.0.2.10; }; file "db.lab.example"; };`, "")
		transferred(t, two, "n11.lab.example")
		contains(t, "signed", two.Run(t, "dig", "+dnssec", "@127.0.0.1", "A", "n11.lab.example"), "RRSIG")
		want(t, "over IPv6", two.Run(t, "dig", "+short", "+tcp", "@2001:db8::10", "A", "n11.lab.example"), "192.0.2.80\n")
		want(t, "the world", one.Run(t, "dig", "+short", "@127.0.0.1", "MX", "remote.example"), "10 mx.remote.example.\n")

		one.Write(t, "/var/lib/bind/db.lab.example", signedText(12), 0o644)
		one.Run(t, "rndc", "reload", "lab.example")
		transferred(t, two, "n12.lab.example")

		one.Reboot(t)
		one.Zone(t, "lab.example", signedZone, signedText(21)) // ahead of the signed serial
		transferred(t, two, "n21.lab.example")
	})
}

// transferred waits until a name arrives at the secondary.
func transferred(t *testing.T, b *Box, name string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if out := b.Run(t, "dig", "+short", "@127.0.0.1", "A", name); strings.Contains(out, "192.0.2.80") {
			return
		}
	}
	t.Fatalf("%s is not transferred\n%s", name, b.Run(t, "journalctl", "-u", "named", "-n", "20", "--no-pager"))
}

// views is a configuration that Named and Zone cannot write.
const views = `options { directory "/var/cache/bind"; recursion no; };
view "inside" {
	match-clients { 127.0.0.0/8; };
	zone "lab.example" { type primary; file "/var/lib/bind/inside/lab"; };
};
view "outside" {
	zone "lab.example" { type primary; file "/etc/bind/db.outside"; };
};
`

func TestABoxWithViewsAndOnlyIPv6(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		b := Boot(t, Options{Release: release, Image: Mail, Addresses: []string{"2001:db8::10/128"}})
		b.Named(t, "lab.example")
		want(t, "PTR", b.Run(t, "dig", "+short", "@127.0.0.1", "-x", "2001:db8::10"), "mail.lab.example.\n")
		sink := b.Sink(t)
		letter := Letter{From: "ann@lab.example", To: "bob@remote.example", Subject: "six"}
		if said, taken := b.Send(t, letter); !taken {
			t.Fatalf("our own server refused: %s", said)
		}
		want(t, "client", sink.Wait(t, 1, 30*time.Second)[0].Client, "2001:db8::10")
		letter.Client = OutsideAddr6
		if said, taken := b.Send(t, letter); taken || !strings.Contains(said, "Relay access denied") {
			t.Errorf("a stranger may relay: %s", said)
		}

		b.NamedConf(t, map[string]string{
			"/etc/bind/named.conf":     views,
			"/var/lib/bind/inside/lab": signedText(1),
			"/etc/bind/db.outside":     signedText(2),
		})
		transferred(t, b, "n1.lab.example")
		want(t, "outside", b.Run(t, "dig", "+short", "@2001:db8::10", "A", "n2.lab.example"), "192.0.2.80\n")
	})
}
