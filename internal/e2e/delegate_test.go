//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// delegated is a mail server whose domain is at a provider: a name server elsewhere that
// also resolves names, as the world does.
type delegated struct {
	*lab.Box
	provider *lab.Box
	sink     *lab.Sink
	letter   []byte // of another sender of the domain
}

const providerZone = "/var/lib/bind/db.lab.example"

func newDelegated(t *testing.T, release string) delegated {
	t.Helper()
	d := delegated{
		Box: server(t, release, lab.Mail), provider: lab.Boot(t, lab.Options{Release: release, Hostname: "ns.lab.example", Addresses: []string{secondary + "/32"}}),
	}
	lab.Connect(t, d.Box, d.provider)
	d.sink = d.Sink(t)
	d.letter = []byte(d.Sh(t, `cd /root; openssl genrsa -out news.key 2048 2>/dev/null
printf 'From: shop@lab.example\r\nTo: bob@remote.example\r\nSubject: news\r\n\r\nhello\r\n' >letter
python3 -c 'import dkim; m = open("letter", "rb").read(); print((dkim.sign(m, b"news2026", b"lab.example", open("news.key", "rb").read()) + m).decode(), end="")'`))
	key := strings.TrimSpace(d.Sh(t, "openssl rsa -in /root/news.key -pubout -outform DER 2>/dev/null | base64 -w0"))
	d.provider.NamedConf(t, map[string]string{
		"/etc/bind/named.conf.options": "options { directory \"/var/cache/bind\"; recursion yes; allow-recursion { localhost; }; dnssec-validation no; };\n",
		"/etc/bind/named.conf.local": `zone "lab.example" { type primary; file "` + providerZone + `"; };
zone "vendor.example" { type primary; file "/var/lib/bind/db.vendor.example"; };
`,
		"/var/lib/bind/db.vendor.example": "$TTL 5\n@ IN SOA ns.lab.example. hostmaster 1 3600 900 604800 5\n@ IN NS ns.lab.example.\ndkim IN TXT \"v=DKIM1; k=rsa; p=\" \"" + key[:200] + "\" \"" + key[200:] + "\"\n",
		providerZone: "$TTL 5\n@ IN SOA ns.lab.example. hostmaster 1 3600 900 604800 5\n@ IN NS ns.lab.example.\n" + nsRecord +
			"news2026._domainkey IN TXT \"v=DKIM1; k=rsa; p=\" \"" + key[:200] + "\" \"" + key[200:] + "\"\nk1._domainkey IN CNAME dkim.vendor.example.\n",
	})
	for _, origin := range []string{"lab.example", "vendor.example"} {
		d.Zone(t, origin, "zone \""+origin+"\" { type forward; forward only; forwarders { "+secondary+"; }; };", "")
	}
	return d
}

func delegateArgs(more ...string) []string {
	return initArgs(append([]string{"--dns", "delegate", "--ttl", "60"}, more...)...)
}

// paste puts what is printed into the zone of the provider, once.
func (d delegated) paste(t *testing.T) {
	t.Helper()
	zone := d.provider.Read(t, providerZone) + d.Run(t, "mailsetup", "dns", "lab.example")
	d.provider.Write(t, providerZone, strings.Replace(zone, "hostmaster 1 ", "hostmaster 2 ", 1), 0o644)
	d.provider.Sh(t, "named-checkzone lab.example "+providerZone+"; rndc reload lab.example; rndc flush")
	becomes(t, d.provider, "dig +short @127.0.0.1 SOA lab.example | grep -q ' 2 3600 '")
	d.Run(t, "rndc", "flush")
}

// arrives sends a message and has it verified through the delegation.
func (d delegated) arrives(t *testing.T) (msg []byte) {
	t.Helper()
	leavesSignedBy(t, d.Box, d.sink, "lab.example")
	all := d.sink.Messages(t)
	msg = all[len(all)-1].Data
	d.verifies(t, msg, "lab.example")
	return msg
}

// verifies has the provider's resolver verify a message.
func (d delegated) verifies(t *testing.T, msg []byte, domain string) {
	t.Helper()
	found := lab.VerifyDKIM(t, d.provider, msg)
	if len(found) != 1 || found[0].Err != "" || found[0].Domain != domain {
		t.Fatalf("want one good signature of %s: %+v\n%s", domain, found, msg)
	}
}

