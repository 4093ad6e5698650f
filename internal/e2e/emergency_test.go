//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// The end of a key's life, as these tests can wait for it: how long it drains,
// and is shown as revoked after that.
const (
	briefDrain  = 3 * time.Second
	briefRevoke = 2 * time.Second
)

// revoking compresses the lives of keys, the end of which is an empty p=, and
// of their records, also where a domain was taken over.
func revoking(t *testing.T, b *lab.Box) {
	t.Helper()
	quick(t, b, "180d")
	b.Sh(t, fmt.Sprintf(`sed -i -e 's/^drain = .*/drain = "%.0fs"/' -e 's/^revoke = .*/revoke = "%.0fs"/' /etc/mailsetup/host.toml
sed -i 's/^ttl = .*/ttl = 60/' /etc/mailsetup/domains.d/*`, briefDrain.Seconds(), briefRevoke.Seconds()))
}

// refused insists that both verifiers say no to a message that they accepted.
func refused(t *testing.T, b *lab.Box, msg []byte) {
	t.Helper()
	if found := lab.VerifyDKIM(t, b, msg); len(found) != 1 || found[0].Err == "" {
		t.Errorf("go-msgauth: %+v", found)
	}
	if ok, said := lab.VerifyPython(t, b, msg); ok {
		t.Errorf("dkimverify accepts it: %s", said)
	}
}

// keyRecord is what DNS has of a key, "" for nothing.
func keyRecord(t *testing.T, b *lab.Box, selector, domain string) string {
	t.Helper()
	return strings.ReplaceAll(strings.Join(dig(t, b, "TXT", selector+"._domainkey."+domain), ""), `" "`, "")
}

// signedWith is the selector of the one good signature of a message.
func signedWith(t *testing.T, b *lab.Box, msg []byte) string {
	t.Helper()
	found := lab.VerifyDKIM(t, b, msg)
	if len(found) != 1 || found[0].Err != "" {
		t.Fatalf("%+v\n%s", found, msg)
	}
	return found[0].Selector
}

// emptyKey is the record of a revoked key.
const emptyKey = `"v=DKIM1; h=sha256; k=rsa; p="`

