//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// nameServer is a name server that is not BIND: how an administrator has it,
// and what they do with the records that are printed.
type nameServer struct {
	name     string // as the product calls it
	packages string
	conf     string // files that should not be touched
	prepare  string // a script, after the packages are there and stopped
	paste    string // a script, with the records in /root/records
	mail     bool   // it looks up names, too: mail can leave and be verified
}

func nameServers() []nameServer {
	const zone = `@ 300 IN SOA mail hostmaster 7 3600 900 604800 60
@ 300 IN NS mail
`
	return []nameServer{
		{
			"dnsmasq", "dnsmasq", "/etc/dnsmasq.d", `printf 'no-resolv\nno-hosts\nmx-host=remote.example,mx.remote.example,10\nhost-record=mx.remote.example,` +
				lab.SinkAddr + `\n' >/etc/dnsmasq.d/office.conf; systemctl start dnsmasq`,
			"cp /root/records /etc/dnsmasq.d/lab.example.conf; dnsmasq --test; systemctl restart dnsmasq", true,
		},
		{
			"Unbound", "unbound", "/etc/unbound", `cat >/etc/unbound/unbound.conf.d/office.conf <<'END'
server:
    module-config: "iterator"
    local-data: 'remote.example. IN MX 10 mx.remote.example.'
    local-data: 'mx.remote.example. IN A ` + lab.SinkAddr + `'
END
systemctl start unbound`,
			"cp /root/records /etc/unbound/unbound.conf.d/lab.example.conf; unbound-checkconf; systemctl restart unbound", true,
		},
		{
			"NSD", "nsd", "/etc/nsd", `printf 'zone:\n  name: lab.example\n  zonefile: /etc/nsd/lab.example.zone\n' >/etc/nsd/nsd.conf.d/lab.conf
printf '` + strings.ReplaceAll(zone, "\n", `\n`) + `' >/etc/nsd/lab.example.zone; systemctl start nsd`,
			"cat /root/records >>/etc/nsd/lab.example.zone; sed -i 's/ 7 3600/ 8 3600/' /etc/nsd/lab.example.zone; nsd-control reload lab.example", false,
		},
		{
			"PowerDNS", "pdns-server pdns-backend-sqlite3", "/etc/powerdns", `python3 - <<'END'
import sqlite3
c = sqlite3.connect('/var/lib/powerdns/pdns.sqlite3')
c.executescript(open('/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql').read())
END
chown -R pdns: /var/lib/powerdns; sed -i '/^launch=$/d' /etc/powerdns/pdns.conf
printf 'launch=gsqlite3\ngsqlite3-database=/var/lib/powerdns/pdns.sqlite3\n' >/etc/powerdns/pdns.d/lab.conf
pdnsutil create-zone lab.example mail.lab.example; systemctl start pdns`,
			"sh -eu /root/records", false,
		},
	}
}

// TestOtherNameServers: where another name server than BIND answers, the
// records are printed in its form, and pasting that makes it serve them.
// Nothing of it is touched.
func TestOtherNameServers(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
		b.Install(t)
		sink := b.Sink(t)
		b.Sh(t, "systemctl -q disable --now named; systemctl -q mask named")
		for _, s := range nameServers() {
			service := strings.Fields(strings.Replace(s.packages, "-server", "", 1))[0]
			b.Apt(t, strings.Fields(s.packages)...)
			b.Sh(t, "systemctl stop "+service+"\n"+s.prepare)
			answersOnce(t, b)
			before, unit := b.Snapshot(t, s.conf), b.Run(t, "systemctl", "show", "-p", "InvocationID,ActiveState", service)

			_, said := product(t, b, 2, initArgs("--dns", "bind", "--receive", "yes")...)
			says(t, said, s.name+" answers DNS here, not BIND", "hint: --dns manual")
			out, _ := product(t, b, 0, initArgs("--receive", "yes")...)
			says(t, strings.Join(strings.Fields(out), " "), s.name+" answers DNS here and is left alone: publish these records of lab.example")
			same(t, before, b.Snapshot(t, s.conf))
			if now := b.Run(t, "systemctl", "show", "-p", "InvocationID,ActiveState", service); now != unit {
				t.Errorf("%s: was %s, is %s", service, unit, now)
			}

			form, lines := forms(t, b, out)
			b.Write(t, "/root/records", form, 0o600)
			b.Sh(t, s.paste)
			gives(t, b, s.name, lines)
			if s.mail {
				leavesSigned(t, b, sink)
			}
			b.Sh(t, "systemctl -q disable --now "+service)
		}
		besideAResolver(t, b)
	})
}

