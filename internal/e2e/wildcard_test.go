//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// covering are wildcards that a zone has for mail and visitors.
const covering = "* IN A 192.0.2.80\n* IN MX 10 mx.remote.example.\n"

// answersFor insists on what BIND answers about mail for and visits of names.
func answersFor(t *testing.T, b *lab.Box, when, want string, names ...string) {
	t.Helper()
	for _, name := range names {
		got := strings.Join(append(dig(t, b, "A", name), dig(t, b, "MX", name)...), ", ")
		if got != want {
			t.Errorf("%s: %s has %q, want %q", when, name, got, want)
		}
	}
}

// TestWildcard: a name that comes into being is no longer covered by the
// wildcard of the zone. That is asked about before anything is changed, copies
// take its place on consent, and they go when the name does.
func TestWildcard(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{Release: release, Image: lab.Mail, Hostname: "mail.lab.example"})
		b.Named(t, "lab.example", covering, "* IN CAA 0 issue \"ca.remote.example\"")
		b.Install(t)
		const shop, below, both = "shop.lab.example", "www.shop.lab.example", "192.0.2.80, 10 mx.remote.example."
		product(t, b, 0, initArgs()...) // nobody loses anything: nothing is asked
		answersFor(t, b, "after init", both, shop, below, "other.lab.example")

		was := look(t, b)
		for _, args := range [][]string{{}, {"--existing-records", "change"}} {
			_, said := product(t, b, 2, append([]string{"add-domain", "--yes", shop}, args...)...)
			says(t, strings.Join(strings.Fields(said), " "), "names of shop.lab.example and a wildcard of the zone",
				"shop.lab.example (A, MX, CAA), names below shop.lab.example (A, MX, CAA)", "this change needs a consent of its own: nothing was changed",
				"hint: --wildcard-records copy allows it, drop goes on without")
			asBefore(t, b, was)
		}
		answersFor(t, b, "refused", both, shop, below)

		product(t, b, 0, "add-domain", "--yes", "--wildcard-records", "copy", shop)
		answersFor(t, b, "with copies", both, shop, below, "other.lab.example")
		serves(t, b, "CAA", shop, `0 issue "ca.remote.example`)
		serves(t, b, "TXT", shop, "v=spf1")
		says(t, b.Read(t, "/etc/mailsetup/domains.d/shop.lab.example.toml"), `wildcard_records = "copy"`)
		nothingChanges(t, b, "init", "--yes")
		product(t, b, 0, "dns", "--wait", "--timeout", "30s", shop)
		product(t, b, 0, "rollback", "--yes")
		unchanged(t, withoutLedger(was), withoutLedger(look(t, b)))
		answersFor(t, b, "after the rollback", both, shop, below)

		product(t, b, 0, "add-domain", "--yes", "--wildcard-records", "copy", shop)
		b.Sh(t, `sed -i 's/^\* IN A .*/* IN A 192.0.2.81/; s/2026[0-9]*/2036010101/' /etc/bind/db.lab.example; rndc reload`)
		product(t, b, 0, "init", "--yes")
		const moved = "192.0.2.81, 10 mx.remote.example."
		answersFor(t, b, "after the wildcard changed", moved, shop, below)

		product(t, b, 0, "remove-domain", "--yes", shop)
		answersFor(t, b, "while its key drains", moved, shop, below)
		nothingChanges(t, b, "init", "--yes")
		b.Sh(t, `sed -i 's/^drain = .*/drain = "2s"/' /etc/mailsetup/host.toml`)
		laterBy(t, b, 3*time.Second)
		product(t, b, 0, "rotate-dkim", "--yes")
		saysNot(t, b.Read(t, "/etc/bind/mailsetup/lab.example.zone"), "shop", "192.0.2.81")
		answersFor(t, b, "once the name is gone", moved, shop, below, "other.lab.example")

		out, _ := product(t, b, 0, "add-domain", "--yes", "--wildcard-records", "drop", "web.lab.example")
		says(t, strings.Join(strings.Fields(out), " "), "web.lab.example (A, MX, CAA)", "as you decided")
		answersFor(t, b, "dropped", "", "web.lab.example", "www.web.lab.example")
		product(t, b, 0, "dns", "--wait", "--timeout", "30s", "web.lab.example")
		product(t, b, 0, "remove-domain", "--purge", "--yes", "web.lab.example")
		answersFor(t, b, "purged", moved, "web.lab.example")
		printedBesideWildcard(t, b)
		noLeak(t, b)
	})
}

