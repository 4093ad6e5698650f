//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// TestDomainWithoutFile: a domain whose file is gone goes on signing until somebody
// agrees that it shall not, and signs with the key that everybody has seen when it
// comes back. Then keys come and go in the same ticks.
func TestDomainWithoutFile(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		b.Named(t, "shop.example")
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "shop.example")
		first := selectorOf(t, b, "shop.example")
		signsWith := func() {
			t.Helper()
			if got := signedWith(t, b, sent(t, b, sink, "ann@shop.example")); got != first {
				t.Errorf("%s signs for shop.example, and %s did", got, first)
			}
			if at := keysAt(t, b, "shop.example"); len(at) != 1 || len(at["active"]) != 1 {
				t.Errorf("keys of shop.example: %v", at)
			}
			if files := strings.Fields(b.Sh(t, "ls /etc/dkimkeys/shop.example")); len(files) != 1 {
				t.Errorf("private keys of shop.example: %q", files)
			}
		}
		const file = "/etc/mailsetup/domains.d/shop.example.toml"

		// Taken away by hand: nobody goes on without a word.
		b.Sh(t, "mv "+file+" /root/shop.toml")
		_, said := product(t, b, 2, initArgs()...)
		says(t, said, "--remove-missing allows it", "mailsetup add-domain shop.example")
		_, said = product(t, b, 1, "rotate-dkim", "--yes", "--now", "lab.example")
		says(t, said, file+" is gone", "mailsetup remove-domain shop.example")
		says(t, b.Run(t, "mailsetup", "status"), "its file")
		b.Sh(t, "mv /root/shop.toml "+file)
		signsWith()
		b.Sh(t, "mv "+file+" /root/shop.toml")

		// With a consent it ends, and its key drains.
		product(t, b, 0, initArgs("--remove-missing")...)
		if at := keysAt(t, b, "shop.example"); len(at["draining"]) != 1 || len(at) != 1 {
			t.Errorf("keys of shop.example: %v", at)
		}
		if found := lab.VerifyDKIM(t, b, sent(t, b, sink, "ann@shop.example")); len(found) != 0 {
			t.Errorf("still signs: %+v", found)
		}
		if keyRecord(t, b, first, "shop.example") == "" {
			t.Error("its record is gone, and mail may be under way")
		}

		// Back, by hand and by command, with another selector and other DNS.
		b.Sh(t, "mv /root/shop.toml "+file)
		out, _ := product(t, b, 0, initArgs()...)
		says(t, out, first+" signs again")
		signsWith()
		product(t, b, 0, "remove-domain", "--yes", "shop.example")
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "--selector", "other", "--dns", "manual", "shop.example")
		signsWith()
		leavesSigned(t, b, sink)
		meetingMoves(t, b, sink)
	})
}

// meetingMoves are ticks a fortnight apart, of keys that are replaced after a
// fortnight and drain for another: one goes in the run that makes the next.
func meetingMoves(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	b.Sh(t, `sed -i -e 's/^drain = .*/drain = "14d"/' -e 's/^rotate_every = .*/rotate_every = "14d"/' -e 's/^lag = .*/lag = "1s"/' /etc/mailsetup/host.toml
sed -i 's/^rotate_every = .*/rotate_every = "never"/' /etc/mailsetup/domains.d/shop.example.toml`)
	product(t, b, 0, "rotate-dkim", "--yes")
	met, signs := 0, map[string]bool{}
	for range 6 {
		laterBy(t, b, 14*24*time.Hour)
		out, _ := product(t, b, 0, "rotate-dkim", "--yes")
		if strings.Contains(out, "a new key, since") && strings.Contains(out, " goes: mail that it signed") {
			met++
		}
		signs[signedWith(t, b, sent(t, b, sink, "ann@lab.example"))] = true
	}
	if met == 0 || len(signs) < 3 {
		t.Errorf("%d ticks made a key and took one away; %d keys signed", met, len(signs))
	}
}

// laterBy makes as much time pass for keys, as far as what is remembered of them
// goes. That the clock of a machine does the same is for TestRotationUnderMail,
// which waits.
func laterBy(t *testing.T, b *lab.Box, span time.Duration) {
	t.Helper()
	const file = "/var/lib/mailsetup/key-times.json"
	var doc map[string]any
	if err := json.Unmarshal([]byte(b.Read(t, file)), &doc); err != nil {
		t.Fatal(err)
	}
	for _, in := range doc["keys"].(map[string]any) {
		k := in.(map[string]any)
		k["passed"] = k["passed"].(float64) + span.Seconds()
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(t, file, string(text), 0o600)
}
