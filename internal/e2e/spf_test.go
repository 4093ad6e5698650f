//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/e2e/lab"
)

// spfRecords are evaluated for 192.0.2.10 and 2001:db8::10. The mail exchangers of
// each name, a to c.lab.example, have no AAAA record.
var spfRecords = []string{
	"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx -all",
	"v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 -all",
	"v=spf1 mx:lab.example a:mail.lab.example -all",
	"v=spf1 a:a.lab.example a:b.lab.example a:mail.lab.example -all",
	"v=spf1 a:a.lab.example a:b.lab.example a:c.lab.example a:mail.lab.example -all",
	"v=spf1 a:a.lab.example a:a.lab.example a:a.lab.example a:mail.lab.example -all",
	"v=spf1 exists:%{ir}.x.lab.example exists:a.lab.example -all",
	"v=spf1 exists:%{ir}.x.lab.example exists:x.lab.example exists:y.lab.example a:mail.lab.example -all",
	"v=spf1 include:p1.lab.example -all",
	"v=spf1 include:bad.lab.example ip4:192.0.2.10 ip6:2001:db8::10 -all",
	"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:bad.lab.example -all",
	"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:dead.lab.example foo:bar -all",
	"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all a:mail",
	"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:dead.lab.example -all",
	"v=spf1 mx a:nowhere.lab.example redirect=p0.lab.example",
	"v=spf1 a:nowhere.lab.example redirect=p0.lab.example",
	"v=spf1 ?ip4:192.0.2.10 ?ip6:2001:db8::10 mx -all",
	"v=spf1 ip4:192.0.2.0/024 ip6:2001:db8::/32 -all",
}

// TestSPFAsReceiversSay: what the product says of a record is what Debian's
// python3-spf says, and our own record passes there, whatever the mail exchangers
// are like. /etc/hosts, where the server has other addresses, has no say. Both
// releases have the same python3-spf, 2.0.14, and no other program has a say.
func TestSPFAsReceiversSay(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{
			Release: release, Image: lab.Mail, Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10/32", "2001:db8::10/128"},
		})
		lines := []string{
			"@ IN MX 10 a", "@ IN MX 10 b", "@ IN MX 20 c", "a IN A 198.51.100.1", "b IN A 198.51.100.2", "c IN A 198.51.100.3",
			`bad IN TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 foo:bar"`,
		}
		var names []string
		for i, record := range spfRecords {
			name := fmt.Sprintf("p%d", i)
			lines = append(lines, name+` IN TXT "`+record+`"`, name+" IN MX 10 a", name+" IN MX 10 b", name+" IN MX 20 c")
			names = append(names, name+".lab.example")
		}
		b.Named(t, "lab.example", lines...)
		b.Install(t)
		b.Apt(t, "postfix-policyd-spf-python")
		b.Sh(t, "echo 127.0.1.1 mail.lab.example a.lab.example b.lab.example c.lab.example >>/etc/hosts")
		for _, ip := range []string{"192.0.2.10", "2001:db8::10"} {
			if d := cmp.Diff(lab.PythonSPF(t, b, ip, names...), lab.ProductSPF(t, b, ip, names...)); d != "" {
				t.Errorf("%s: python3-spf (-) and the product (+): %s", ip, d)
			}
		}

		args := initArgs("--ip", "2001:db8::10", "--receive", "yes")
		product(t, b, 0, args...)
		serves(t, b, "TXT", "lab.example", "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all")
		for _, ip := range []string{"192.0.2.10", "2001:db8::10"} {
			if said := lab.PythonSPF(t, b, ip, "lab.example", "mail.lab.example"); said["lab.example"] != "pass" || said["mail.lab.example"] != "pass" {
				t.Errorf("python3-spf says of our records for %s: %v", ip, said)
			}
		}
		nothingChanges(t, b, args...)

		// A record of the administrator's in another order is left as it is.
		product(t, b, 0, "rollback", "--yes")
		publish(t, b, "@ IN TXT \""+spfRecords[1]+"\"\n")
		out, _ := product(t, b, 0, "init", "--dry-run", "--domain", "lab.example", "--ip", "192.0.2.10", "--ip", "2001:db8::10", "--receive", "yes")
		says(t, strings.Join(strings.Fields(out), " "), "mail from 2001:db8::10 fails SPF as lab.example at many receivers", "ip6:2001:db8::10 right behind v=spf1")
		saysNot(t, out, "does not let")
	})
}