// rotates replaces the key, with a message from before until the end of its drain.
func (d delegated) rotates(t *testing.T) {
	t.Helper()
	old, msg := selectorOf(t, d.Box, "lab.example"), d.arrives(t)
	quick(t, d.Box, "1d")
	laterBy(t, d.Box, 25*time.Hour)
	product(t, d.Box, 0, "rotate-dkim", "--yes")
	quick(t, d.Box, "180d")
	laterBy(t, d.Box, 20*time.Minute)
	product(t, d.Box, 0, "rotate-dkim", "--yes")
	if now := selectorOf(t, d.Box, "lab.example"); now == old {
		t.Fatalf("%s still signs\n%s", now, d.Run(t, "mailsetup", "status"))
	}
	d.arrives(t)
	d.verifies(t, msg, "lab.example")
	laterBy(t, d.Box, shortDrain+time.Second)
	product(t, d.Box, 0, "rotate-dkim", "--yes")
	if at := keysAt(t, d.Box, "lab.example"); len(at["active"]) != 1 || len(at["draining"])+len(at["publishing"])+len(at["published"]) != 0 {
		t.Errorf("after the drain: %v", at)
	}
	if is := d.provider.Run(t, "dig", "+short", "TXT", old+"._domainkey.lab.example", "@"+d.Addr); is != "" {
		t.Errorf("the old key is still there: %s", is)
	}
}

// TestDelegate: one paste at a provider, and keys are replaced from then on: every message
// verifies through the delegation, when it arrives and at the end of its drain. Other senders'
// keys move along, and until the name is delegated the first key goes on signing.
func TestDelegate(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) { delegates(t, release, 3) })
}

// TestSoakDelegate is TestDelegate with twelve rotations.
func TestSoakDelegate(t *testing.T) {
	once(t, func(t *testing.T, release string) { delegates(t, release, 12) })
}

func delegates(t *testing.T, release string, rotations int) {
	t.Helper()
	d := newDelegated(t, release)
	d.verifies(t, d.letter, "lab.example")
	was := look(t, d.Box)
	_, said := product(t, d.Box, 2, delegateArgs()...)
	says(t, said, "hint: --delegate-keys allows it")
	_, said = product(t, d.Box, 2, delegateArgs("--delegate-keys", "--keep-selector", "nobody")...)
	says(t, said, "there is no key at nobody._domainkey.lab.example")
	asBefore(t, d.Box, was)

	out, _ := product(t, d.Box, 0, delegateArgs("--delegate-keys", "--keep-selector", "news2026")...)
	says(t, strings.Join(strings.Fields(out), " "), "_domainkey NS mail.lab.example.")
	says(t, d.Run(t, "dig", "+noall", "+answer", "@127.0.0.1", "CNAME", "k1._domainkey.lab.example", "TXT", "news2026._domainkey.lab.example"), "CNAME\tdkim.vendor.example.", "v=DKIM1; k=rsa; p=")
	nothingChanges(t, d.Box, "init", "--yes")

	first := selectorOf(t, d.Box, "lab.example")
	_, _, _ = d.Exec(t.Context(), nil, "mailsetup", "rotate-dkim", "--yes") // from now on it knows how old the key is
	quick(t, d.Box, "1d")
	laterBy(t, d.Box, 25*time.Hour)
	_, _, _ = d.Exec(t.Context(), nil, "mailsetup", "rotate-dkim", "--yes")
	laterBy(t, d.Box, 240*time.Hour)
	_, _, _ = d.Exec(t.Context(), nil, "mailsetup", "rotate-dkim", "--yes")
	if now := selectorOf(t, d.Box, "lab.example"); now != first {
		t.Fatalf("%s signs, and nobody but this server finds its key", now)
	}
	out, _ = product(t, d.Box, 3, "dns", "--wait", "--timeout", "0")
	says(t, out, "_domainkey.lab.example NS at ns.lab.example ("+secondary+"):\n    missing")

	d.paste(t)
	product(t, d.Box, 0, "dns", "--wait", "--timeout", "30s")
	pasted := d.provider.Read(t, providerZone)
	for i := range rotations {
		t.Run(fmt.Sprint(i+1), func(t *testing.T) { d.rotates(t) })
	}
	d.verifies(t, d.letter, "lab.example")
	says(t, d.provider.Run(t, "dig", "+noall", "+answer", "TXT", "k1._domainkey.lab.example"), "CNAME\tdkim.vendor.example.", "v=DKIM1; k=rsa; p=")
	if d.provider.Read(t, providerZone) != pasted {
		t.Error("the provider's zone was changed")
	}
}
