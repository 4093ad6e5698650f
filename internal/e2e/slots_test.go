//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// provider is somebody else's DNS, in a network of its own: a panel that writes the file of
// shop.example anew, with its own TTL, for two name servers at once and for a third one when
// that gets round to it.
type provider struct {
	*lab.Box
	records []string // as they were pasted: name, type and value
}

const panelScript = `cat >/etc/bind/named.conf.options <<'END'
options { directory "/var/cache/bind"; recursion no; listen-on { 192.0.2.53; 192.0.2.54; 127.0.0.1; }; listen-on-v6 { none; }; };
END
echo 'zone "shop.example" { type primary; file "/etc/bind/db.shop.example"; };' >/etc/bind/named.conf.local
mkdir -p /etc/bind/late
cat >/etc/bind/late/named.conf <<'END'
options { directory "/etc/bind/late"; recursion no; listen-on { 192.0.2.55; }; listen-on-v6 { none; }; pid-file none; session-keyfile none; };
zone "shop.example" { type primary; file "/etc/bind/late/db.shop.example"; };
controls { };
END
ip address add 192.0.2.54/32 dev lo; ip address add 192.0.2.55/32 dev lo`

func newProvider(t *testing.T, release string, b *lab.Box) *provider {
	t.Helper()
	p := &provider{Box: lab.Boot(t, lab.Options{Release: release, Hostname: "ns1.panel.example", Addresses: []string{"192.0.2.53/32", "192.0.2.54/32", "192.0.2.55/32"}})}
	lab.Connect(t, b, p.Box)
	p.Sh(t, strings.Replace(panelScript, "\nip address add 192.0.2.54/32 dev lo; ip address add 192.0.2.55/32 dev lo", "", 1))
	p.saves(t)
	p.catchesUp(t)
	b.Sh(t, `cat >>/etc/bind/named.conf.local <<'END'
zone "shop.example" { type static-stub; server-addresses { 192.0.2.53; }; };
END
named-checkconf; systemctl restart named`)
	becomes(t, b, "dig +short @127.0.0.1 A www.shop.example | grep -q 192.0.2.80")
	return p
}

// saves has the panel write its file: records without a TTL of their own, sorted.
func (p *provider) saves(t *testing.T) {
	t.Helper()
	text := "$TTL 300\n@ IN SOA ns1 hostmaster " + time.Now().Format("0102150405") + " 3600 900 604800 60\n" +
		"@ NS ns1\n@ NS ns2\n@ NS ns3\nns1 A 192.0.2.53\nns2 A 192.0.2.54\nns3 A 192.0.2.55\nwww A 192.0.2.80\n"
	p.Write(t, "/etc/bind/db.shop.example", text+strings.Join(slices.Sorted(slices.Values(p.records)), "\n")+"\n", 0o644)
	p.Sh(t, "named-checkzone shop.example /etc/bind/db.shop.example; systemctl restart named")
	becomes(t, p.Box, "dig +short @127.0.0.1 A www.shop.example | grep -q 192.0.2.80")
}

// catchesUp lets the third name server have what the others have.
func (p *provider) catchesUp(t *testing.T) {
	t.Helper()
	p.Sh(t, `cp /etc/bind/db.shop.example /etc/bind/late/; systemctl stop late 2>/dev/null || true
cp /usr/sbin/named /usr/local/sbin/late
systemd-run -q --collect --unit late /usr/local/sbin/late -f -c /etc/bind/late/named.conf`)
	becomes(t, p.Box, "dig +short +time=1 +tries=1 @192.0.2.55 A www.shop.example | grep -q 192.0.2.80")
}

// pastes puts the records that the product prints into the panel, once.
func (p *provider) pastes(t *testing.T, b *lab.Box) {
	t.Helper()
	for line := range strings.Lines(b.Run(t, "mailsetup", "dns", "shop.example", "--format", "nsupdate")) {
		if f := strings.SplitN(strings.TrimSpace(line), " ", 6); len(f) == 6 && f[0] == "update" && f[1] == "add" {
			p.records = append(p.records, f[2]+" "+f[4]+" "+f[5])
		}
	}
}

// tick is one call of the timer, as much later for the keys.
func (p *provider) tick(t *testing.T, b *lab.Box, later time.Duration, args ...string) string {
	t.Helper()
	if later > 0 {
		laterBy(t, b, later)
	}
	b.Run(t, "rndc", "flush")
	out, errs, code := b.Exec(t.Context(), nil, append([]string{"mailsetup", "rotate-dkim", "--yes"}, args...)...)
	if code != 0 && code != 3 {
		t.Fatalf("rotate-dkim %q: exit %d\n%s%s%s", args, code, out, errs, b.Run(t, "mailsetup", "status"))
	}
	return out + errs
}

