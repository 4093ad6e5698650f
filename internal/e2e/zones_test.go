//go:build e2e

package e2e

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// zoneDir is where the zones of these tests are, named relative to it.
const zoneDir = "/var/lib/bind/dns/"

// handZone is a zone as nobody should write one: Windows line ends but the
// last, a serial of seconds, generated names, another file, and an origin that
// is not the zone's in the end.
const handZone = "; by hand\r\n$TTL 1h\r\n@\tIN\tSOA\tmail hostmaster (\r\n\t\t1763900000 ; serial, not 2026010101\r\n\t\t4h 1h 2w 15m )\r\n" +
	"\tNS\tmail\r\nmail\tA\t192.0.2.10\r\n$GENERATE 1-3 pc-$ A 192.0.2.10$\r\n$INCLUDE primary/hosts.inc\r\nwww\tCNAME\tmail\r\nftp\tA\t192.0.2.78\r\n" +
	"$ORIGIN deep\r\n\tTXT\t( \"of\" ; ftp is before\r\n\t\" mail\" )\r\nhost\tA\t192.0.2.77"

// dumpZone is a zone as BIND itself writes it, at the end of a counter.
const dumpZone = `$ORIGIN .
$TTL 300	; 5 minutes
lab.example		IN SOA	mail.lab.example. hostmaster.lab.example. (
				4294967295 ; serial
				3600       ; refresh (1 hour)
				900        ; retry (15 minutes)
				604800     ; expire (1 week)
				60         ; minimum (1 minute)
				)
			NS	mail.lab.example.
$ORIGIN lab.example.
mail			A	192.0.2.10
$ORIGIN sub.lab.example.
host			A	192.0.2.77
`

func simpleZone(host string) string {
	return "$TTL 300\n@ IN SOA " + host + " hostmaster 2026010101 3600 900 604800 60\n@ IN NS " + host + "\nmail IN A 192.0.2.10\n"
}

// foundZones are of every kind that BIND has. The first is to be worked with.
const foundZones = `zone "lab.example" IN { type master; file "primary/lab"; };
zone "sec.example" { type slave; masters { 192.0.2.7; }; file "/var/cache/bind/sec"; };
zone "fwd.example" { type forward; forward only; forwarders { 192.0.2.7; }; };
zone "stub.example" { type stub; primaries { 192.0.2.7; }; };
zone "dyn.example" { type primary; file "/var/cache/bind/dyn"; allow-update { localhost; }; };
zone "was.example" { type primary; file "/var/cache/bind/was"; allow-update { localhost; }; };
zone "raw.example" { type primary; file "primary/raw"; masterfile-format raw; };
zone "one.example" { type primary; file "primary/parked"; };
zone "two.example" { type primary; file "primary/parked"; };
zone "cat.example" { type primary; file "primary/cat"; };
zone "hand.example" { type primary; file "primary/hand.signed"; };
zone "soa.example" { type primary; file "primary/soa"; };
zone "alias.example" { type primary; file "primary/alias"; };
zone "given.example" { type primary; file "primary/given"; };
zone "moved.example" { type primary; file "primary/moved"; };
zone "spf.example" { type primary; file "primary/spf"; };
zone "latin.example" { type primary; file "primary/latin"; };
zone "forged.example" { type primary; file "primary/forged"; };
`

// TestZonesAsFound: a zone that is served from a file is worked with however
// it is written and wherever named.conf has it, and only our line and the
// serial change. What cannot be worked with is explained, and not touched.
func TestZonesAsFound(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
		b.Install(t)
		found(t, b)
		refusals(t, b)
		unreadable(t, b)
		inPlace(t, b, zoneDir+"primary/lab", handZone, "1763900000", func(now string) bool {
			return now > "1763900000" && len(now) == 10
		})
		views(t, b)
		inPlace(t, b, "/etc/bind/outside.zone", dumpZone, "4294967295", func(now string) bool { return now == "1" || now == "2" })
		becomes(t, b, "rndc zonestatus lab.example IN branch | grep -qx 'serial: 2'")
		toldOfOne(t, b)
	})
}