// TestEmergency: a key that others may have is out of use at once; beside that a
// small key grows, and the commands of a rotation's way do not disturb it.
func TestEmergency(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b, sink := signing(t, release)
		b.NamedAll(t, "shop.example", "blog.example")
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "--subdomains", "--key-bits", "1024", "shop.example")
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "blog.example")
		revoking(t, b)
		small, old := selectorOf(t, b, "shop.example"), selectorOf(t, b, "lab.example")
		stolen, sub, blog := sent(t, b, sink, "ann@lab.example"), sent(t, b, sink, "ann@dept.shop.example"), sent(t, b, sink, "ann@blog.example")
		signedBy(t, b, stolen, "lab.example")
		signedBy(t, b, sub, "shop.example")

		// A key that is to grow, and one of a domain that leaves and comes back.
		b.Sh(t, "sed -i 's/^key_bits = 1024/key_bits = 2048/' /etc/mailsetup/domains.d/shop.example.toml")
		product(t, b, 0, "rotate-dkim", "--now", "--yes", "blog.example")
		product(t, b, 0, "rotate-dkim", "--yes")
		next := keysAt(t, b, "shop.example")["published"]
		if len(next) != 1 || selectorOf(t, b, "shop.example") != small {
			t.Fatalf("keys of shop.example: %v", keysAt(t, b, "shop.example"))
		}
		signs := selectorOf(t, b, "blog.example")
		product(t, b, 0, "remove-domain", "--yes", "blog.example")
		product(t, b, 0, "add-domain", "--yes", "--ttl", "60", "blog.example")
		left := keysAt(t, b, "blog.example")["draining"]
		if now := selectorOf(t, b, "blog.example"); len(left) != 1 || now != signs || left[0] == signs {
			t.Errorf("%s signs for blog.example, and did before; now %s does, and %q drain", signs, now, left)
		}
		signedBy(t, b, blog, "blog.example")
		signedBy(t, b, sent(t, b, sink, "ann@blog.example"), "blog.example")
		nothingChanges(t, b, initArgs()...)
		nothingChanges(t, b, "add-domain", "--yes", "shop.example")

		// What would be, in all its forms, changes nothing.
		all := []string{"/etc", "/var/lib/mailsetup", "/var/cache/bind", "/var/spool/postfix/opendkim"}
		was := b.Snapshot(t, all...)
		for _, dry := range [][]string{{}, {"--now"}, {"--now", "--json"}, {"--compromised", "lab.example", "shop.example"}, {"--compromised", "lab.example", "--json"}} {
			out, _ := product(t, b, 0, slices.Concat([]string{"rotate-dkim", "--dry-run"}, dry)...)
			if slices.Contains(dry, "--json") {
				var doc struct{ Steps, Keys []map[string]any }
				if err := json.Unmarshal([]byte(out), &doc); err != nil || len(doc.Steps) == 0 || len(doc.Keys) == 0 {
					t.Errorf("%v: %v\n%s", dry, err, out)
				}
			}
		}
		same(t, was, b.Snapshot(t, all...))

		// The emergency.
		_, said := product(t, b, 2, "rotate-dkim", "--compromised", "lab.example")
		says(t, said, old+" is revoked", "add --yes")
		product(t, b, 0, "rotate-dkim", "--compromised", "lab.example", "--yes")
		revoked := time.Now()
		if now := selectorOf(t, b, "lab.example"); now == old {
			t.Fatalf("%s still signs", old)
		}
		if is := keyRecord(t, b, old, "lab.example"); is != emptyKey {
			t.Errorf("the record of %s: %s", old, is)
		}
		refused(t, b, stolen)
		leavesSigned(t, b, sink)

		// The key has grown; that is taken back, and comes again.
		laterBy(t, b, shortWait+5*time.Second)
		product(t, b, 0, "rotate-dkim", "--yes")
		if now := selectorOf(t, b, "shop.example"); now != next[0] {
			t.Fatalf("%s signs for shop.example, want %s\n%s", now, next[0], b.Run(t, "mailsetup", "status"))
		}
		if n := len(keyRecord(t, b, next[0], "shop.example")); n < 380 {
			t.Errorf("%d octets are no record of 2048 bits", n)
		}
		if b.Exists("/etc/dkimkeys/lab.example/" + old + ".private") {
			t.Errorf("%v after it was revoked the private key of %s is there", time.Since(revoked), old)
		}
		if is := keyRecord(t, b, old, "lab.example"); is != "" {
			t.Errorf("the record of %s: %s", old, is)
		}
		for _, gone := range left { // it drained meanwhile
			if is := keyRecord(t, b, gone, "blog.example"); is != emptyKey {
				t.Errorf("the record of %s: %s", gone, is)
			}
		}
		signedBy(t, b, blog, "blog.example")
		leavesSignedBy(t, b, sink, "blog.example")
		signedBy(t, b, sub, "shop.example")
		if by := signedWith(t, b, sent(t, b, sink, "ann@dept.shop.example")); by != next[0] {
			t.Errorf("mail of a subdomain is signed with %s", by)
		}

		// The switch is taken back: the old key signs, and DNS has its record.
		product(t, b, 0, "rollback", "--yes")
		if at := keysAt(t, b, "shop.example"); !slices.Equal(at["active"], []string{small}) || !slices.Equal(at["published"], next) {
			t.Errorf("after the rollback: %v", at)
		}
		if by := signedWith(t, b, sent(t, b, sink, "ann@shop.example")); by != small {
			t.Errorf("after the rollback %s signs", by)
		}
	})
}

// TestSharedKeyRotates: of a key that somebody made by hand and that signs for two
// domains, one leaves it; the other goes on with it.
func TestSharedKeyRotates(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		h := shapes()[2]
		b, sink := h.boots(t, release)
		product(t, b, 0, adoptArgs()...)
		revoking(t, b)
		product(t, b, 0, "init", "--yes") // another TTL
		lone, both := sent(t, b, sink, "ann@lab.example"), sent(t, b, sink, "ann@shop.example")
		product(t, b, 0, "rotate-dkim", "--now", "--yes", "lab.example")
		nothingChanges(t, b, adoptArgs()...)
		nothingChanges(t, b, "init", "--yes")
		laterBy(t, b, shortWait+5*time.Second)
		product(t, b, 0, "rotate-dkim", "--yes")
		if now := selectorOf(t, b, "lab.example"); now == "s1" {
			t.Fatalf("not switched\n%s", b.Run(t, "mailsetup", "status"))
		}
		if now := selectorOf(t, b, "shop.example"); now != "s1" {
			t.Errorf("%s signs for shop.example", now)
		}
		signedBy(t, b, sent(t, b, sink, "ann@lab.example"), "lab.example")
		signedBy(t, b, sent(t, b, sink, "ann@shop.example"), "shop.example")
		signedBy(t, b, lone, "lab.example")

		laterBy(t, b, briefDrain+time.Second)
		out, _ := product(t, b, 3, "rotate-dkim", "--yes")
		says(t, out, "s1._domainkey.lab.example. TXT "+emptyKey)
		b.Sh(t, `sed -i 's/^s1\._domainkey\.lab\.example\..*/s1._domainkey 60 IN TXT ( "v=DKIM1; p="/; s/^\t  "p=.*"  *)/)/' /etc/bind/db.lab.example; rndc reload lab.example`)
		refused(t, b, lone)
		signedBy(t, b, both, "shop.example")
		laterBy(t, b, briefRevoke+time.Second)
		out, _ = product(t, b, 3, "rotate-dkim", "--yes")
		says(t, out, "take this record out")
		signedBy(t, b, sent(t, b, sink, "ann@shop.example"), "shop.example")
		if !b.Exists("/etc/dkimkeys/all.private") {
			t.Error("the key of shop.example is gone")
		}
		out, _ = product(t, b, 3, "rotate-dkim", "--compromised", "--yes", "shop.example")
		says(t, out, "s1._domainkey.shop.example. TXT "+emptyKey)
		if by := leavesSignedBy(t, b, sink, "shop.example"); by == "s1" {
			t.Error("s1 still signs for shop.example")
		}
		// Nobody does that, and is told again the next day, until it is done.
		b.Sh(t, `sed -i 's/"revoked": "[^"]*"/"revoked": "2026-01-01T00:00:00Z"/' /var/lib/mailsetup/keyring/shop.example.json`)
		out, _ = product(t, b, 3, "rotate-dkim", "--yes")
		says(t, out, "s1._domainkey.shop.example. TXT "+emptyKey)
		if out, said := product(t, b, 0, "rotate-dkim", "--yes"); out+said != "" {
			t.Errorf("told again the same day:\n%s%s", out, said)
		}
	})
}

