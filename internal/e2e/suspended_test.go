//go:build e2e

package e2e

import (
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestSuspendedDaemons: a daemon that somebody stopped (SIGSTOP) has its sockets and
// answers nobody. No run waits minutes for it; each says what it is and leaves the server
// as it was.
func TestSuspendedDaemons(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		b.Named(t, "shop.example")
		rotatesInUnit(t, b)
		was := look(t, b)
		for _, c := range []struct {
			unit string
			args []string
			says []string
		}{
			{"named", []string{"add-domain", "--yes", "shop.example"}, []string{"(SIGSTOP)", "hint: systemctl kill -s CONT named"}},
			{"opendkim", initArgs(), []string{"Postfix does not answer on port 25 already now", "hint: systemctl restart opendkim"}},
			{"opendkim", []string{"add-domain", "--yes", "shop.example"}, []string{"opendkim.service: somebody stopped its process", "hint: systemctl kill -s CONT opendkim.service"}},
			{"postfix*", initArgs(), []string{"Postfix does not answer on port 25 already now"}},
		} {
			b.Run(t, "systemctl", "kill", "-s", "STOP", c.unit)
			began := time.Now()
			_, said, code := b.Exec(t.Context(), nil, append([]string{"mailsetup"}, c.args...)...)
			took := time.Since(began)
			b.Run(t, "systemctl", "kill", "-s", "CONT", c.unit)
			t.Logf("%s stopped, %s: exit %d in %.1f s", c.unit, c.args[0], code, took.Seconds())
			if code != 2 || took > time.Minute {
				t.Errorf("%s stopped, %s: exit %d in %.1f s", c.unit, c.args[0], code, took.Seconds())
			}
			says(t, said, c.says...)
		}
		unchanged(t, was, look(t, b))
		leavesSigned(t, b, sink)
	})
}

// rotatesInUnit: the hardened service gives a domain in a dynamic zone its successor, by
// updates with the key that named makes.
func rotatesInUnit(t *testing.T, b *lab.Box) {
	t.Helper()
	oneBoot(t, b)
	makes(t, b, "install")
	b.Zone(t, "dyn.example", `zone "dyn.example" { type primary; file "/var/lib/bind/db.dyn.example"; update-policy local; };`,
		"$TTL 5\n@ IN SOA mail hostmaster 2026010101 3600 900 604800 0\n@ IN NS mail\nmail IN A 192.0.2.10\n")
	product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "--dns", "rfc2136", "--rfc2136-server", "127.0.0.1", "--rfc2136-key", "/run/named/session.key", "dyn.example")
	old := selectorOf(t, b, "dyn.example")
	quick(t, b, "1s")
	time.Sleep(time.Second)
	t.Logf("first tick\n%s", tick(t, b, "success", "0"))
	laterBy(t, b, shortWait+2*time.Second)
	t.Logf("second tick\n%s", tick(t, b, "success", "0"))
	if now := selectorOf(t, b, "dyn.example"); now == old {
		t.Errorf("%s still signs\n%s", now, b.Run(t, "mailsetup", "status"))
	}
	quick(t, b, "180d")
}