// found gives the box a named.conf that is put together from several files.
func found(t *testing.T, b *lab.Box) {
	t.Helper()
	files := map[string]string{
		"/etc/bind/named.conf": `options { directory "/var/lib/bind/dns"; recursion yes; dnssec-validation no; allow-new-zones yes;
	catalog-zones { zone "cat.example" default-primaries { 192.0.2.7; }; }; };
include "/etc/bind/zones.conf";
`,
		"/etc/bind/zones.conf":        foundZones,
		zoneDir + "primary/lab":       handZone,
		zoneDir + "primary/hosts.inc": "$TTL 60\nprinter A 192.0.2.101\n$ORIGIN floor2.lab.example.\nprinter A 192.0.2.102\n",
		zoneDir + "primary/parked":    simpleZone("ns.isp.example."),
		zoneDir + "primary/cat":       "@ 300 IN SOA mail h 1 3600 900 604800 60\n@ NS invalid.\nversion TXT \"2\"\nm.zones PTR member.example.\n",
		zoneDir + "primary/forged":    simpleZone("mail") + "@ TXT \"v=spf1 mx -all\"\n@ TXT \"v=spf1 \\027[2J\\010hint: do as I say\"\n",
		zoneDir + "primary/latin":     simpleZone("mail") + "www A 192.0.2.80 ; B\xfcro\n",
		zoneDir + "added":             simpleZone("mail"),
		"/var/cache/bind/dyn":         simpleZone("mail"),
		"/var/cache/bind/was":         simpleZone("mail"),
		"/root/raw":                   simpleZone("mail"),
		zoneDir + "primary/hand":      simpleZone("mail"),
		zoneDir + "primary/soa":       "$INCLUDE primary/hand\nwww A 192.0.2.80\n",
		zoneDir + "primary/alias":     simpleZone("ns.isp.example.") + "web A 192.0.2.80\nmail2 CNAME web\n",
		zoneDir + "primary/given":     simpleZone("mail") + "_domainkey NS ns.vendor.example.\n",
		zoneDir + "primary/moved":     simpleZone("mail") + "_domainkey DNAME keys.vendor.example.\n",
		zoneDir + "primary/spf":       simpleZone("mail") + "$INCLUDE primary/spf.inc\n",
		zoneDir + "primary/spf.inc":   "@ TXT \"v=spf1 ip4:198.51.100.7 -all\"\n",
	}
	for path, text := range files {
		b.Write(t, path, text, 0o644)
	}
	b.Sh(t, `named-compilezone -q -F raw -o `+zoneDir+`primary/raw raw.example /root/raw
cd `+zoneDir+`primary; key=$(dnssec-keygen -q -a ECDSAP256SHA256 -K /root hand.example)
dnssec-signzone -q -z -S -K /root -o hand.example hand >/dev/null
chown -R bind: /var/lib/bind /var/cache/bind; named-checkconf -z >/dev/null; systemctl restart named`)
	becomes(t, b, "rndc zonestatus was.example >/dev/null 2>&1")
	b.Sh(t, `rndc addzone 'added.example { type primary; file "added"; };'
printf 'server 127.0.0.1\nzone was.example\nupdate add new.was.example 60 A 192.0.2.9\nsend\n' | nsupdate
systemctl kill -s KILL named; sleep .3; systemctl stop named; systemctl reset-failed named
sed -i '/"was.example"/s/allow-update.*/};/' /etc/bind/zones.conf; systemctl start named`)
	becomes(t, b, "dig +short @127.0.0.1 SOA lab.example | grep -q hostmaster")
}

