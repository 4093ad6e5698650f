//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// natZone says what the world sees of a server behind a router.
const natZone = `$TTL 3600
@ IN SOA mail hostmaster 2026110101 3600 900 604800 300
@ IN NS mail
mail IN A 192.0.2.10
`

// TestPlaces: a server behind NAT, and one that has IPv6 only, are set up for
// real. Their mail leaves signed, before and after a power cut, and passes SPF from
// the address that others see.
func TestPlaces(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		for i, p := range []struct{ name, address, seen, says string }{
			{"behind NAT", "10.0.0.5/24", "192.0.2.10", "192.0.2.10 is not on this machine, which has 10.0.0.5"},
			{"IPv6 only", "2001:db8::10/128", "2001:db8::10", "this server has no IPv4"},
		} {
			if !lab.TakesTurn(i, release) {
				continue
			}
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Addresses: []string{p.address}})
				if p.seen == b.Addr {
					b.Named(t, "lab.example")
				} else {
					b.Zone(t, "lab.example", `zone "lab.example" { type primary; file "/etc/bind/db.lab.example"; };`, natZone)
				}
				b.Install(t)
				placed(t, b, p.seen, p.says)
			})
		}
	})
}

// placed sets the server up as a server that others see at an address.
func placed(t *testing.T, b *lab.Box, seen, words string) {
	t.Helper()
	sink := b.Sink(t)
	was := look(t, b)
	args := []string{"init", "--yes", "--domain", "lab.example"} // the address is in DNS
	out, _ := product(t, b, 0, args...)
	says(t, strings.Join(strings.Fields(out), " "), words)
	if b.Addr != seen {
		saysNot(t, b.Read(t, "/etc/bind/mailsetup/lab.example.zone"), b.Addr)
	}
	if spf := lab.SPF(t, b, seen, "mail.lab.example", "ann@lab.example"); spf.Result != "pass" {
		t.Errorf("SPF from %s: %+v", seen, spf)
	}
	leavesSigned(t, b, sink)
	known := []string{}
	if b.Addr != seen {
		known = append(known, "addr.ptr") // the lab has the reverse zone of the other address
	}
	noProblem(t, b, known...)
	b.PowerCut(t)
	listens(t, b, "25")
	leavesSigned(t, b, sink)
	nothingChanges(t, b, args...)
	product(t, b, 0, "rollback", "--yes")
	unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
	leavesUnsigned(t, b, sink)
}