// TestSlots: keys of a domain at a provider change behind CNAMEs that were pasted once. Two
// rotations, as the second one has the fault; each slot has its turn in TestSoakSlots.
func TestSlots(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) { slotsUnderMail(t, release, 2) })
}

// TestSoakSlots is the same for twelve rotations.
func TestSoakSlots(t *testing.T) {
	each(t, func(t *testing.T, release string) { slotsUnderMail(t, release, 12) })
}

func slotsUnderMail(t *testing.T, release string, rotations int) {
	t.Helper()
	b, sink := signing(t, release)
	p := newProvider(t, release, b)
	out, _ := product(t, b, 0, "add-domain", "--yes", "--dns", "slots", "--ttl", "60", "shop.example")
	flat := strings.Join(strings.Fields(out), " ")
	for _, slot := range []string{"mail-1", "mail-2", "mail-3"} {
		says(t, flat, slot+"._domainkey CNAME "+slot+"._domainkey.shop.example.dkim.lab.example.")
	}
	p.pastes(t, b)
	if len(p.records) < 5 {
		t.Fatalf("want three CNAMEs, SPF and DMARC: %q", p.records)
	}
	p.saves(t)
	p.catchesUp(t)
	b.Run(t, "rndc", "flush")
	product(t, b, 0, "dns", "--wait", "--timeout", "30s", "shop.example")

	old := selectorOf(t, b, "shop.example")
	var under [][]byte // mail under way
	used := map[string]int{}
	for i := range rotations {
		under = append(under, slotMail(t, b, sink))
		p.tick(t, b, 0, "--now", "shop.example")
		under = append(under, slotMail(t, b, sink))
		if i == 1 {
			p.removedAndPutBack(t, b, old)
		}
		saysNot(t, p.tick(t, b, 25*time.Hour), "paste", "publish these")
		now := selectorOf(t, b, "shop.example")
		if now == old {
			t.Fatalf("rotation %d: %s goes on signing\n%s", i, old, b.Run(t, "mailsetup", "status"))
		}
		old = now
		used[now]++
		fresh := slotMail(t, b, sink)
		p.tick(t, b, 14*24*time.Hour-2*time.Hour) // the end of the drain
		b.Run(t, "rndc", "flush")
		for _, m := range under {
			signedBy(t, b, m, "shop.example")
		}
		under = [][]byte{fresh}
		saysNot(t, p.tick(t, b, 3*time.Hour), "paste", "publish these")
		saysNot(t, p.tick(t, b, 8*24*time.Hour), "paste", "publish these")
	}
	if rotations >= 3 && len(used) != 3 {
		t.Errorf("slots were used %v times, want each of three", used)
	}
}

// removedAndPutBack has the panel lose the CNAME of the next key, and get it back at two of
// three name servers: the old key goes on until all have it.
func (p *provider) removedAndPutBack(t *testing.T, b *lab.Box, old string) {
	t.Helper()
	keys := keysAt(t, b, "shop.example")
	next := slices.Concat(keys["publishing"], keys["published"])
	if len(next) != 1 {
		t.Fatalf("no next key: %v", keys)
	}
	all := p.records
	p.records = slices.DeleteFunc(slices.Clone(all), func(r string) bool { return strings.HasPrefix(r, next[0]+"._domainkey.") })
	if len(p.records) != len(all)-1 {
		t.Fatalf("no CNAME of %s in %q", next[0], all)
	}
	waits := func(why string) {
		t.Helper()
		said := strings.Join(strings.Fields(p.tick(t, b, 25*time.Hour)+b.Run(t, "mailsetup", "status", "shop.example")), " ")
		if now := selectorOf(t, b, "shop.example"); now != old {
			t.Fatalf("%s: %s signs", why, now)
		}
		says(t, said, next[0])
		t.Logf("%s: %s", why, said)
	}
	p.saves(t)
	p.catchesUp(t)
	waits("no CNAME")
	p.records = all
	p.saves(t)
	waits("a stale server")
	p.catchesUp(t)
	p.tick(t, b, 0)
}

// slotMail is a message of the domain, which verifies when it arrives.
func slotMail(t *testing.T, b *lab.Box, sink *lab.Sink) []byte {
	t.Helper()
	b.Run(t, "rndc", "flush")
	before := sink.Count()
	if said, taken := b.Send(t, lab.Letter{From: "ann@shop.example", To: "bob@remote.example", Subject: "by slot", Body: "hello"}); !taken {
		t.Fatalf("SMTP on port 25: %s", said)
	}
	msg := sink.Wait(t, before+1, time.Minute)[before].Data
	signedBy(t, b, msg, "shop.example")
	return msg
}
