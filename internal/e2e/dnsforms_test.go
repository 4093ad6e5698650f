//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// oldPolicy is the SPF record of a domain that did not know this server yet.
const (
	oldPolicy = "v=spf1 ip4:198.51.100.3 -all"
	newPolicy = "v=spf1 ip4:192.0.2.10 ip4:198.51.100.3 -all"
)

// TestDNSForms: what `mailsetup dns` prints is accepted by the programs it is
// meant for, and mail then verifies: by nsupdate in a zone that takes updates,
// as a zone file, by dnsmasq. What must go is taken out, and what stays stays.
func TestDNSForms(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
		const soa = "$TTL 300\n@ IN SOA mail hostmaster 2026010101 3600 900 604800 60\n@ IN NS mail\n"
		const dynamic = `zone "lab.example" { type primary; file "/var/lib/bind/db.lab.example"; allow-update { 127.0.0.1; }; };`
		b.Zone(t, "lab.example", dynamic, soa+"mail IN A 192.0.2.10\n@ IN TXT \""+oldPolicy+"\"\n@ IN TXT \"site-verification=4a1f\"\n")
		b.Zone(t, "shop.example", strings.ReplaceAll(dynamic, "lab.example", "shop.example"), strings.ReplaceAll(soa, "mail", "mail.lab.example."))
		b.Install(t)
		sink := b.Sink(t)
		product(t, b, 0, initArgs("--dns", "manual", "--receive", "yes", "--spf-all", "fail")...)
		product(t, b, 0, "init", "--yes", "--domain", "shop.example", "--receive", "yes")

		script, said := product(t, b, 0, "dns", "--format", "nsupdate")
		says(t, script, "\nserver 127.0.0.1\nzone lab.example.\nupdate delete lab.example. IN TXT \""+oldPolicy+"\"\n")
		says(t, strings.Join(strings.Fields(said), " "), "What is printed for lab.example replaces your record: "+oldPolicy)
		b.Write(t, "/root/updates", script, 0o600)
		b.Run(t, "nsupdate", "/root/updates")
		out, _ := product(t, b, 0, "dns", "--wait", "--timeout", "0")
		says(t, out, "lab.example: all 6 records at 1 name server\n", "shop.example: all 4 records at 1 name server\n")
		serves(t, b, "TXT", "lab.example", newPolicy)
		serves(t, b, "TXT", "lab.example", "v=spf1")
		serves(t, b, "TXT", "lab.example", "site-verification=4a1f")
		serves(t, b, "MX", "lab.example", "10 mail.lab.example.")
		leavesSigned(t, b, sink)
		spfOf(t, b, "192.0.2.10", "pass")

		b.Zone(t, "lab.example", dynamic, soa+"mail IN A 192.0.2.10\n")
		_, said = product(t, b, 3, "dns", "--wait", "--timeout", "0")
		says(t, said, "(missing)")
		zone, _ := product(t, b, 0, "dns", "lab.example")
		b.Write(t, "/root/zone", soa+zone, 0o600)
		b.Run(t, "named-checkzone", "lab.example", "/root/zone")
		b.Zone(t, "lab.example", dynamic, soa+zone)
		product(t, b, 0, "dns", "--wait", "--timeout", "0")
		leavesSigned(t, b, sink)
		lines, _ := product(t, b, 0, "dns", "lab.example", "--format", "plain")
		gives(t, b, "BIND", strings.Split(strings.TrimSpace(lines), "\n")[1:])

		withoutRoot(t, b)
		servedByDnsmasq(t, b, sink)
	})
}

// withoutRoot insists that everybody may see what is public, and is told what
// is left out.
func withoutRoot(t *testing.T, b *lab.Box) {
	t.Helper()
	out, said, code := b.Exec(t.Context(), nil, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "mailsetup", "dns")
	if code != 0 {
		t.Errorf("exit %d\n%s", code, said)
	}
	says(t, out, `"v=spf1 ip4:192.0.2.10 mx -all"`, "_dmarc.lab.example.")
	saysNot(t, out, "v=DKIM1")
	says(t, said, "the keys are known to root only: DKIM records are left out\nhint: sudo mailsetup dns\n")
}

// servedByDnsmasq puts Debian's dnsmasq in BIND's place.
func servedByDnsmasq(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	form, _ := product(t, b, 0, "dns", "lab.example", "--format", "dnsmasq")
	lines, _ := product(t, b, 0, "dns", "lab.example", "--format", "plain")
	b.Sh(t, "systemctl -q disable --now named; systemctl -q mask named")
	b.Apt(t, "dnsmasq")
	b.Write(t, "/etc/dnsmasq.d/lab.example.conf", form, 0o644)
	b.Write(t, "/etc/dnsmasq.d/office.conf", "no-resolv\nno-hosts\nmx-host=remote.example,mx.remote.example,10\nhost-record=mx.remote.example,"+lab.SinkAddr+"\n", 0o644)
	b.Sh(t, "dnsmasq --test; systemctl restart dnsmasq")
	gives(t, b, "dnsmasq", strings.Split(strings.TrimSpace(lines), "\n")[1:])
	leavesSigned(t, b, sink)
}
