package spfcheck

import (
	"fmt"
	"net/netip"
	"testing"
)

// oneFamily are three mail exchangers without an AAAA record. Debian's python3-spf
// 2.0.14 says permerror wherever an address is wanted here as Denied or Late,
// and pass of the others (internal/e2e compares).
var oneFamily = []string{
	"lab.example. MX 10 a.example.", "lab.example. MX 10 b.example.", "lab.example. MX 20 c.example.",
	"a.example. A 198.51.100.1", "b.example. A 198.51.100.2", "c.example. A 198.51.100.3",
	"six.example. AAAA 2001:db8::66", "us.example. AAAA 2001:db8::10", "us.example. A 192.0.2.10",
}

func TestSPFOfReceiversThatAskOneFamily(t *testing.T) {
	for _, c := range []struct{ record, denied, late, problem string }{
		{"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 mx -all", "[]", "[]", ""},
		{"v=spf1 mx ip4:192.0.2.10 ip6:2001:db8::10 -all", "[]", "[2001:db8::10]", ""},
		{"v=spf1 mx ip4:192.0.2.10 a:us.example -all", "[2001:db8::10]", "[]", ""},
		{"v=spf1 a:a.example a:b.example a:us.example -all", "[]", "[]", ""},
		{"v=spf1 a:a.example a:b.example a:c.example a:us.example -all", "[2001:db8::10]", "[]", ""},
		{"v=spf1 a:six.example a:six.example a:six.example ip4:192.0.2.10 ip6:2001:db8::10 -all", "[]", "[192.0.2.10]", ""},
		{"v=spf1 include:v.example ip4:192.0.2.10 ip6:2001:db8::10 -all", "[]", "[2001:db8::10]", ""},
		{"v=spf1 ?ip6:2001:db8::10 mx ip4:192.0.2.10 -all", "[2001:db8::10]", "[]", ""},
		// An IPv4 client is compared with ip4 only (section 5.6), also with ip6 in this form.
		{"v=spf1 ip6:::ffff:192.0.2.10 ip6:2001:db8::10 -all", "[192.0.2.10]", "[]", ""},
		{"v=spf1 ?ip6:::ffff:192.0.2.0/120 ip4:192.0.2.10 ip6:2001:db8::10 -all", "[]", "[]", ""},
		// exists asks for A whatever the sender's family (section 5.7).
		{"v=spf1 exists:%{ir}.x.example exists:a.example -all", "[]", "[]", ""},
		{"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 include:w.example -all", "[]", "[]", `w.example: "foo:bar": SPF has no such mechanism`},
		{"v=spf1 include:w.example ip4:192.0.2.10 ip6:2001:db8::10 -all", "[192.0.2.10 2001:db8::10]", "[]", `w.example: "foo:bar": SPF has no such mechanism`},
		{
			"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all foo:bar", "[192.0.2.10 2001:db8::10]", "[]", `"foo:bar": SPF has no such mechanism`,
		},
	} {
		r := world(append([]string{
			"lab.example. TXT " + c.record, "v.example. TXT v=spf1 mx:lab.example -all", "w.example. TXT v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 foo:bar -all",
		}, oneFamily...)...)
		q := Query{Names: []string{"lab.example"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}}
		f := Evaluate(t.Context(), r, q)["lab.example"]
		got := [3]string{fmt.Sprint(f.Denied), fmt.Sprint(f.Unreached), f.Problem}
		if want := [3]string{c.denied, c.late, c.problem}; got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.record, got, want)
		}
	}
}