// refusals are zones that are explained instead of edited.
func refusals(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, "[ -e /var/cache/bind/was.jnl ]")
	before := b.Snapshot(t, "/etc", "/var/lib/mailsetup", zoneDir)
	try := func(code int, domain string, more ...string) string {
		out, said := product(t, b, code, append([]string{
			"init", "--yes", "--domain", domain, "--hostname", "mail." + domain, "--ip", "192.0.2.10",
		}, more...)...)
		return strings.Join(strings.Fields(out+said), " ")
	}
	for domain, want := range map[string][]string{
		"sec.example":    {"zone sec.example: BIND is a secondary server for it here: its records are made on the primary, 192.0.2.7", "hint: run mailsetup there"},
		"fwd.example":    {"zone fwd.example: BIND only forwards questions about it, to 192.0.2.7", "hint: run mailsetup there"},
		"stub.example":   {"zone stub.example: BIND only knows which servers have it, 192.0.2.7 (a stub zone)"},
		"member.example": {"zone member.example: BIND has it from a catalog zone and is a secondary server for it"},
		"dyn.example":    {"zone dyn.example: it takes dynamic updates (allow-update): its file belongs to named", "hint: make a key: ", "named.conf.local, and key mailsetup; into the zone's allow-update", "hint: then --dns rfc2136"},
		"was.example":    {"/var/cache/bind/was.jnl is left of dynamic updates", "hint: rndc sync -clean was.example"},
		"raw.example":    {"its file " + zoneDir + "primary/raw is in raw format", "hint: write it as text: named-compilezone"},
		"hand.example":   {"its file holds signatures (RRSIG) that an edit would break", "hint: --dns manual prints the records: add them to the unsigned file, then sign anew"},
		"soa.example":    {"its file " + zoneDir + "primary/soa has no serial that could be raised", `it may be in "primary/hand", included in line 1`, "hint: put the SOA record into that file"},
		"given.example":  {"zone given.example. gives _domainkey.given.example away: NS ns.vendor.example.", "the key goes to whoever runs ns.vendor.example"},
		"moved.example":  {"zone moved.example. gives _domainkey.moved.example away: DNAME keys.vendor.example."},
		"spf.example": {
			"the SPF record of spf.example does not let 192.0.2.10 of this server pass", `stands in "primary/spf.inc", included in line 5: change it there`,
			"hint: what it should say: v=spf1 ip4:192.0.2.10 ip4:198.51.100.7 -all", "hint: --existing-records keep leaves it as it is",
		},
		"one.example": {"its file " + zoneDir + "primary/parked is also that of two.example", "hint: give it a file of its own: cp"},
	} {
		says(t, try(2, domain, "--dns", "bind"), want...)
	}
	says(t, try(0, "latin.example", "--dry-run"), `www A 192.0.2.80 ; B\xfcro`, `+$INCLUDE "/etc/bind/mailsetup/latin.example.zone"`)
	forged := try(2, "forged.example", "--dns", "bind")
	says(t, forged, `v=spf1 \x1b[2J\x0ahint: do as I say`)
	saysNot(t, forged, "\x1b", " hint: do as I say")
	says(t, try(2, "alias.example", "--hostname", "mail2.alias.example"), "mail2.alias.example is a CNAME of web.alias.example", "an alias (RFC 2181 section 10.3)",
		"hint: give mail2.alias.example addresses of its own instead of the CNAME in "+zoneDir+"primary/alias")
	says(t, try(0, "sec.example", "--dry-run"), "zone sec.example: BIND is a secondary server for it here")
	says(t, try(2, "dyn.example", "--dry-run"), "it takes dynamic updates")
	says(t, try(0, "added.example", "--dry-run"), zoneDir+"added", "$INCLUDE")
	same(t, before, b.Snapshot(t, "/etc", "/var/lib/mailsetup", zoneDir))
	b.Run(t, "rndc", "sync", "-clean", "was.example")
	says(t, try(0, "was.example", "--dry-run"), "/var/cache/bind/was", "$INCLUDE")
}

// unreadable: why nobody can tell which zones BIND has is said, and that it reads
// something else than it seems is noticed. The server is left as it was.
func unreadable(t *testing.T, b *lab.Box) {
	t.Helper()
	refused := func(more ...string) string {
		before := b.Snapshot(t, "/etc", "/var/lib/mailsetup", zoneDir)
		_, said := product(t, b, 2, initArgs(append([]string{"--dns", "bind"}, more...)...)...)
		same(t, before, b.Snapshot(t, "/etc", "/var/lib/mailsetup", zoneDir))
		return strings.Join(strings.Fields(said), " ")
	}
	newZone := []string{"--domain", "new.example", "--hostname", "mail.new.example", "--dns-new-zone", "--ns", "mail.new.example"}
	says(t, refused(newZone...), "BIND would not serve a new zone for new.example: named reads /etc/bind/named.conf, which does not include /etc/bind/named.conf.local")

	b.Sh(t, "cp -a /etc/bind/zones.conf /root/zones.conf; echo 'zne \"x\" { };' >>/etc/bind/zones.conf")
	for _, more := range [][]string{nil, newZone} {
		said := refused(more...)
		says(t, said, "the configuration of BIND: named-checkconf: /etc/bind/zones.conf:19: unknown option 'zne'", "hint: correct that, until named-checkconf says nothing; or --dns manual")
		saysNot(t, said, "no zone here holds")
	}
	b.Sh(t, "cp -a /root/zones.conf /etc/bind/zones.conf")

	// Another file, and another root, by a drop-in: those of the process count.
	b.Sh(t, `printf 'options { directory "/var/lib/bind/dns"; recursion yes; dnssec-validation no; };\nzone "own.example" { type primary; file "added"; };\n' >/etc/bind/own.conf`)
	dropIn(t, b, "named.service", "ExecStart=\nExecStart=/usr/sbin/named -f $OPTIONS -c /etc/bind/own.conf")
	b.Run(t, "systemctl", "restart", "named")
	says(t, refused(), "no zone here holds mail.lab.example")
	out, _ := product(t, b, 0, "init", "--dry-run", "--domain", "own.example", "--hostname", "mail.own.example", "--ip", "192.0.2.10")
	says(t, out, "~ "+zoneDir+"added")

	b.Sh(t, `jail=/srv/jail; install -d $jail/etc $jail/dev $jail/usr/share $jail/var/lib $jail/var/cache/bind $jail/run/named
cp -a /etc/bind $jail/etc/; cp -a /var/lib/bind $jail/var/lib/; cp -a /dev/null /dev/urandom $jail/dev/; chown -R bind: $jail/run/named $jail/var/cache/bind`)
	dropIn(t, b, "named.service", "Type=simple\nExecStart=\nExecStart=/usr/sbin/named -f $OPTIONS -t /srv/jail")
	b.Sh(t, "systemctl restart named")
	becomes(t, b, "dig +short @127.0.0.1 SOA lab.example | grep -q hostmaster")
	said := refused()
	says(t, said, "the configuration of BIND: named runs in a directory of its own (-t /srv/jail in named.service), where paths are not those of this machine", "hint: --dns manual prints the records instead")
	saysNot(t, said, "no zone here holds")
	undrop(t, b, "named.service")
	b.Sh(t, "rm -r /srv/jail /etc/bind/own.conf; systemctl restart named")
	becomes(t, b, "rndc zonestatus lab.example >/dev/null 2>&1")
}

