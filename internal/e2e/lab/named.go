package lab

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// RemoteZone is the domain that test mail is sent to; its MX is the sink.
const RemoteZone = "remote.example"

type zone struct{ origin, text string }

// Named makes the box's BIND authoritative for origin: SOA, NS and the
// addresses of the server under the name mail, no mail records, and then the
// given extra lines of zone text. With the first call come the reverse zones
// of the lab's addresses and RemoteZone. Further calls add origins. Zones are
// in /etc/bind/db.ORIGIN, written anew by every call: set the stage before the
// product works on it.
func (b *Box) Named(t T, origin string, extra ...string) {
	t.Helper()
	if len(b.zones) == 0 {
		b.Write(t, "/etc/bind/named.conf.options", namedOptions, 0o644)
		b.zones = append(b.zones, reverseZone(b.Hostname, b.Addr), zone{RemoteZone, zoneHead("ns") + remoteRecords})
	}
	text := zoneHead("mail")
	for _, cidr := range b.opts.Addresses {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			t.Fatalf("%v", err)
		}
		kind := "AAAA"
		if p.Addr().Is4() {
			kind = "A"
		}
		text += "mail IN " + kind + " " + p.Addr().String() + "\n"
	}
	b.zones = append(b.zones, zone{origin, text + strings.Join(append(extra, ""), "\n")})
	var local strings.Builder
	for _, z := range b.zones {
		b.Write(t, "/etc/bind/db."+z.origin, z.text, 0o644)
		fmt.Fprintf(&local, "zone %q {\n\ttype primary;\n\tfile \"/etc/bind/db.%s\";\n};\n", z.origin, z.origin)
	}
	b.Write(t, "/etc/bind/named.conf.local", local.String(), 0o644)
	b.Run(t, "named-checkconf", "-z")
	b.Run(t, "systemctl", "restart", "named")
	b.served(t, origin)
}

// served waits until BIND answers for the zone: loading is asynchronous.
func (b *Box) served(t T, origin string) {
	t.Helper()
	for range 100 {
		if out := b.Run(t, "dig", "+short", "+time=1", "+tries=1", "@127.0.0.1", "SOA", origin); strings.Contains(out, "hostmaster") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: BIND does not serve %s\n%s", b.Name, origin, b.Run(t, "journalctl", "-u", "named", "-n", "20", "--no-pager"))
}

const namedOptions = `options {
	directory "/var/cache/bind";
	recursion yes;
	allow-recursion { localhost; };
	dnssec-validation no;
};
`

// zoneHead begins a zone whose primary server is called primary.
func zoneHead(primary string) string {
	return "$TTL 300\n@ IN SOA " + primary + " hostmaster 2026010101 3600 900 604800 60\n@ IN NS " + primary + "\n"
}

const remoteRecords = "ns IN A " + SinkAddr + "\n@ IN MX 10 mx\nmx IN A " + SinkAddr + "\n"

// reverseZone is the /24 of addr with the host's own PTR.
func reverseZone(host, addr string) zone {
	o := strings.Split(addr, ".")
	if len(o) != 4 {
		return zone{"2.0.192.in-addr.arpa", zoneHead(host + ".")}
	}
	return zone{
		fmt.Sprintf("%s.%s.%s.in-addr.arpa", o[2], o[1], o[0]),
		zoneHead(host+".") + fmt.Sprintf("%s IN PTR %s.\n", o[3], host),
	}
}
