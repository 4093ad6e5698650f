//go:build e2e

package e2e

import (
	"regexp"
	"strings"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// ownRecords adds domains with records that were asked for by flags, and
// without --subdomains: nothing signs mail of what is below them.
func ownRecords(t *testing.T, b *lab.Box, sink *lab.Sink) {
	t.Helper()
	b.Sh(t, "postconf -e 'virtual_alias_domains = lean.example, full.example' 'virtual_alias_maps = inline:{ {@lean.example = ann}, {@full.example = ann} }'; postfix reload")
	product(t, b, 0, "add-domain", "--yes", "lean.example", "--spf-redirect", "--dmarc", "reject", "--rua", "mailto:dmarc@lean.example")
	product(t, b, 0, "add-domain", "--yes", "full.example", "--spf-all", "fail", "--spf-include", "_spf.vendor.example",
		"--dmarc", "quarantine", "--rua", "mailto:a@full.example", "--rua", "mailto:b@full.example")
	for name, want := range map[string]string{
		"lean.example":        `"v=spf1 redirect=lab.example"`,
		"_dmarc.lean.example": `"v=DMARC1; p=reject; rua=mailto:dmarc@lean.example"`,
		"full.example":        `"v=spf1 ip4:192.0.2.10 mx include:_spf.vendor.example -all"`,
		"_dmarc.full.example": `"v=DMARC1; p=quarantine; rua=mailto:a@full.example,mailto:b@full.example"`,
	} {
		if is := strings.TrimSpace(b.Run(t, "dig", "+short", "@127.0.0.1", "TXT", name)); is != want {
			t.Errorf("TXT of %s: %s, want %s", name, is, want)
		}
	}
	for _, domain := range []string{"lean.example", "full.example"} {
		signedBy(t, b, sent(t, b, sink, "ann@"+domain), domain)
		if found := lab.VerifyDKIM(t, b, sent(t, b, sink, "ann@dept."+domain)); len(found) != 0 {
			t.Errorf("mail of dept.%s is signed: %+v", domain, found)
		}
	}
}

// asTheHostSays adds a domain that begins with what host.toml says, and leaves
// that file as it was.
func asTheHostSays(t *testing.T, b *lab.Box) {
	t.Helper()
	b.Sh(t, `cd /etc/mailsetup; cp -p host.toml /root/host
{ printf 'selector = "mail"\nttl = 600\nkey_bits = 3072\n'; cat /root/host
printf '[spf]\nredirect = "lab.example"\n[dmarc]\npolicy = "quarantine"\n'; } >host.toml`)
	out, _ := product(t, b, 0, "add-domain", "--yes", "usual.example")
	says(t, strings.Join(strings.Fields(out), " "), "no MX record for usual.example: Postfix does not take that mail", "once it does: mailsetup init --domain usual.example --receive yes")
	if mx := dig(t, b, "MX", "usual.example"); len(mx) > 0 {
		t.Errorf("MX of usual.example: %q", mx)
	}
	for name, want := range map[string]string{
		"usual.example":                 `"v=spf1 redirect=lab\.example"$`,
		"_dmarc.usual.example":          `"v=DMARC1; p=quarantine;? ?[^"]*"$`,
		"mail._domainkey.usual.example": `"v=DKIM1; .*p=[A-Za-z0-9+/" ]{540,570}=*"$`, // 3,072 bits
	} {
		is := strings.TrimSpace(b.Run(t, "dig", "+noall", "+answer", "@127.0.0.1", "TXT", name))
		if !regexp.MustCompile(`\s600\s+IN\s+TXT\s+` + want).MatchString(is) {
			t.Errorf("%s, want 600 seconds of %s", is, want)
		}
	}
	b.Sh(t, "cat /root/host >/etc/mailsetup/host.toml")
}
