//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/e2e/lab"
)

// spfCase is the SPF record of a name pN.lab.example, N being its place, and what
// RFC 7208 says of it for 192.0.2.10 and for 2001:db8::10.
type spfCase struct {
	record string // strings of one record are cut by " "
	second string // record of the same name
	v4, v6 string
	// python and perl are what python3-spf 2.0.14 and Mail::SPF 3.20250505 say
	// instead, where they differ from the RFC: "pass/" of IPv4 alone.
	python, perl string
}

const passes = "ip4:192.0.2.10 ip6:2001:db8::10"

// spfCases: the mail exchangers of each name, a to c.lab.example, have no AAAA record.
var spfCases = []spfCase{
	{record: "v=spf1 " + passes + " mx -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 mx " + passes + " -all", v4: "pass", v6: "permerror"},
	{record: "v=spf1 mx:lab.example a:mail.lab.example -all", v4: "pass", v6: "permerror"},
	{record: "v=spf1 a:a.lab.example a:b.lab.example a:mail.lab.example -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 a:a.lab.example a:b.lab.example a:c.lab.example a:mail.lab.example -all", v4: "pass", v6: "permerror"},
	{record: "v=spf1 a:a.lab.example a:a.lab.example a:a.lab.example a:mail.lab.example -all", v4: "pass", v6: "permerror"},
	{record: "v=spf1 exists:%{ir}.x.lab.example exists:a.lab.example -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 exists:%{ir}.x.lab.example exists:x.lab.example exists:y.lab.example a:mail.lab.example -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 include:p1.lab.example -all", v4: "pass", v6: "permerror"},
	{record: "v=spf1 include:bad.lab.example " + passes + " -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + " include:bad.lab.example -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 " + passes + " include:dead.lab.example foo:bar -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + " -all a:mail", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + " include:dead.lab.example -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 mx a:nowhere.lab.example redirect=p0.lab.example", v4: "pass", v6: "permerror"},
	{record: "v=spf1 a:nowhere.lab.example redirect=p0.lab.example", v4: "pass", v6: "pass"},
	{record: "v=spf1 ?ip4:192.0.2.10 ?ip6:2001:db8::10 mx -all", v4: "neutral", v6: "neutral"},
	{record: "v=spf1 ip4:192.0.2.0/024 ip6:2001:db8::/32 -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 ip6:::ffff:192.0.2.10 ip6:2001:db8::10 -all", v4: "fail", v6: "pass"}, // section 5
	{record: "v=spf1 -ip4:192.0.2.10 ~ip6:2001:db8::10 ?all", v4: "fail", v6: "softfail"},
	{record: "v=spf1 ip4:192.0.2.10", v4: "pass", v6: "neutral"},
	{record: "v=spf1 include:p19.lab.example ~all", v4: "softfail", v6: "softfail"},
	{record: "v=spf1 redirect=dead.lab.example", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 -all redirect=p0.lab.example", v4: "fail", v6: "fail"},
	{record: "v=spf1 exists:%{l}.%{o}.%{v}._spf.lab.example -all", v4: "pass", v6: "fail"},
	{record: "v=spf1 exists:%{ir}.%{v}.m.lab.example -all", v4: "pass", v6: "fail"},
	{record: "v=spf1 exists:%{d1r}.t.lab.example -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 exists:%{d1R}.t.lab.example -all", v4: "pass", v6: "pass", python: "fail/fail", perl: "permerror/permerror"}, // section 12: letters in any case
	{record: "v=spf1 a:mail.%{d2} -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 a:a.lab.example/0 -all", v4: "pass", v6: "fail"},
	{record: "v=spf1 ptr:lab.example -all", v4: "pass", v6: "fail"}, // the address of IPv6 has no name
	{record: "v=spf1 " + passes + " -all", second: "v=spf1 mx -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + ` -all" "include:p0.lab.example`, v4: "permerror", v6: "permerror"},
	{record: `v=spf1 ip4:192.0.2.10 i" "p6:2001:db8::10 -all`, v4: "pass", v6: "pass"},
	{record: "v=spf1 " + passes + " exp=a.lab.example exp=b.lab.example -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + " exp=%{ -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + " x-new=%{d} -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 ip4=192.0.2.10 ip6=2001:db8::10 ~all", v4: "softfail", v6: "softfail"},
	{record: "v=spf1 " + passes + " –all", v4: "permerror", v6: "permerror"},
	{record: " v=spf1 " + passes + " -all", v4: "none", v6: "none"},
	{record: "v=spf10 " + passes + " -all", v4: "none", v6: "none"},
	{record: "V=SPF1 IP4:192.0.2.10  Ip6:2001:DB8::10 -ALL ", v4: "pass", v6: "pass"},
	{record: "v=spf1 mx:many.lab.example " + passes + " -all", v4: "permerror", v6: "permerror", perl: "pass/"},
	{record: "v=spf1 mx:null.lab.example " + passes + " -all", v4: "pass", v6: "pass", perl: "temperror/temperror"},
	{record: "v=spf1 include:n1.lab.example include:n2.lab.example include:n3.lab.example include:n4.lab.example include:n5.lab.example include:n6.lab.example " +
		`include:n7.lab.example inc" "lude:n8.lab.example include:n9.lab.example include:n10.lab.example ` + passes + " -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 include:n1.lab.example include:n2.lab.example include:n3.lab.example include:n4.lab.example include:n5.lab.example include:n6.lab.example " +
		`include:n7.lab.example inc" "lude:n8.lab.example include:n9.lab.example include:n10.lab.example a:mail.lab.example ` + passes + " -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 include:p46.lab.example " + passes + " -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 include:alias.lab.example -all", v4: "pass", v6: "pass"},
	{record: "v=spf1 ip4:2001:db8::10 ip6:2001:db8::10 -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 " + passes + " ipv4:192.0.2.10 -all", v4: "permerror", v6: "permerror"},
	{record: "v=spf1 all", v4: "pass", v6: "pass"},
	{record: "v=spf1", v4: "neutral", v6: "neutral"},
	{record: "v=spf1 exists:%{d0}.t.lab.example " + passes + " -all", v4: "permerror", v6: "permerror", python: "pass/pass"},
}

// TestSPFAsReceiversSay: what the product says of a record is what the RFC says, beside
// Debian's python3-spf and Mail::SPF; our own record passes there, whatever the mail
// exchangers are like. /etc/hosts, where the server has other addresses, has no say.
// No other program has a say. Debian 12 has the same python3-spf and Mail::SPF 2.9.0,
// which passes ip6:::ffff:192.0.2.10 for 192.0.2.10 (findings/spf-ip6-with-mapped-ipv4.sh).
func TestSPFAsReceiversSay(t *testing.T) {
	once(t, func(t *testing.T, release string) {
		b := lab.Boot(t, lab.Options{
			Release: release, Image: lab.Mail, Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10/32", "2001:db8::10/128"},
		})
		lines := []string{
			"@ IN MX 10 a", "@ IN MX 10 b", "@ IN MX 20 c", "a IN A 198.51.100.1", "b IN A 198.51.100.2", "c IN A 198.51.100.3",
			`bad IN TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 foo:bar"`, "*.in-addr._spf IN A 127.0.0.2", "10.2.0.192.in-addr.m IN A 127.0.0.2",
			"p26.t IN A 127.0.0.2", "p27.t IN A 127.0.0.2", "null IN MX 0 .", "alias IN CNAME p0",
		}
		for i := range 11 {
			lines = append(lines, fmt.Sprintf("many IN MX %d a", i), fmt.Sprintf(`n%d IN TXT "v=spf1 ?all"`, i))
		}
		var names []string
		for i, c := range spfCases {
			name := fmt.Sprintf("p%d", i)
			lines = append(lines, name+` IN TXT "`+c.record+`"`, name+" IN MX 10 a", name+" IN MX 10 b", name+" IN MX 20 c")
			if c.second != "" {
				lines = append(lines, name+` IN TXT "`+c.second+`"`)
			}
			names = append(names, name+".lab.example")
		}
		b.Named(t, "lab.example", lines...)
		b.Install(t)
		b.Apt(t, "postfix-policyd-spf-python", "libmail-spf-perl")
		b.Sh(t, "echo 127.0.1.1 mail.lab.example a.lab.example b.lab.example c.lab.example >>/etc/hosts")
		if is := b.Sh(t, "dpkg-query -W -f '${Version} ' python3-spf libmail-spf-perl"); !strings.HasPrefix(is, "3.20250505-") || !strings.Contains(is, " 2.0.14-") {
			t.Errorf("python3-spf and Mail::SPF are %s: look at what they say anew", is)
		}
		for i, ip := range []string{"192.0.2.10", "2001:db8::10"} {
			ours, python, perl := lab.ProductSPF(t, b, ip, names...), lab.PythonSPF(t, b, ip, names...), lab.PerlSPF(t, b, ip, names...)
			table := "| record | RFC 7208 | python3-spf | Mail::SPF |\n"
			for n, c := range spfCases {
				name, want := names[n], []string{c.v4, c.v6}[i]
				other := func(differs string) string {
					parts := strings.Split(differs+"//", "/")
					return cmp.Or(parts[i], want)
				}
				table += fmt.Sprintf("| %.60s | %s | %s | %s |\n", c.record, want, python[name], perl[name])
				if got := [3]string{ours[name], python[name], perl[name]}; got != [3]string{want, other(c.python), other(c.perl)} {
					t.Errorf("%s for %s: the product, python3-spf and Mail::SPF say %v; want %s, %s, %s", c.record, ip, got, want, other(c.python), other(c.perl))
				}
			}
			t.Logf("%s:\n%s", ip, table)
		}

		args := initArgs("--ip", "2001:db8::10", "--receive", "yes")
		product(t, b, 0, args...)
		serves(t, b, "TXT", "lab.example", "v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx ~all")
		for _, ip := range []string{"192.0.2.10", "2001:db8::10"} {
			for who, said := range map[string]map[string]string{
				"python3-spf": lab.PythonSPF(t, b, ip, "lab.example", "mail.lab.example"), "Mail::SPF": lab.PerlSPF(t, b, ip, "lab.example", "mail.lab.example"),
			} {
				if said["lab.example"] != "pass" || said["mail.lab.example"] != "pass" {
					t.Errorf("%s says of our records for %s: %v", who, ip, said)
				}
			}
		}
		nothingChanges(t, b, args...)
		if found, _ := check(t, b, "--only", "spf"); len(found) < 15 || wrong(found, finding.Problem, finding.Warning, finding.Unknown) != "" {
			t.Errorf("check of our own records: %d findings\n%s", len(found), wrong(found, finding.Problem, finding.Warning, finding.Unknown))
		}

		// A record of the administrator's in another order is left as it is.
		product(t, b, 0, "rollback", "--yes")
		publish(t, b, "@ IN TXT \""+spfCases[1].record+"\"\n")
		out, _ := product(t, b, 0, "init", "--dry-run", "--domain", "lab.example", "--ip", "192.0.2.10", "--ip", "2001:db8::10", "--receive", "yes")
		says(t, strings.Join(strings.Fields(out), " "), "mail from 2001:db8::10 fails SPF as lab.example at many receivers", "ip6:2001:db8::10 right behind v=spf1")
		saysNot(t, out, "does not let")
	})
}