// besideAResolver has BIND answer for zones outside, and Unbound look up names
// for this machine: BIND is worked with, and asked where it listens.
func besideAResolver(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Write(t, "/etc/bind/db.lab.example", simpleZone("mail"), 0o644)
	b.Sh(t, `cat >/etc/bind/named.conf.options <<'END'
options { directory "/var/cache/bind"; recursion no; listen-on { `+b.Addr+`; }; listen-on-v6 { none; }; };
END
echo 'zone "lab.example" { type primary; file "/etc/bind/db.lab.example"; };' >/etc/bind/named.conf.local
printf 'stub-zone:\n  name: lab.example\n  stub-addr: `+b.Addr+`\n' >/etc/unbound/unbound.conf.d/lab.example.conf
systemctl -q unmask named; systemctl start named; systemctl start unbound`)
	becomes(t, b, "dig +short @127.0.0.1 SOA lab.example | grep -q hostmaster")
	product(t, b, 0, initArgs("--dns", "bind")...)
	says(t, b.Run(t, "dig", "+short", "@"+b.Addr, "TXT", "lab.example", "TXT", "_dmarc.lab.example"), "v=spf1 ip4:192.0.2.10 mx", "v=DMARC1")
	nothingChanges(t, b, initArgs()...)
}

// answersOnce waits until the server answers at all.
func answersOnce(t *testing.T, b *lab.Box) {
	t.Helper()
	becomes(t, b, "dig +time=1 +tries=1 @127.0.0.1 SOA lab.example >/dev/null")
}

// forms takes the records out of the output, in the form of the name server, and the
// lines for a web form from the command that it names.
func forms(t *testing.T, b *lab.Box, out string) (form string, lines []string) {
	t.Helper()
	start := strings.Index(out, "\nserver:\n")
	for _, first := range []string{"\n# Mail records of lab.example\n", "\n; Mail records of lab.example\n"} {
		if start < 0 {
			start = strings.Index(out, first)
		}
	}
	if start < 0 {
		t.Fatalf("no records in\n%s", out)
	}
	form, _, end := strings.Cut(out[start+1:], "\n\n  * ")
	lines = strings.Split(strings.TrimSpace(b.Run(t, "mailsetup", "dns", "lab.example", "--format", "plain")), "\n")[1:]
	if !end || len(lines) != 6 {
		t.Fatalf("want records and six lines for a web form:\n%s\n%q", out, lines)
	}
	return form + "\n", lines
}

// gives insists that every record is served, its strings joined.
func gives(t *testing.T, b *lab.Box, server string, lines []string) {
	t.Helper()
	for _, line := range lines {
		f := strings.Fields(line)
		name, kind := f[0]+".lab.example", f[1]
		if f[0] == "@" {
			name = "lab.example"
		}
		want := strings.TrimSpace(line[strings.Index(line, " "+kind+" ")+len(kind)+2:])
		if kind == "MX" { // in two columns
			want = strings.Join(strings.Fields(want), " ")
		}
		var got []string
		for range 300 {
			got = nil
			for _, value := range dig(t, b, kind, name) {
				got = append(got, strings.Trim(strings.ReplaceAll(value, `" "`, ""), `"`))
			}
			if slices.Equal(got, []string{want}) {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %s %s is %q, want %q", server, name, kind, got, want)
		}
	}
}
