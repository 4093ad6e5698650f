//go:build e2e

package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

const secondary = "192.0.2.53"

// pair is a server and a name server elsewhere that has its zones from it.
type pair struct {
	*lab.Box
	ns2 *lab.Box
}

// TestSecondary: a name server elsewhere serves the records soon after they
// are here, and loses them again after a rollback and after a run that failed;
// in a zone that BIND signs, by a policy, inline or both, every signature holds
// at every step.
func TestSecondary(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		p := newPair(t, release)
		for _, domain := range []string{"lab.example", "keys.example", "signed.example"} {
			args := []string{"init", "--yes", "--domain", domain, "--hostname", "mail." + domain, "--ip", "192.0.2.10"}
			first := p.follows(t, domain, 0)
			p.has(t, domain, false)

			product(t, p.Box, 0, args...)
			second := p.follows(t, domain, first)
			p.has(t, domain, true)

			product(t, p.Box, 0, "rollback", "--yes")
			third := p.follows(t, domain, second)
			p.has(t, domain, false)

			if domain == "signed.example" {
				p.fails(t, release, domain, args)
				p.follows(t, domain, third)
				p.has(t, domain, false)
			}
		}
	})
}

// newPair boots both. The unsigned zone is where Debian's administrators have
// theirs, the signed one where BIND may write beside it.
func newPair(t *testing.T, release string) pair {
	t.Helper()
	p := pair{
		server(t, release, lab.Mail),
		lab.Boot(t, lab.Options{Release: release, Hostname: "ns2.lab.example", Addresses: []string{secondary + "/32"}}),
	}
	lab.Connect(t, p.Box, p.ns2)
	p.Named(t, "lab.example", "@ IN NS ns2", "ns2 IN A "+secondary)
	for _, zone := range []string{"signed", "keys"} {
		p.Write(t, "/var/lib/bind/db."+zone+".example", "$TTL 300\n@ IN SOA mail.lab.example. hostmaster 2026010101 3600 900 604800 60\n"+
			"@ IN NS mail.lab.example.\n@ IN NS ns2.lab.example.\nwww IN A 192.0.2.80\n", 0o644)
	}
	// BIND 9.18 signs with keys that were made by hand, 9.20 by a policy alone.
	// It gives nobody a zone who is not named.
	how := "dnssec-policy default;"
	if release == "bookworm" {
		how = "auto-dnssec maintain; inline-signing yes;"
		p.Sh(t, "cd /var/cache/bind; for flags in '' '-f KSK'; do dnssec-keygen -q -a ECDSAP256SHA256 $flags keys.example; done")
	}
	p.Sh(t, `chown bind: /var/lib/bind/db.* /var/cache/bind/*
cat >>/etc/bind/named.conf.local <<'END'
zone "signed.example" { type primary; file "/var/lib/bind/db.signed.example"; dnssec-policy default; inline-signing yes; };
zone "keys.example" { type primary; file "/var/lib/bind/db.keys.example"; `+how+` };
END
sed -i 's/recursion yes;/&\n\tallow-transfer { `+secondary+`; };\n\tnotify-delay 0;/' /etc/bind/named.conf.options
named-checkconf -z >/dev/null; systemctl restart named`)
	p.ns2.Sh(t, `cat >/etc/bind/named.conf.options <<'END'
options { directory "/var/cache/bind"; recursion no; dnssec-validation no; allow-transfer { any; }; };
END
for zone in lab.example signed.example keys.example; do
	echo "zone \"$zone\" { type secondary; primaries { 192.0.2.10; }; file \"db.$zone\"; };"
done >/etc/bind/named.conf.local
named-checkconf; systemctl restart named`)
	return p
}

