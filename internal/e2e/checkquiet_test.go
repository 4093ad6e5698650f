//go:build e2e

package e2e

import (
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// unusual are ways to have the zone and the server of lab.example that are right, and of
// which other programs of this kind complain.
var unusual = []struct{ name, inject, mend string }{
	{"a hidden primary", `
sed -i '/^@ IN NS mail$/d' $zone; sed -i '/^lab NS mail/d' /etc/ns2/db.example; zones`, ""},
	{"keys in a zone of their own on another server", `
printf '%s\n' '$TTL 60' '@ IN SOA ns2.lab.example. h.lab.example. 1 3600 900 604800 60' '@ IN NS ns2.lab.example.' >/etc/ns2/db.keys
record ''; grep _domainkey $fragment >>/etc/ns2/db.keys; record '/_domainkey/d'; add '_domainkey IN NS ns2'
echo 'zone "_domainkey.lab.example" { type primary; file "/etc/ns2/db.keys"; };' >>/etc/ns2/named.conf; zones`, ""},
	{"several PTR records, the right one last", `
sed -i 's/^10 IN PTR.*/10 IN PTR a.lab.example.\n&/' $reverse; add 'a IN A 192.0.2.10'; zones`, ""},
	{"a reverse zone behind an alias (RFC 2317)", `
sed -i 's/^10 IN PTR.*/10 IN CNAME 10.0-63\n10.0-63 IN PTR mail.lab.example./' $reverse; zones`, ""},
	{"a key record that is an alias", `
record ''; sed -n 's/^[^ ]*_domainkey[^ ]* /key /p' $fragment >/root/key; record '/_domainkey/d'
add "$(cat /root/key)" "$(date +%Y%m)._domainkey IN CNAME key"; zones`, ""},
	{"a wildcard of addresses, and one of texts that mean nothing here", `
add '* IN A 192.0.2.10' '* IN TXT "hello"'; zones`, ""},
	{"SPF by redirect, and other texts beside it", `
record '/^lab.example. .*v=spf1/d'; add '@ IN TXT "v=spf1 redirect=_spf.lab.example"' '@ IN TXT "site-verification=1"' '_spf IN TXT "v=spf1 ip4:192.0.2.0/24 ~all"'; zones`, ""},
	{"a key in three strings, with blanks, upper case of names, and k= left out", `
record 's/_domainkey.*v=DKIM1; h=sha256; k=rsa; p=\(.\{30\}\)/_DomainKey.LAB.Example. 60 IN TXT ( "v=DKIM1; p=" "\1 " "/'; zones`, ""},
}

// quiet: nothing is said of them.
func quiet(t *testing.T, b *lab.Box) {
	t.Helper()
	for _, u := range unusual {
		b.Sh(t, checkLab+u.inject)
		found, _ := check(t, b)
		if is := wrong(found, finding.Problem, finding.Warning, finding.Unknown); is != "" {
			t.Errorf("%s:\n%s", u.name, is)
		}
		b.Sh(t, checkLab+u.mend+"\n"+checkRestore)
	}
}
