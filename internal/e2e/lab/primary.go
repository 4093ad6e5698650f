package lab

import (
	"fmt"
	"strings"
)

// OtherPrimary puts another name server in the place of this box's BIND, which
// is stopped: knot or pdns, with one zone that takes updates signed with a key
// of HMAC-SHA256, as its manual has it. The box itself may transfer the zone.
func (b *Box) OtherPrimary(t T, kind, origin, text, key, secret string) {
	t.Helper()
	b.Sh(t, "systemctl stop named knot pdns 2>/dev/null || true")
	switch kind {
	case "knot":
		b.knotPrimary(t, origin, text, key, secret)
	case "pdns":
		b.pdnsPrimary(t, origin, text, key, secret)
	default:
		t.Fatalf("the lab has no primary %q", kind)
	}
	b.Restart(t, kind)
	b.Sh(t, `for i in $(seq 600); do dig +short +time=1 +tries=1 @`+b.Addr+" SOA "+origin+` | grep -q . && exit; sleep 0.1; done
journalctl -u `+kind+" -n 20 --no-pager; exit 1")
}

const pdnsPackages = "pdns-server pdns-backend-sqlite3"

// makePDNS makes the database, which the package leaves to the administrator.
const makePDNS = `python3 -c 'import sqlite3
schema = open("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql").read()
sqlite3.connect("/var/lib/powerdns/pdns.sqlite3").executescript(schema)'
chown -R pdns:pdns /var/lib/powerdns`

const knotConf = `server:
    listen: [ %s@53, 127.0.0.1@53 ]
key:
  - id: %s
    algorithm: hmac-sha256
    secret: %s
acl:
  - id: mail
    key: %[2]s
    action: update
  - id: here
    address: 127.0.0.1
    action: transfer
zone:
  - domain: %[4]s
    storage: /var/lib/knot
    file: %[4]s.zone
    acl: [ mail, here ]
`

func (b *Box) knotPrimary(t T, origin, text, key, secret string) {
	b.Apt(t, "knot")
	b.Write(t, "/etc/knot/knot.conf", fmt.Sprintf(knotConf, b.Addr, key, secret, origin), 0o640)
	b.Write(t, "/var/lib/knot/"+origin+".zone", text, 0o644)
	b.Sh(t, "chown root:knot /etc/knot/knot.conf; chown -R knot:knot /var/lib/knot")
}

func (b *Box) pdnsPrimary(t T, origin, text, key, secret string) {
	b.Apt(t, strings.Fields(pdnsPackages)...)
	b.Write(t, "/etc/powerdns/pdns.d/lab.conf", "launch=gsqlite3\ngsqlite3-database=/var/lib/powerdns/pdns.sqlite3\n"+
		"local-address=127.0.0.1,"+b.Addr+"\ndnsupdate=yes\nallow-dnsupdate-from=192.0.2.0/24\n", 0o644)
	b.Sh(t, makePDNS)
	b.Write(t, "/var/lib/powerdns/"+origin+".zone", text, 0o644)
	b.Sh(t, strings.NewReplacer("ZONE", origin, "KEY", key, "SECRET", secret).Replace(`pdnsutil load-zone ZONE /var/lib/powerdns/ZONE.zone
pdnsutil import-tsig-key KEY hmac-sha256 SECRET
pdnsutil set-meta ZONE TSIG-ALLOW-DNSUPDATE KEY`))
}
