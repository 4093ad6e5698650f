//go:build e2e

package e2e

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// notBIND is another primary, and what is said of a key that it does not know.
type notBIND struct{ kind, otherSecret, otherName string }

// otherPrimary puts one in the place of BIND: both do on both releases. A domain
// is not added with a key that is not the server's, and then with the right one;
// it is changed, and taken back.
func (r remote) otherPrimary(t *testing.T, release string, sink *lab.Sink) {
	t.Helper()
	const (
		text   = "$TTL 5\n@ IN SOA ns.lab.example. hostmaster 2026010101 3600 900 604800 0\n@ IN NS ns.lab.example.\n@ IN TXT \"site=1\"\n"
		secret = "b25lIG9mIHRoZSBsYWIncyBvd24ga2V5cywgMzIgYnl0ZXM="
		key    = "key mailsetup { algorithm hmac-sha256; secret \"" + secret + "\"; };\n"
	)
	p := map[string]notBIND{
		"bookworm": {"pdns", "does not accept what the key mailsetup signed", "does not accept what the key other signed"},
		"trixie":   {"knot", "has another secret under the name mailsetup (BADSIG)", "does not accept what the key other signed"},
		lab.Next:   {"knot", "has another secret under the name mailsetup (BADSIG)", "does not accept what the key other signed"},
	}[release]
	r.ns.OtherPrimary(t, p.kind, "zwei.example", text, "mailsetup", secret)
	was, zone := look(t, r.Box), r.transferred(t, "zwei.example")
	for wrong, why := range map[string]string{
		strings.Replace(key, "b25l", "b25k", 1):       p.otherSecret,
		strings.Replace(key, "mailsetup", "other", 1): p.otherName,
	} {
		r.Write(t, updateKey, wrong, 0o600)
		_, said := product(t, r.Box, 1, addElsewhere...)
		says(t, said, why, "hint: ")
		if is := r.transferred(t, "zwei.example"); is != zone {
			t.Errorf("%s: the zone is\n%s\nwas\n%s", why, is, zone)
		}
	}
	asBefore(t, r.Box, was)
	r.Write(t, updateKey, key, 0o600)

	out, _ := product(t, r.Box, 0, addElsewhere...)
	runs := []string{runOf(out)}
	full := r.transferred(t, "zwei.example")
	for _, want := range []string{
		`zwei.example. 3600 IN MX 10 mail.lab.example.`, `zwei.example. 5 IN TXT "v=spf1 ip4:192.0.2.10 mx ~all"`,
		`_dmarc.zwei.example. 3600 IN TXT "v=DMARC1; p=none`, `._domainkey.zwei.example. 3600 IN TXT "v=DKIM1`,
	} {
		if strings.Count(full, want) != 1 {
			t.Errorf("%s: not once %q in\n%s", p.kind, want, full)
		}
	}
	r.forget(t)
	leavesSignedBy(t, r.Box, sink, "zwei.example")
	nothingChanges(t, r.Box, "init", "--yes")
	out, _ = product(t, r.Box, 0, "init", "--yes", "--domain", "zwei.example", "--dmarc", "quarantine", "--ttl", "600")
	runs = append(runs, runOf(out))
	is := r.transferred(t, "zwei.example")
	if strings.Count(is, `_dmarc.zwei.example. 600 IN TXT "v=DMARC1; p=quarantine`) != 1 || strings.Contains(is, "p=none") || strings.Contains(is, " 3600 ") {
		t.Errorf("%s: another policy and TTL are not there:\n%s", p.kind, is)
	}
	for i, want := range []string{full, zone} {
		product(t, r.Box, 0, "rollback", "--yes", runs[len(runs)-1-i])
		if is := r.transferred(t, "zwei.example"); is != want {
			t.Errorf("%s, after rollback %d:\n%s\nwant\n%s", p.kind, i+1, is, want)
		}
	}
}

// transferred is a zone as the name server gives it away, without its SOA.
func (r remote) transferred(t *testing.T, origin string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(r.ns.Run(t, "dig", "+noall", "+answer", "@127.0.0.1", "AXFR", origin)) {
		if line = strings.Join(strings.Fields(line), " "); !strings.Contains(line, " IN SOA ") {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
