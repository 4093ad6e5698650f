//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestASecondDomainLeansOnTheFirst: its SPF record is that of the first, which
// also consents to the reports about it; mail of what is below it is signed
// with its key. All of that goes away with a rollback.
func TestASecondDomainLeansOnTheFirst(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := existing(t, release)
		b.Named(t, "shop.example")
		b.Sh(t, "postconf -e 'mydestination = $myhostname, lab.example, localhost'; echo 'dmarc: ann' >>/etc/aliases; newaliases; postfix reload")
		product(t, b, 0, initArgs()...)
		const consent = "shop.example._report._dmarc.lab.example"
		txt := func(name string) string {
			return strings.TrimSpace(b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", name))
		}
		if got := txt(consent); got != "" {
			t.Errorf("%s before: %s", consent, got)
		}
		out, _ := product(t, b, 0, "init", "--yes", "--domain", "shop.example", "--spf-redirect", "--subdomains",
			"--rua", "dmarc@lab.example", "--rua", "dmarc@remote.example")
		if got := txt(consent); got != `"v=DMARC1"` {
			t.Errorf("%s: %s", consent, got)
		}
		// That zone is served here, too, in the lab: both consent.
		if got := txt("shop.example._report._dmarc.remote.example"); got != `"v=DMARC1"` {
			t.Errorf("the other consent: %s\n%s", got, out)
		}
		if got := txt("shop.example"); got != `"v=spf1 redirect=lab.example"` {
			t.Errorf("SPF: %s", got)
		}
		for ip, want := range map[string]string{b.Addr: "pass", "198.51.100.7": "softfail"} {
			if r := lab.SPF(t, b, ip, "mail.lab.example", "ann@shop.example"); r.Result != want {
				t.Errorf("SPF of %s: %+v, want %s", ip, r, want)
			}
		}
		for _, from := range []string{"ann@shop.example", "ann@dept.shop.example"} {
			before := sink.Count()
			if said, taken := b.Send(t, lab.Letter{From: from, To: "bob@remote.example", Subject: "hello", Body: "hello"}); !taken {
				t.Fatalf("%s: %s", from, said)
			}
			signedBy(t, b, sink.Wait(t, before+1, 90*time.Second)[before].Data, "shop.example")
		}
		product(t, b, 0, "rollback", "--yes")
		if got := txt(consent) + txt("shop.example"); got != "" {
			t.Errorf("after the rollback: %s", got)
		}
		consentsForOneElsewhere(t, b, txt)
	})
}

// consentsForOneElsewhere adds a domain whose DNS others run: the zones here
// consent to reports about it, what else they would have to hold is shown, and
// the consent goes with the domain.
func consentsForOneElsewhere(t *testing.T, b *lab.Box, txt func(string) string) {
	t.Helper()
	const consent = "guest.example._report._dmarc.lab.example"
	out, _ := product(t, b, 0, "add-domain", "--yes", "--dns", "manual",
		"--rua", "dmarc@lab.example", "--rua", "dmarc@far.example", "guest.example")
	says(t, strings.Join(strings.Fields(out), " "), "reports to far.example need its consent in DNS (RFC 9990)",
		`guest.example._report._dmarc.far.example. TXT "v=DMARC1"`)
	saysNot(t, out, "reports to lab.example")
	if got := txt(consent); got != `"v=DMARC1"` {
		t.Errorf("%s: %s", consent, got)
	}
	if got := txt("_dmarc.guest.example"); got != "" {
		t.Errorf("others run guest.example, and yet: %s", got)
	}
	nothingChanges(t, b, "init", "--yes")
	seen, _ := product(t, b, 3, "dns", "--wait", "--timeout", "0", "--json", "guest.example")
	says(t, seen, consent)
	product(t, b, 0, "remove-domain", "--yes", "guest.example")
	if got := txt(consent); got != "" {
		t.Errorf("%s after the domain has gone: %s", consent, got)
	}
	serves(t, b, "TXT", "lab.example", "v=spf1")
}