// TestRotationElsewhere: a rotation through a name server elsewhere, beside another
// server of the domain that took the month's selector; and an emergency, for
// which it does not matter that caches remember for an hour that a name is not
// there.
func TestRotationElsewhere(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		r := newRemote(t, release, map[string]string{"lab.example": nsRecord, "zwei.example": ""}, updatePolicy)
		sink := r.Sink(t)
		product(t, r.Box, 0, updateArgs("--ttl", "60", "--selector", "first")...)
		product(t, r.Box, 0, "add-domain", "--yes", "--ttl", "60", "--selector", "first", "zwei.example")
		revoking(t, r.Box)
		month := strings.TrimSpace(r.Run(t, "date", "-u", "+%Y%m"))
		r.ns.Sh(t, `printf 'server 127.0.0.1\nzone lab.example\nupdate add `+month+`._domainkey.lab.example 60 TXT "v=DKIM1; p=MIIB"\nsend\n' | nsupdate -k /etc/bind/update.key
systemctl stop named
named-compilezone -q -j -s full -o /root/zwei zwei.example /var/lib/bind/db.zwei.example
sed -E 's/^(\S+)\s+[0-9]+(\s+IN\s+SOA\s.*\s)[0-9]+ 3600 900 604800 0$/\1 3600\22027010101 3600 900 604800 3600/' /root/zwei >/var/lib/bind/db.zwei.example
rm -f /var/lib/bind/db.zwei.example.jnl
systemctl start named`)
		if soa := strings.Fields(r.Sh(t, "rndc flush; dig +noall +authority @127.0.0.1 TXT nothing.zwei.example")); len(soa) < 11 || soa[1] != "3600" || soa[10] != "3600" {
			t.Fatalf("that a name is not there is remembered for less than an hour: %q", soa)
		}
		msg := sent(t, r.Box, sink, "ann@lab.example")
		product(t, r.Box, 0, "rotate-dkim", "--now", "--yes", "lab.example")
		begun := time.Now()
		next := keysAt(t, r.Box, "lab.example")["published"]
		if len(next) != 1 || !strings.HasPrefix(next[0], month+"-") {
			t.Errorf("keys: %v\n%s", keysAt(t, r.Box, "lab.example"), r.zone(t, "lab.example"))
		}
		product(t, r.Box, 0, "rotate-dkim", "--compromised", "--yes", "zwei.example")
		t.Logf("another key signs after %v, and caches remember for an hour what is not there", time.Since(begun).Round(time.Second))
		if now := selectorOf(t, r.Box, "zwei.example"); now == "first" {
			t.Errorf("first still signs\n%s", r.Run(t, "mailsetup", "status"))
		}
		r.forget(t)
		leavesSignedBy(t, r.Box, sink, "zwei.example")
		laterBy(t, r.Box, shortWait+5*time.Second)
		product(t, r.Box, 0, "rotate-dkim", "--yes")
		leavesSignedBy(t, r.Box, sink, "lab.example")
		signedBy(t, r.Box, msg, "lab.example")
		laterBy(t, r.Box, briefDrain+time.Second)
		product(t, r.Box, 0, "rotate-dkim", "--yes")
		r.forget(t)
		refused(t, r.Box, msg)
		laterBy(t, r.Box, briefRevoke+time.Second)
		product(t, r.Box, 0, "rotate-dkim", "--yes")
		if is := r.zone(t, "lab.example"); strings.Contains(is, "first._domainkey") || !strings.Contains(is, month+`._domainkey.lab.example. 60 IN TXT "v=DKIM1; p=MIIB"`) {
			t.Errorf("after the rotation:\n%s", is)
		}
		leavesSignedBy(t, r.Box, sink, "lab.example")
	})
}