// soa is the serial of a zone at a name server, 0 if it has none.
func (p pair) soa(t *testing.T, server, domain string) int {
	t.Helper()
	f := strings.Fields(p.Run(t, "dig", "+short", "@"+server, "SOA", domain))
	if len(f) < 7 {
		return 0
	}
	n, err := strconv.Atoi(f[2])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// follows waits until the secondary has what is served here, under a higher
// serial than before. BIND lets five seconds pass between two NOTIFYs. A signed
// zone is served under a serial of its own.
func (p pair) follows(t *testing.T, domain string, before int) int {
	t.Helper()
	start := time.Now()
	for {
		here, there := p.soa(t, "127.0.0.1", domain), p.soa(t, secondary, domain)
		if here == there && there > before {
			file := serial.FindStringSubmatch(p.zone(t, domain))
			t.Logf("%s: serial %s in the file, %d here and, %.1f s later, there", domain, file[2], here, time.Since(start).Seconds())
			return there
		}
		if time.Since(start) > 90*time.Second {
			t.Fatalf("%s: serial %d here, %d there, want more than %d\n%s", domain, here, there, before,
				p.ns2.Run(t, "journalctl", "-u", "named", "-n", "20", "--no-pager"))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (p pair) zone(t *testing.T, domain string) string {
	t.Helper()
	if domain == "lab.example" {
		return p.Read(t, "/etc/bind/db."+domain)
	}
	return p.Read(t, "/var/lib/bind/db."+domain)
}

// has insists that the secondary has all of our records or none.
func (p pair) has(t *testing.T, domain string, want bool) {
	t.Helper()
	all := p.ns2.Run(t, "dig", "+noall", "+answer", "@127.0.0.1", "AXFR", domain)
	for _, ours := range []string{"v=spf1", "v=DKIM1", "v=DMARC1"} {
		if strings.Contains(all, ours) != want {
			t.Errorf("%s: %s there is %v, want %v:\n%s", domain, ours, !want, want, all)
		}
	}
	if domain != "lab.example" {
		p.validates(t, domain, all)
	}
}

// validates insists that the zone as it was transferred is signed throughout,
// and that a resolver that trusts the zone's own key accepts what it says.
func (p pair) validates(t *testing.T, domain, all string) {
	t.Helper()
	p.Write(t, "/root/transferred", all, 0o644)
	key := ""
	for line := range strings.Lines(all) {
		if f := strings.Fields(line); len(f) > 7 && f[3] == "DNSKEY" && f[4] == "257" {
			key = fmt.Sprintf("%s static-key %s %s %s %q;", f[0], f[4], f[5], f[6], strings.Join(f[7:], ""))
		}
	}
	p.Write(t, "/root/anchors", "trust-anchors { "+key+" };\n", 0o644)
	p.Run(t, "dnssec-verify", "-z", "-o", domain, "/root/transferred")
	for _, q := range []string{domain + " TXT", "_dmarc." + domain + " TXT", "www." + domain + " A"} {
		name, kind, _ := strings.Cut(q, " ")
		out, said, _ := p.Exec(t.Context(), nil, "delv", "@"+secondary, "-a", "/root/anchors", "+root="+domain, name, kind)
		if !strings.Contains(out+said, "fully validated") {
			t.Errorf("delv %s: %s%s", q, out, said)
		}
	}
}

// fails runs init on a server whose Postfix does not reload, so late that the
// secondary has heard of the records that are then taken back.
func (p pair) fails(t *testing.T, release, domain string, args []string) {
	t.Helper()
	unit := postfixUnit(release)
	dropIn(t, p.Box, unit, "ExecReload=\nExecReload="+strings.Replace(unless("opendkim", "/etc/postfix/main.cf", "postfix reload"), "exit", "sleep 6; exit", 1))
	since := strings.TrimSpace(p.ns2.Run(t, "date", "+%s"))
	_, stderr := product(t, p.Box, 1, args...)
	says(t, stderr, distaste, "everything was put back as it was")
	undrop(t, p.Box, unit)
	p.follows(t, domain, 0)
	p.ns2.Run(t, "journalctl", "--sync")
	log := p.ns2.Run(t, "journalctl", "-u", "named", "-o", "cat", "--no-pager", "--since", "@"+since)
	if n := strings.Count(log, "zone "+domain+"/IN: transferred serial"); n != 2 {
		t.Errorf("%s was transferred %d times, want twice, there and back:\n%s", domain, n, log)
	}
}
