package policy

import "testing"

func TestRepairSPF(t *testing.T) {
	for text, want := range map[string]string{
		"v=spf1 ipv4:192.0.2.1 -all":                       "v=spf1 ip4:192.0.2.1 -all",
		"v=spf1 192.0.2.1 -all":                            "v=spf1 ip4:192.0.2.1 -all",
		"v=spf1 ip:192.0.2.0/24 -all":                      "v=spf1 ip4:192.0.2.0/24 -all",
		"v=spf1 ip4:2001:db8::1/128 -all":                  "v=spf1 ip6:2001:db8::1/128 -all",
		"v=spf1 ip6:192.0.2.1 -all":                        "v=spf1 ip4:192.0.2.1 -all",
		"v=spf1 a:192.0.2.1 -all":                          "v=spf1 ip4:192.0.2.1 -all",
		"v=spf1 ip4:192.0.2.0/024 -all":                    "v=spf1 ip4:192.0.2.0/24 -all",
		"v=spf1 include: _spf.vendor.example mx -all":      "v=spf1 include:_spf.vendor.example mx -all",
		"v=spf1 mx redirect:_spf.vendor.example":           "v=spf1 mx redirect=_spf.vendor.example",
		"v=spf1 mx;-all":                                   "v=spf1 mx -all",
		"v=spf1 mx, a, -all":                               "v=spf1 mx a -all",
		"v=spf1 mx –all":                                   "v=spf1 mx -all",
		"v=spf1 mx -all.":                                  "v=spf1 mx -all",
		"v=spf1 mx -all;":                                  "v=spf1 mx -all",
		"v=spf1 mx -allinclude:x.example":                  "v=spf1 mx -all include:x.example",
		"v=spf1 mx\u00a0-all":                              "v=spf1 mx -all",
		"v=spf1 ipv4:192.0.2.1 mx:m.example, ip6:1.2.3.4":  "v=spf1 ip4:192.0.2.1 mx:m.example ip4:1.2.3.4",
		"v=spf1 foo:bar -all":                              "",
		"v=spf1 include:vendor -all":                       "",
		"v=spf1 ip4:192.0.2.0/33 -all":                     "",
		"v=spf1 redirect=a.example redirect=b.example":     "",
		"v=spf1 exists:%{i._x.example -all":                "",
		"v=spf1 ip4:192.0.2.999 -all":                      "",
		"v=spf1 include: -all":                             "",
		"v=spf1 ip6:fe80::1%eth0 -all":                     "",
		"v=spf1 ipv4:192.0.2.1 foo -all":                   "",
		"v=spf1 a:mail.lab.example/24//64 ~all x-new=%{d}": "v=spf1 a:mail.lab.example/24//64 ~all x-new=%{d}",
	} {
		got, ok := RepairSPF(text)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestMisbegunSPF(t *testing.T) {
	for _, c := range []struct{ text, why, repaired string }{
		{" v=spf1 mx -all", "a space is before v=spf1", "v=spf1 mx -all"},
		{`"v=spf1 mx -all"`, "a quotation mark is before v=spf1", "v=spf1 mx -all"},
		{"\ufeffv=spf1 mx -all", "a character that is not seen is before v=spf1", "v=spf1 mx -all"},
		{"v=spf1; mx -all", `v=spf1 is followed by ";" and not by a space`, "v=spf1 mx -all"},
		{"v=spf1\u00a0mx -all", "v=spf1 is followed by a no-break space and not by a space", "v=spf1 mx -all"},
		{"v=spf1\tmx -all", "v=spf1 is followed by a tab and not by a space", "v=spf1 mx -all"},
		{"v=spf1-all", `v=spf1 is followed by "-" and not by a space`, "v=spf1 -all"},
		{"spf1 mx -all", `"v=" is missing in front`, "v=spf1 mx -all"},
		{"v = spf1 mx -all", "there are spaces around the = of v=spf1", "v=spf1 mx -all"},
		{"SPF: v=spf1 ipv4:192.0.2.1 -all", "something is before v=spf1", "v=spf1 ip4:192.0.2.1 -all"},
		{"v=spf1; foo", `v=spf1 is followed by ";" and not by a space`, ""},
		{"v=spf1 mx -all", "", ""},
		{"v=spf10 mx -all", "", ""},
		{"spf2.0/pra mx -all", "", ""},
		{"google-site-verification=v=spf1", "", ""},
		{"", "", ""},
	} {
		if why, repaired := MisbegunSPF(c.text); why != c.why || repaired != c.repaired {
			t.Errorf("%q: %q, %q; want %q, %q", c.text, why, repaired, c.why, c.repaired)
		}
	}
}