var ourLine = regexp.MustCompile(`^\$INCLUDE "/etc/bind/mailsetup/lab\.example\.zone" lab\.example\. ; mailsetup [0-9a-f]{8}\r?\n$`)

// inPlace insists that a run and its rollback change a zone's file in our line
// and its serial only, and that the records are served in between.
func inPlace(t *testing.T, b *lab.Box, file, text, serial string, newer func(string) bool) {
	t.Helper()
	served := func() string {
		return b.Run(t, "dig", "+short", "-b", "192.0.2.10", "@192.0.2.10", "TXT", "lab.example")
	}
	// serialOf splits a file where the original has its serial.
	serialOf := func(now string) (is, rest string) {
		head, tail, _ := strings.Cut(text, serial)
		is, rest, ok := strings.Cut(strings.TrimPrefix(now, head), tail)
		if !strings.HasPrefix(now, head) || !ok || !newer(is) {
			t.Fatalf("%s is\n%q\nwas\n%q", file, now, text)
		}
		return is, rest
	}
	args := initArgs("--dns", "bind")
	product(t, b, 0, args...)
	_, line := serialOf(b.Read(t, file))
	if !ourLine.MatchString(strings.TrimPrefix(line, "\r\n")) {
		t.Errorf("%s ends in %q", file, line)
	}
	if got := served(); !strings.Contains(got, "v=spf1 ip4:192.0.2.10 mx") {
		t.Errorf("served: %s", got)
	}
	if got := strings.TrimSpace(b.Run(t, "dig", "+short", "-b", "192.0.2.10", "@192.0.2.10", "A", "host."+deepest(text))); got != "192.0.2.77" {
		t.Errorf("host.%s: %q", deepest(text), got)
	}
	nothingChanges(t, b, args...)
	product(t, b, 0, "rollback", "--yes")
	if _, rest := serialOf(b.Read(t, file)); rest != "" {
		t.Errorf("%s after the rollback ends in %q", file, rest)
	}
	for range 300 {
		if served() == "" {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("still served: %s", served())
}

// deepest is the origin of the zone's last record.
func deepest(zone string) string {
	if strings.Contains(zone, "$ORIGIN deep") {
		return "deep.lab.example"
	}
	return "sub.lab.example"
}

// views moves the zone to where this machine itself is not answered from,
// behind a link, and gives its one file to another view as well.
func views(t *testing.T, b *lab.Box) {
	t.Helper()
	b.NamedConf(t, map[string]string{
		"/etc/bind/named.conf": `options { directory "/var/cache/bind"; dnssec-validation no; };
view "inside" { match-clients { 127.0.0.0/8; }; recursion yes;
	zone "split.example" { type primary; file "/etc/bind/split.inside"; };
};
view "outside" { match-clients { any; }; recursion no;
	include "/etc/bind/outside.conf";
};
view "branch" { match-clients { 192.0.2.201; };
	zone "lab.example" { type primary; file "/etc/bind/lab.zone"; };
};
view "guests" { match-clients { 192.0.2.200; };
	zone "lab.example" { in-view "outside"; };
};
`,
		"/etc/bind/outside.conf": `zone "lab.example" { type primary; file "/etc/bind/lab.zone"; };
zone "split.example" { type primary; file "/etc/bind/split.outside"; };
`,
		"/etc/bind/split.inside": simpleZone("mail"), "/etc/bind/split.outside": simpleZone("mail"),
		"/etc/bind/outside.zone": dumpZone, "/etc/bind/lab.zone": dumpZone,
	})
	b.Sh(t, "ln -sf outside.zone /etc/bind/lab.zone; rndc reload >/dev/null")
	_, said := product(t, b, 2, "init", "--yes", "--domain", "split.example", "--hostname", "mail.split.example", "--ip", "192.0.2.10")
	says(t, said, "two views have it, each with a file of its own: /etc/bind/split.inside (view inside), /etc/bind/split.outside (view outside)")
}

// toldOfOne: of many zones, one signed by BIND, those that a run is about are loaded and no
// others, whatever somebody is about to write into these; and so by what takes it back.
func toldOfOne(t *testing.T, b *lab.Box) {
	t.Helper()
	b.NamedConf(t, map[string]string{
		"/etc/bind/named.conf": `options { directory "/var/lib/bind/dns"; recursion yes; dnssec-validation no; };
include "/etc/bind/named.conf.local";
`,
		"/etc/bind/named.conf.local": "",
	})
	b.Write(t, "/root/zone", simpleZone("mail"), 0o644)
	b.Sh(t, `for i in $(seq 100) lab; do
	cp /root/zone /var/lib/bind/dns/$i.zone; more=
	case $i in 2|lab) more='dnssec-policy default; inline-signing yes;'; esac
	printf 'zone "%s.example" { type primary; file "%s.zone"; %s };\n' $i $i "$more" >>/etc/bind/named.conf.local
done
chown -R bind: /var/lib/bind; named-checkconf; systemctl restart named`)
	becomes(t, b, "rndc zonestatus 100.example >/dev/null 2>&1 && rndc zonestatus lab.example | grep -q 'signed serial'")
	// A whole reload would load this one, and miss an end of that one.
	b.Sh(t, "sed -i s/2026010101/2026010107/ /var/lib/bind/dns/7.zone; echo 'not yet' >>/var/lib/bind/dns/8.zone; sleep 1; journalctl --sync")
	mark := ""
	loads := func(did string, reconfigured bool, want ...string) {
		t.Helper()
		said := b.Sh(t, "journalctl --sync; journalctl -u named -o cat --no-pager --after-cursor '"+mark+"'")
		var list []string
		for _, m := range loadedZone.FindAllStringSubmatch(said, -1) {
			if !slices.Contains(list, m[1]) {
				list = append(list, m[1])
			}
		}
		if !slices.Equal(list, want) || strings.Contains(said, "loading configuration from") != reconfigured {
			t.Errorf("%s: BIND loaded %q, want %q:\n%s", did, list, want, said)
		}
		_, mark, _ = strings.Cut(strings.TrimSpace(b.Sh(t, "journalctl -n 0 --show-cursor -q")), "-- cursor: ")
	}
	_, mark, _ = strings.Cut(strings.TrimSpace(b.Sh(t, "journalctl -n 0 --show-cursor -q")), "-- cursor: ")
	product(t, b, 0, initArgs("--dns", "bind")...)
	loads("init", false, "lab.example")
	product(t, b, 0, "add-domain", "--yes", "2.example")
	loads("add-domain", false, "2.example")
	product(t, b, 0, "rollback", "--yes")
	loads("rollback", false, "2.example")
	product(t, b, 0, "add-domain", "--yes", "--dns-new-zone", "--ns", "mail.lab.example", "--dns", "bind", "new.example")
	loads("add-domain with a new zone", true, "new.example")
	product(t, b, 0, "add-domain", "--yes", "3.example")
	loads("add-domain", false, "3.example")
	product(t, b, 0, "remove-domain", "--yes", "--purge", "3.example")
	loads("remove-domain", false, "3.example")
	product(t, b, 0, "remove-domain", "--yes", "--purge", "new.example")
	loads("remove-domain of a zone that was made", true, "new.example") // without its records, before it goes
}

// loadedZone is what BIND says of each file that it has read.
var loadedZone = regexp.MustCompile(`zone ([a-z0-9.]+)/IN(?: \((?:un)?signed\))?: loaded serial`)
