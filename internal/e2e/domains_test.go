//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// further are the domains that are added, in a list from another system.
const further = "# added in one run\r\nbücher.example\r\nshop.example\r\n\r\nblog.example\r\n"

// TestDomains: three further domains in one run, of which one is international,
// and one signs its subdomains, too.
func TestDomains(t *testing.T) {
	each(t, func(t *testing.T, release string) {
		b := server(t, release, lab.Mail)
		for _, d := range []string{"xn--bcher-kva.example", "shop.example", "blog.example"} {
			b.Named(t, d)
		}
		sink := b.Sink(t)
		product(t, b, 0, initArgs()...)
		b.Write(t, "/root/domains", further, 0o644)
		was, pid := treeOf(t, b), mainPID(t, b)
		out, said := product(t, b, 0, "add-domain", "--yes", "--subdomains", "--from-file", "/root/domains")
		if n := strings.Count(said, "OpenDKIM: reload opendkim.service"); n != 1 || strings.Contains(said, "restart") {
			t.Errorf("%d reloads of OpenDKIM:\n%s", n, said)
		}
		if got := mainPID(t, b); got != pid {
			t.Errorf("OpenDKIM was started again: %s, was %s", got, pid)
		}
		saysNot(t, out, "of lab.example")
		for path, is := range treeOf(t, b) {
			if old, there := was[path]; there && old != is && strings.Contains(path, "lab.example") {
				t.Errorf("%s was %s, is %s", path, old, is)
			}
		}
		keys := map[string]bool{}
		for _, from := range []string{
			"ann@xn--bcher-kva.example", "ann@shop.example", "ann@blog.example", "ann@dept.shop.example", "ann@lab.example",
		} {
			_, domain, _ := strings.Cut(strings.Replace(from, "dept.", "", 1), "@")
			msg := sent(t, b, sink, from)
			signedBy(t, b, msg, domain)
			keys[b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", lab.VerifyDKIM(t, b, msg)[0].Selector+"._domainkey."+domain)] = true
		}
		if len(keys) != 4 {
			t.Errorf("%d keys for 4 domains", len(keys))
		}
		nothingChanges(t, b, "add-domain", "--yes", "--from-file", "/root/domains")
		nothingChanges(t, b, initArgs()...)
	})
}

func mainPID(t *testing.T, b *lab.Box) string {
	t.Helper()
	return b.Run(t, "systemctl", "show", "-p", "MainPID", "opendkim.service")
}

// sent is a message as it arrives.
func sent(t *testing.T, b *lab.Box, sink *lab.Sink, from string) []byte {
	t.Helper()
	before := sink.Count()
	if said, taken := b.Send(t, lab.Letter{From: from, To: "bob@remote.example", Subject: "from " + from, Body: "hello"}); !taken {
		t.Fatalf("SMTP on port 25: %s", said)
	}
	return sink.Wait(t, before+1, 90*time.Second)[before].Data
}
