package lab

import (
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// RemoteZone is the domain that test mail is sent to; its MX is the sink.
const RemoteZone = "remote.example"

// zone is one of Named, or with a statement one of Zone.
type zone struct {
	origin, text, statement string
	written                 bool // its file is there
}

// Named makes the box's BIND authoritative for origin: SOA, NS and the
// addresses of the server under the name mail, no mail records, and then the
// given extra lines of zone text. With the first call come the reverse zones
// of the lab's addresses and RemoteZone. Further calls add origins, or replace
// them. Zones are in /etc/bind/db.ORIGIN; named.conf.local is written anew by
// every call.
func (b *Box) Named(t T, origin string, extra ...string) {
	t.Helper()
	b.stage(t)
	z, err := homeZone(b.opts.Addresses)
	if err != nil {
		t.Fatalf("%v", err)
	}
	z.origin = origin
	z.text += strings.Join(append(extra, ""), "\n")
	b.serve(t, z)
}

// NamedAll is Named for several origins, of which none has extra lines.
func (b *Box) NamedAll(t T, origins ...string) {
	t.Helper()
	b.stage(t)
	var all []zone
	for _, origin := range origins {
		z, err := homeZone(b.opts.Addresses)
		if err != nil {
			t.Fatalf("%v", err)
		}
		z.origin = origin
		all = append(all, z)
	}
	b.serve(t, all...)
}

// homeZone is a zone of a server with these addresses.
func homeZone(addresses []string) (zone, error) {
	z := zone{origin: Origin, text: zoneHead("mail")}
	for _, cidr := range addresses {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return z, err
		}
		kind := "AAAA"
		if p.Addr().Is4() {
			kind = "A"
		}
		z.text += "mail IN " + kind + " " + p.Addr().String() + "\n"
	}
	return z, nil
}

// Zone gives the box's BIND a zone of the test's own making. The statement is
// what goes into named.conf.local, as it is: primary, secondary, with
// inline-signing or allow-update, several at once. Unless text is empty it
// becomes the file that the statement names first, which for BIND to write to
// (signed, dynamic and secondary zones) is in /var/lib/bind:
//
//	b.Zone(t, "lab.example", `zone "lab.example" {
//		type primary; file "/var/lib/bind/db.lab.example";
//		dnssec-policy default; inline-signing yes; };`, text)
//
// The zone is waited for; a second call for the origin replaces it. Calls of
// Named may come before and after. For views, which all zones must be in, see
// NamedConf.
func (b *Box) Zone(t T, origin, statement, text string) {
	t.Helper()
	b.stage(t)
	if text != "" {
		file := fileOption.FindStringSubmatch(statement)
		if file == nil {
			t.Fatalf("zone %s: the statement names no file for its text", origin)
		}
		name := file[1]
		if !path.IsAbs(name) {
			name = path.Join("/var/cache/bind", name)
		}
		if b.Exists(name) {
			// BIND does not load a file that its journal does not lead up to.
			b.Sh(t, "systemctl stop named; rm -f "+name+".jnl "+name+".jbk "+name+".signed "+name+".signed.jnl")
		}
		b.writeZone(t, name, text)
	}
	b.serve(t, zone{origin: origin, statement: statement})
}

// NamedConf writes files of BIND, by absolute path, restarts it and waits until
// it answers on port 53: for configurations made of more than zone statements.
// Files below /var belong to the user bind. Named and Zone write
// named.conf.options and named.conf.local anew, so that this comes after them,
// or without them.
func (b *Box) NamedConf(t T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		b.writeZone(t, name, text)
	}
	b.Run(t, "named-checkconf", "-z")
	b.Restart(t, "named")
	b.served(t, "")
}

// fileOption is the file of a zone statement.
var fileOption = regexp.MustCompile(`\bfile\s+"([^"]+)"`)

// stage prepares a BIND that knows the names of this small world.
func (b *Box) stage(t T) {
	t.Helper()
	if len(b.zones) > 0 {
		return
	}
	b.Write(t, "/etc/bind/named.conf.options", namedOptions, 0o644)
	b.zones = b.worldZones()
}

// worldZones are those that every box has.
func (b *Box) worldZones() []zone {
	return []zone{reverseZone(b.Hostname, b.Addr), {origin: RemoteZone, text: zoneHead("ns") + b.remoteRecords()}}
}

// stagedZones are those of an image.
func (b *Box) stagedZones() ([]zone, error) {
	home, err := homeZone(b.opts.Addresses)
	zones := append(b.worldZones(), home)
	for i := range zones {
		zones[i].written = true
	}
	return zones, err
}

// serve adds zones, or replaces them, and waits until BIND serves them.
func (b *Box) serve(t T, added ...zone) {
	t.Helper()
	for _, z := range added {
		b.zones = append(slices.DeleteFunc(b.zones, func(old zone) bool { return old.origin == z.origin }), z)
	}
	var local strings.Builder
	for i, z := range b.zones {
		if z.statement != "" {
			local.WriteString(strings.TrimSpace(z.statement) + "\n")
			continue
		}
		if !z.written {
			b.Write(t, "/etc/bind/db."+z.origin, z.text, 0o644)
			b.zones[i].written = true
		}
		fmt.Fprintf(&local, "zone %q {\n\ttype primary;\n\tfile \"/etc/bind/db.%s\";\n};\n", z.origin, z.origin)
	}
	b.Write(t, "/etc/bind/named.conf.local", local.String(), 0o644)
	b.Run(t, "named-checkconf", "-z")
	b.Restart(t, "named")
	for _, z := range added {
		b.served(t, z.origin)
	}
}

// writeZone writes a file of BIND's, which owns what is below /var.
func (b *Box) writeZone(t T, name, text string) {
	t.Helper()
	b.Write(t, name, text, 0o644)
	if !strings.HasPrefix(name, "/var/") {
		return
	}
	b.Run(t, "chown", "bind:bind", name)
	if dir := path.Dir(name); dir != "/var/lib/bind" && dir != "/var/cache/bind" {
		b.Run(t, "chown", "bind:bind", dir)
	}
}

// served waits until BIND answers for the zone, for loading is asynchronous, or
// without one until it answers at all.
func (b *Box) served(t T, origin string) {
	t.Helper()
	for range 1200 {
		// While BIND is not listening yet, dig ends with status 9.
		if out, _, code := b.Exec(t.Context(), nil, "dig", "+short", "+time=1", "+tries=1", "@127.0.0.1", "SOA", origin+"."); code == 0 && (out != "" || origin == "") {
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

// remoteRecords are those of RemoteZone.
func (b *Box) remoteRecords() string {
	sink := "A " + b.sinkAddr()
	if strings.Contains(sink, ":") {
		sink = "AAA" + sink
	}
	return "ns IN " + sink + "\n@ IN MX 10 mx\nmx IN " + sink + "\n"
}

// reverseZone is the /24, or the /64, of addr with the host's own PTR.
func reverseZone(host, addr string) zone {
	name, err := dns.ReverseAddr(addr)
	if err != nil {
		panic(err) // an address of Options, which the boot has looked at
	}
	labels, own := strings.Split(strings.TrimSuffix(name, "."), "."), 1
	if strings.HasSuffix(name, ".ip6.arpa.") {
		own = 16
	}
	return zone{
		origin: strings.Join(labels[own:], "."),
		text:   zoneHead(host+".") + strings.Join(labels[:own], ".") + " IN PTR " + host + ".\n",
	}
}
