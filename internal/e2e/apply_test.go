//go:build e2e

package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// wanted are the files of a server with two domains in its BIND.
var wanted = map[string]string{
	"host.toml":                   "version = 1\nhostname = \"mail.lab.example\"\naddresses = [\"192.0.2.10\"]\ndomain = \"lab.example\"\ndns = \"bind\"\n",
	"domains.d/lab.example.toml":  "# the server's own\ndomain = \"lab.example\"\nselector = \"mx1-202611\"\nttl = 60\n",
	"domains.d/shop.example.toml": "# the shop\ndomain = \"shop.example\"\nselector = \"mx1-202611\"\nttl = 60\n",
}

// TestApply: a server is as files say that somebody else writes. A domain whose file is gone
// is removed as by remove-domain, also where nobody knows what the file said.
func TestApply(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Mail)
		sink := b.Sink(t)
		b.Named(t, "shop.example")
		for name, text := range wanted {
			b.Write(t, "/root/want/"+name, text, 0o644)
		}
		before := treeOf(t, b)
		out, _ := product(t, b, 3, "apply", "--from", "/root/want", "--check")
		says(t, out, "+# the shop", "/etc/bind/mailsetup/shop.example.zone")
		same(t, before, treeOf(t, b))

		applied := func(changed bool, args ...string) {
			t.Helper()
			out, _ := product(t, b, 0, append([]string{"apply", "--json"}, args...)...)
			var said struct{ Changed bool }
			if err := json.Unmarshal([]byte(out), &said); err != nil || said.Changed != changed {
				t.Fatalf("%v: changed %v, want %v\n%s", err, said.Changed, changed, out)
			}
			product(t, b, 0, append([]string{"apply", "--check"}, args...)...)
		}
		applied(true, "--from", "/root/want")
		leavesSigned(t, b, sink)
		if got := signedWith(t, b, sent(t, b, sink, "ann@shop.example")); got != "mx1-202611" {
			t.Errorf("%s signs for shop.example", got)
		}
		applied(false, "--from", "/root/want")
		applied(false)

		records := func() string {
			return b.Sh(t, "for n in TXT:shop.example TXT:_dmarc.shop.example TXT:mx1-202611._domainkey.shop.example; do dig +short @127.0.0.1 ${n#*:} ${n%:*} | cut -c 1-8; done")
		}
		const all, key = "\"v=spf1 \n\"v=DMARC\n\"v=DKIM1\n", "\"v=DKIM1\n"
		removed := func(how string) {
			t.Helper()
			if found := lab.VerifyDKIM(t, b, sent(t, b, sink, "ann@shop.example")); len(found) != 0 {
				t.Errorf("%s: still signs: %+v", how, found)
			}
			if at := keysAt(t, b, "shop.example"); len(at["draining"]) != 1 || len(at) != 1 {
				t.Errorf("%s: keys of shop.example: %v", how, at)
			}
			if got := records(); got != key {
				t.Errorf("%s: DNS has\n%s", how, got)
			}
		}
		b.Sh(t, "rm /root/want/domains.d/shop.example.toml")
		applied(true, "--from", "/root/want")
		removed("not among the files that are given")

		const file = "/etc/mailsetup/domains.d/shop.example.toml"
		b.Write(t, file, wanted["domains.d/shop.example.toml"], 0o644)
		applied(true)
		if got := signedWith(t, b, sent(t, b, sink, "ann@shop.example")); got != "mx1-202611" || records() != all {
			t.Errorf("%s signs for shop.example, whose records are\n%s", got, records())
		}
		b.Sh(t, "rm "+file)
		applied(true)
		removed("its file is gone")
		leavesSigned(t, b, sink)
		if text := b.Read(t, "/etc/mailsetup/domains.d/lab.example.toml"); !strings.HasPrefix(text, "# the server's own\n") {
			t.Errorf("the file of lab.example is now\n%s", text)
		}
	})
}