// printedBesideWildcard adds a domain whose records are printed: the servers in
// charge are asked, what would be lost is told with the records that keep it,
// and once the name is there without them that is a finding.
func printedBesideWildcard(t *testing.T, b *lab.Box) {
	t.Helper()
	const domain = "paper.lab.example"
	out, _ := product(t, b, 0, "add-domain", "--yes", "--dns", "manual", domain)
	says(t, strings.Join(strings.Fields(out), " "), "paper.lab.example (A, MX)", "publish these copies as well", "paper.lab.example. 300 IN A 192.0.2.81")
	product(t, b, 3, "dns", "--wait", "--timeout", "0", domain) // nothing is published yet

	forward := func() {
		t.Helper()
		text := b.Run(t, "mailsetup", "dns", domain)
		b.Write(t, "/etc/bind/paper", text, 0o644)
		b.Sh(t, `grep -q /etc/bind/paper /etc/bind/db.lab.example || echo '$INCLUDE "/etc/bind/paper"' >>/etc/bind/db.lab.example
n=$(dig +short @127.0.0.1 SOA lab.example | cut -d' ' -f3); sed -i "s/2036[0-9]*/$((n+1))/" /etc/bind/db.lab.example`)
		reload(t, b, "lab.example")
		b.Run(t, "rndc", "flush")
	}
	forward()
	answersFor(t, b, "as printed", "", domain)
	out, _ = product(t, b, 3, "dns", "--wait", "--timeout", "0", domain)
	says(t, strings.Join(strings.Fields(out), " "), "paper.lab.example A at mail.lab.example (192.0.2.10): lost: *.lab.example has it, and answers no longer for a name that exists (RFC 4592)",
		"mailsetup init --domain paper.lab.example --wildcard-records copy takes it up, drop goes on without")
	product(t, b, 0, "init", "--yes", "--domain", domain, "--wildcard-records", "copy")
	forward()
	answersFor(t, b, "with the copies", "192.0.2.81, 10 mx.remote.example.", domain, "www."+domain)
	product(t, b, 0, "dns", "--wait", "--timeout", "30s", domain)
}

// TestWildcardUpdate: the same where a primary elsewhere takes updates. What it
// makes up from its wildcards is not taken for records that stand there.
func TestWildcardUpdate(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{
			"lab.example": nsRecord + covering + "* IN TXT \"v=spf1 -all\"\nmail IN AAAA 2001:db8::10\n*.dc1 IN CNAME www.dc1\nwww.dc1 IN A 192.0.2.82\n",
		}, "grant mailsetup zonesub A AAAA CNAME MX TXT;")
		at := func(when, want string, names ...string) {
			t.Helper()
			for _, name := range names {
				got := strings.Join(strings.Fields(r.ns.Run(t, "dig", "+short", "@127.0.0.1", "A", name)+r.ns.Run(t, "dig", "+short", "@127.0.0.1", "MX", name)), " ")
				if got != want {
					t.Errorf("%s: %s has %q, want %q", when, name, got, want)
				}
			}
		}
		const shop, web, both = "shop.lab.example", "web.dc1.lab.example", "192.0.2.80 10 mx.remote.example."
		product(t, r.Box, 0, updateArgs()...)
		zone := r.zone(t, "lab.example")
		at("after init", both, shop, "www."+shop)

		_, said := product(t, r.Box, 2, "add-domain", "--yes", shop, web)
		says(t, strings.Join(strings.Fields(said), " "), "shop.lab.example (A, MX), names below shop.lab.example (A, MX, TXT)",
			"web.dc1.lab.example (A), names below web.dc1.lab.example (CNAME)", "2 changes need a consent of their own: nothing was changed")
		if is := r.zone(t, "lab.example"); is != zone {
			t.Fatalf("changed without consent:\n%s", is)
		}
		product(t, r.Box, 0, "add-domain", "--yes", "--receive", "no", "--wildcard-records", "copy", shop, web)
		at("with copies", both, shop, "www."+shop, "other.lab.example")
		at("the addresses that an alias led to", "192.0.2.82", web)
		at("an alias", "www.dc1.lab.example. 192.0.2.82 www.dc1.lab.example.", "a."+web)
		nothingChanges(t, r.Box, "init", "--yes")
		r.forget(t)
		product(t, r.Box, 0, "dns", "--wait", "--timeout", "30s")
		product(t, r.Box, 0, "remove-domain", "--yes", shop)
		at("while its key drains", both, shop, "www."+shop)
		product(t, r.Box, 0, "remove-domain", "--purge", "--yes", shop, web)
		if is := r.zone(t, "lab.example"); is != zone {
			t.Errorf("left in the zone:\n%s\nwant\n%s", is, zone)
		}
		product(t, r.Box, 0, "rollback", "--yes")
		at("brought back", both, shop, "www."+shop)
		at("brought back", "192.0.2.82", web)
	})
}
