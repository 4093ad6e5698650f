package policydspf_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"mailsetup/internal/policydspf"
)

// debian is what the package brings, on 12 and 13 alike.
const debian = `#  For a fully commented sample config file see policyd-spf.conf.commented

debugLevel = 1 
TestOnly = 1

HELO_reject = Fail
Mail_From_reject = Fail

PermError_reject = False
TempError_Defer = False

skip_addresses = 127.0.0.0/8,::ffff:127.0.0.0/104,::1

`

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{debian, "[]"},
		{"Whitelist = 192.0.2.0/24,2001:db8::/32,198.51.100.7,10.0.0.0/255.0.0.0\nHELO_Whitelist=a.example,b.example # ours\n", "[]"},
		{"Mail_From_reject = fail\n", `[1: Mail_From_reject: "fail" means nothing: the case counts, it is Fail]`},
		{"\nMail_From_reject = No\n", `[2: Mail_From_reject: "No" is none of Fail, Softfail, SPF_Not_Pass, False, No_Check, and means nothing]`},
		{"PermError_reject = true\n", `[1: PermError_reject: "true" means nothing: the case counts, it is True]`},
		{"mail_from_reject = Fail\n", `[1: mail_from_reject is ignored: the case of a key counts]`},
		{"Mail_From = Fail\n", `[1: "Mail_From" is no key of policyd-spf, and is ignored]`},
		{"TestOnly\n", `[1: "TestOnly" sets nothing, and is ignored]`},
		{"Authserv_Id = a=b\n", `[1: Authserv_Id: a line with two equals signs is ignored]`},
		{"debugLevel = x\n", `[1 (fatal): debugLevel: "x" is no number, so policyd-spf ends and all mail is deferred]`},
		{"Void_Limit =\n", `[1 (fatal): Void_Limit: "" is no number, so policyd-spf ends and all mail is deferred]`},
		{"skip_addresses = 127.0.0.0/8, 10.0.0.0/8\n", `[1: skip_addresses: " 10.0.0.0/8" has a blank beside it: it and all entries behind it count for nothing]`},
		{"Whitelist = 192.0.2.1/24\n", `[1: Whitelist: "192.0.2.1/24" has bits behind its length (192.0.2.0/24 is meant): it and all entries behind it count for nothing]`},
		{"Whitelist = 192.0.2.1/255.255.255.0\n", `[1: Whitelist: "192.0.2.1/255.255.255.0" has bits behind its length (192.0.2.0/24 is meant): it and all entries behind it count for nothing]`},
		{"Whitelist = mail.example\n", `[1: Whitelist: "mail.example" is no network: it and all entries behind it count for nothing]`},
		{"Whitelist = 192.0.2.1,\n", `[1: Whitelist: "" is an empty entry: it and all entries behind it count for nothing]`},
		{"HELO_Whitelist = Mail.example\n", `[1: HELO_Whitelist: "Mail.example" never matches: policyd-spf has the name in lower case (mail.example)]`},
		{"Domain_Whitelist = a.example, b.example\n", `[1: Domain_Whitelist: " b.example" is no name: entries are separated by commas, without blanks]`},
		{"Mock = False\n", `[1: Mock: any value switches all checks off, also False]`},
	} {
		_, faults := policydspf.Parse(c.text)
		var got []string
		for _, f := range faults {
			at := fmt.Sprint(f.Line)
			if f.Fatal {
				at += " (fatal)"
			}
			got = append(got, at+": "+f.Text)
			if !strings.HasPrefix(f.Error(), "/etc/postfix-policyd-spf-python/policyd-spf.conf:") || len(f.Hints()) != 1 {
				t.Errorf("%q: %v, %q", c.text, f, f.Hints())
			}
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%q:\n got %v\nwant %v", c.text, got, c.want)
		}
	}
}

func TestWanted(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10"), netip.MustParseAddr("127.0.0.1")}
	const skip = " {skip_addresses 127.0.0.0/8,::ffff:127.0.0.0/104,::1,192.0.2.10,2001:db8::10,127.0.0.1}"
	for name, c := range map[string]struct {
		text            string
		want            policydspf.Want
		lines, overrule string
	}{
		"marked":                {debian, policydspf.Want{Own: own}, "[{HELO_reject False} {Mail_From_reject False}" + skip + "]", "[]"},
		"refused":               {debian, policydspf.Want{Reject: true, Own: own}, "[" + skip[1:] + "]", "[]"},
		"nothing there":         {"", policydspf.Want{Reject: true}, "[]", "[]"},
		"marked, nothing there": {"", policydspf.Want{}, "[{HELO_reject False} {Mail_From_reject False}]", "[]"},
		"refuses more": {
			"HELO_reject = No_Check\nMail_From_reject = Softfail\n",
			policydspf.Want{Reject: true},
			"[]", "[]",
		},
		"a decision of the administrator's": {
			"# x\nMail_From_reject = Softfail\nHELO_reject = Null\nTestOnly = 0\nHeader_Type = AR\n",
			policydspf.Want{},
			"[{HELO_reject False} {Mail_From_reject False} {TestOnly 1} {Header_Type SPF}]",
			"[{HELO_reject Null 3 False} {Mail_From_reject Softfail 2 False} {TestOnly 0 4 1} {Header_Type AR 5 SPF}]",
		},
		"trusted beside those that are there": {
			"Whitelist = 203.0.113.0/24\n", policydspf.Want{Reject: true, Trusted: []netip.Prefix{
				netip.MustParsePrefix("198.51.100.7/32"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:1::5/48"),
			}}, "[{Whitelist 203.0.113.0/24,198.51.100.7,2001:db8:1::/48}]", "[]",
		},
		"the last of two counts": {"Mail_From_reject = False\nMail_From_reject = Fail\n", policydspf.Want{Reject: true}, "[]", "[]"},
	} {
		conf, faults := policydspf.Parse(c.text)
		if len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
		lines, overruled := c.want.Settings(conf)
		if fmt.Sprint(lines) != c.lines || fmt.Sprint(overruled) != c.overrule {
			t.Errorf("%s:\n got %v, %v\nwant %s, %s", name, lines, overruled, c.lines, c.overrule)
		}
		for _, l := range lines {
			c.text += l.Name + " = " + l.Value + "\n"
		}
		conf, faults = policydspf.Parse(c.text)
		if again, _ := c.want.Settings(conf); len(again) > 0 || len(faults) > 0 {
			t.Errorf("%s: still lacks %v; %v", name, again, faults)
		}
	}
}
