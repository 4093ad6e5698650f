package lab

import (
	"fmt"
	"strings"
	"time"
)

// OtherNameServer puts another name server in BIND's place: dnsmasq, unbound,
// nsd or pdns, as its package installs it, with the server's name below origin
// and RemoteZone as Named has them, so that Postfix finds the sink. BIND is
// purged.
func (b *Box) OtherNameServer(t T, kind, origin string) {
	t.Helper()
	configure := map[string]func(T, string){
		"dnsmasq": b.dnsmasq, "unbound": b.unbound, "nsd": b.nsd, "pdns": b.pdns,
	}[kind]
	if configure == nil {
		t.Fatalf("the lab has no name server %q", kind)
	}
	b.Run(t, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "purge", "-y", "-q", "bind9")
	configure(t, origin)
	b.Restart(t, kind)
	for range 200 {
		out, _, code := b.Exec(t.Context(), nil, "dig", "+short", "+time=1", "+tries=1", "@127.0.0.1", "mail."+origin, b.family())
		if code == 0 && strings.Contains(out, b.Addr) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: %s does not serve %s\n%s", b.Name, kind, origin, b.Run(t, "journalctl", "-u", kind, "-n", "20", "--no-pager"))
}

// family is the type of the record of the main address.
func (b *Box) family() string {
	if strings.Contains(b.Addr, ":") {
		return "AAAA"
	}
	return "A"
}

func (b *Box) dnsmasq(t T, origin string) {
	b.Apt(t, "dnsmasq")
	b.Write(t, "/etc/dnsmasq.d/lab.conf", fmt.Sprintf("no-resolv\nlocal=/%s/\nhost-record=mail.%[1]s,%s\nmx-host=%s,mx.%[3]s,10\nhost-record=mx.%[3]s,%s\n",
		origin, b.Addr, RemoteZone, b.sinkAddr()), 0o644)
}

func (b *Box) unbound(t T, origin string) {
	b.Apt(t, "unbound")
	b.Write(t, "/etc/unbound/unbound.conf.d/lab.conf", fmt.Sprintf(`server:
	local-zone: "%s" static
	local-data: "mail.%[1]s %s %s"
	local-data: "%s MX 10 mx.%[4]s"
	local-data: "mx.%[4]s %[2]s %[5]s"
`, origin, b.family(), b.Addr, RemoteZone, b.sinkAddr()), 0o644)
}

// plainZones are the zones for a server that reads zone files.
func (b *Box) plainZones(origin string) map[string]string {
	return map[string]string{
		origin:     zoneHead("mail") + "mail IN " + b.family() + " " + b.Addr + "\n",
		RemoteZone: zoneHead("ns") + b.remoteRecords(),
	}
}

func (b *Box) nsd(t T, origin string) {
	b.Apt(t, "nsd")
	var conf strings.Builder
	for name, text := range b.plainZones(origin) {
		b.Write(t, "/etc/nsd/"+name+".zone", text, 0o644)
		fmt.Fprintf(&conf, "zone:\n\tname: %s\n\tzonefile: /etc/nsd/%[1]s.zone\n", name)
	}
	b.Write(t, "/etc/nsd/nsd.conf.d/lab.conf", conf.String(), 0o644)
}

const pdnsPackages = "pdns-server pdns-backend-sqlite3"

// makePDNS makes the database, which the package leaves to the administrator.
const makePDNS = `python3 -c 'import sqlite3
schema = open("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql").read()
sqlite3.connect("/var/lib/powerdns/pdns.sqlite3").executescript(schema)'
chown -R pdns:pdns /var/lib/powerdns`

func (b *Box) pdns(t T, origin string) {
	b.Apt(t, strings.Fields(pdnsPackages)...)
	b.Write(t, "/etc/powerdns/pdns.d/lab.conf", "launch=gsqlite3\ngsqlite3-database=/var/lib/powerdns/pdns.sqlite3\n", 0o644)
	b.Sh(t, makePDNS)
	for name, text := range b.plainZones(origin) {
		b.Write(t, "/var/lib/powerdns/"+name+".zone", text, 0o644)
		b.Run(t, "pdnsutil", "load-zone", name, "/var/lib/powerdns/"+name+".zone")
	}
}
