package policy

import (
	"strings"
	"testing"
)

func TestSPFLacks(t *testing.T) {
	for _, c := range []struct{ has, wants, want string }{
		{"v=spf1 mx ip4:192.0.2.10 ~all", "v=spf1 mx ip4:192.0.2.10 ~all", ""},
		{"v=spf1 include:V.example ip4:192.0.2.0/24 MX ~all", "v=spf1 mx ip4:192.0.2.10 include:v.example ~all", ""},
		{"v=spf1 -ip4:192.0.2.10 ip4:192.0.2.0/24 ~all", "v=spf1 ip4:192.0.2.10 ~all", "ip4:192.0.2.10"},
		{"v=spf1 mx -all", "v=spf1 mx ip4:192.0.2.10 include:v.example ~all", "ip4:192.0.2.10 include:v.example ~all"},
		{"v=spf1 redirect=a.example.", "v=spf1 redirect=A.example", ""},
		{"v=spf1 mx -all", "v=spf1 redirect=a.example", "redirect=a.example"},
	} {
		if got := strings.Join(parse(t, c.has).Missing(parse(t, c.wants)), " "); got != c.want {
			t.Errorf("%s beside %s: lacks %q, want %q", c.has, c.wants, got, c.want)
		}
	}
}

func TestDMARCLacks(t *testing.T) {
	for _, c := range []struct{ has, wants, want string }{
		{"v=DMARC1;p=none", "v=DMARC1; p=none", ""},
		{"v=DMARC1; p=None; fo=1; rua=mailto:b@x.example,mailto:a@x.example", "v=DMARC1; p=none; rua=mailto:a@x.example", ""},
		{"v=DMARC1; p=none; rua=mailto:b@x.example", "v=DMARC1; p=reject; rua=mailto:a@x.example; adkim=s", "p=reject rua=mailto:a@x.example adkim=s"},
	} {
		has, err := ParseDMARC(c.has)
		if err != nil {
			t.Fatal(err)
		}
		wants, err := ParseDMARC(c.wants)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(has.Missing(wants), " "); got != c.want {
			t.Errorf("%s beside %s: lacks %q, want %q", c.has, c.wants, got, c.want)
		}
	}
}
