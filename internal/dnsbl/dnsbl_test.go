package dnsbl_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsbl"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"zen.spamhaus.org":                         "zen.spamhaus.org=127.0.0.[2..11]",
		" ZEN.spamhaus.org. ":                      "zen.spamhaus.org=127.0.0.[2..11]",
		"zen.spamhaus.org=127.0.0.[2;4..7]":        "zen.spamhaus.org=127.0.0.[2;4..7]",
		"abcdefgh1234.zen.dq.spamhaus.net":         "abcdefgh1234.zen.dq.spamhaus.net=127.0.0.[2..11]",
		"bl.spamcop.net":                           "bl.spamcop.net=127.0.0.2",
		"bl.lab.example":                           "bl.lab.example=127.0.0.[2..11]",
		"bl.lab.example=127.0.[0..1].[2..254]":     "bl.lab.example=127.0.[0..1].[2..254]",
		"bl.lab.example=127.0.0.2":                 "bl.lab.example=127.0.0.2",
		"dbl.spamhaus.org":                         "dbl.spamhaus.org=127.0.1.[2..99]",
		"_email.abcdefgh1234.hbl.dq.spamhaus.net.": "_email.abcdefgh1234.hbl.dq.spamhaus.net=127.0.0.[2..11]",
	} {
		s, err := dnsbl.Parse(text)
		if err != nil || s.String() != want {
			t.Errorf("%q: %q, %v; want %q", text, s, err, want)
		}
		if again, err := dnsbl.Parse(s.String()); err != nil || again != s {
			t.Errorf("%q again: %+v, %v", text, again, err)
		}
	}
}

// A slip stops all mail that comes in, or refuses all of it, while postfix check is
// content: each is refused, with the right form.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"bl.lab.example=127.0.0.2-11":                      `"bl.lab.example=127.0.0.2-11" has codes that cannot be used: "2-11" is no number; a range is written [2..11]; hint: bl.lab.example=127.0.0.[2..11], or bl.lab.example alone, which means the same`,
		"bl.lab.example=127.0.0.[2-11]":                    `"2-11" is no number`,
		"bl.lab.example=127.0.0.*":                         `"*" is no number`,
		"bl.lab.example=127.0.0.0/24":                      `"0/24" is no number`,
		"bl.lab.example=127.0.0.[2..11":                    "a [ is not closed",
		"bl.lab.example=127.0.0.[]":                        "there is nothing between [ and ]",
		"bl.lab.example=127.0.0.[2..11]x":                  `"x" stands where a dot or the end should be`,
		"bl.lab.example=127.0.0.2]":                        `"2]" is no number`,
		"bl.lab.example=127.0.0.[2..256]":                  "256 is no number from 0 to 255",
		"bl.lab.example=127.0.0.[11..2]":                   "the range 11..2 goes down",
		"bl.lab.example=127.0.0.[2..]":                     "a number is missing",
		"bl.lab.example=127.0.0.[2;]":                      "a number is missing",
		"bl.lab.example=127.0.0.2;3":                       "numbers with ; between them stand in [ and ]",
		"bl.lab.example=127.0.0":                           "it has 3 parts, and an address has four",
		"bl.lab.example=127.0.0.2.3":                       "it has more than four parts",
		"bl.lab.example=":                                  "a number is missing",
		"bl.lab.example=127.0.0. 2":                        `" 2" is no number`,
		"bl.lab.example=127.0.0.2=3":                       `"2=3" is no number`,
		"bl.lab.example=127.0.0.[0..255]":                  "they have answers that are no listing",
		"bl.lab.example=127.[0..255].[0..255].[2..255]":    "they have answers that are no listing",
		"bl.lab.example=[0..255].0.0.2":                    "they have answers that are no listing",
		"bl.lab.example=127.255.255.254":                   "they have answers that are no listing",
		"":                                                 `"" has no name`,
		"localhost":                                        "is no zone",
		"bl..example":                                      "is no zone",
		"192.0.2.7":                                        "is an address",
		"bl.lab.example,x":                                 `has ',', which no zone has`,
		"https://bl.lab.example":                           `has ':', which no zone has`,
		strings.Repeat("abcdefghi.", 20) + "example":       "is longer than the name of a list can be",
		"dnsbl.sorbs.net":                                  `"dnsbl.sorbs.net" is dead: SORBS was closed in June 2024; hint: name another one, as in zen.spamhaus.org, or zen.spamhaus.org=127.0.0.[2..11], or none`,
		"ix.dnsbl.manitu.net":                              "NiX Spam is empty since January 2025",
		"dnsbl-3.uceprotect.net":                           "honest mail would be refused",
		"multi.uribl.com":                                  "a content filter sees",
		"secretkey123.zen.dq.spamhaus.net=127.0.0.[0..11]": `"zen.dq.spamhaus.net=127.0.0.[0..11]" has codes`,
	} {
		_, err := dnsbl.Parse(text)
		if fault, ok := errors.AsType[*dnsbl.Fault](err); !ok || !strings.Contains(fault.Error(), want) || strings.Contains(fault.Error(), "secret") {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
	}
}

// What smtpd(8) of Postfix 3.10 makes of a pattern, tried one by one: it refuses a client
// that is listed by these, and ends without a word at the others.
func TestPatternsAsPostfixReadsThem(t *testing.T) {
	reads := []string{"127.0.0.2", "127.0.0.[2..11]", "127.0.0.[2;3]", "127.0.0.002", "127.0.0.0002", "[127].[0].0.[2]"}
	for _, codes := range append(reads, "127.0.0.[ 2..11]", "127.0.0.[11..2]", "127.0.0.[2..]", "127.0.0.[2;]", "127.0.0.[]", "127.0.0.[2..11]x",
		"127.0.0.2;3", "127.0.0", "127.0.0.2.3", "127.0.0.[2..256]", "127.0.0.*", "127.0.0.2-11", "127.0.0.0/24", "127.0.0.[2..11", "127.0.0.2]",
		"127.0.0.[2,3]", "127.0.0.[2..3..4]", "127..0.2", "", "127.0.0.2.") {
		if why := dnsbl.CheckPattern(codes); (why == "") != slices.Contains(reads, codes) {
			t.Errorf("%q: %q", codes, why)
		}
	}
}

func TestCheckPattern(t *testing.T) {
	for codes, wide := range map[string]bool{
		"127.0.0.2": false, "127.0.0.[2..11]": false, "127.0.0.[2;4..7;10]": false, "127.[0].[0;1].2": false,
		"127.0.0.1": true, "127.0.0.[1..9]": true, "127.255.255.[252..254]": true, "[126..127].0.0.2": true,
	} {
		if why := dnsbl.CheckPattern(codes); why != "" || dnsbl.CatchesRefusals(codes) != wide {
			t.Errorf("%s: %q, catches refusals %v", codes, why, !wide)
		}
	}
}

func TestPostfix(t *testing.T) {
	parse := func(texts ...string) (all []dnsbl.Site) {
		for _, text := range texts {
			s, err := dnsbl.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all
	}
	sites := parse("bl.lab.example", "secretkey123.zen.dq.spamhaus.net", "dbl.spamhaus.org")
	if got, want := strings.Join(dnsbl.Restrictions(sites), ", "), "reject_rbl_client bl.lab.example=127.0.0.[2..11], "+
		"reject_rbl_client secretkey123.zen.dq.spamhaus.net=127.0.0.[2..11], reject_rhsbl_sender dbl.spamhaus.org=127.0.1.[2..99]"; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if got, want := dnsbl.ReplyMap(sites), `regexp:{ { /^secretkey123\.zen\.dq\.spamhaus\.net/ $$$$rbl_code Service unavailable; $$$$rbl_class [$$$$rbl_what] blocked using zen.dq.spamhaus.net } }`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if dnsbl.ReplyMap(sites[:1]) != "" {
		t.Error("lists without a key need no reply map")
	}
}

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		parameter, value string
		want             []dnsbl.InUse
	}{
		{"smtpd_recipient_restrictions", "permit_mynetworks, reject_unauth_destination,\n  REJECT_rbl_client Bl.Lab.example=127.0.0.[2..11]  reject_rhsbl_helo dbl.spamhaus.org", []dnsbl.InUse{
			{Parameter: "smtpd_recipient_restrictions", Zone: "bl.lab.example", Codes: "127.0.0.[2..11]"},
			{Parameter: "smtpd_recipient_restrictions", Zone: "dbl.spamhaus.org", Domains: true},
		}},
		{"postscreen_dnsbl_sites", "bl.lab.example=127.0.0.2*3, list.dnswl.example*-2 bl.other.example", []dnsbl.InUse{
			{Parameter: "postscreen_dnsbl_sites", Zone: "bl.lab.example", Codes: "127.0.0.2"},
			{Parameter: "postscreen_dnsbl_sites", Zone: "list.dnswl.example", Permits: true},
			{Parameter: "postscreen_dnsbl_sites", Zone: "bl.other.example"},
		}},
		{"smtpd_client_restrictions", "reject_rbl_client bl.lab.example=", []dnsbl.InUse{{Parameter: "smtpd_client_restrictions", Zone: "bl.lab.example", Codes: "="}}},
		{"smtpd_client_restrictions", "permit_dnswl_client list.dnswl.example, reject_rbl_client", []dnsbl.InUse{
			{Parameter: "smtpd_client_restrictions", Zone: "list.dnswl.example", Permits: true},
		}},
	} {
		got := dnsbl.Find(tt.parameter, tt.value)
		if len(got) != len(tt.want) {
			t.Errorf("%s: %+v", tt.value, got)
			continue
		}
		for i := range got {
			if got[i] != tt.want[i] {
				t.Errorf("%+v, want %+v", got[i], tt.want[i])
			}
		}
	}
}

// Lists refuse a resolver by answers that look like listings.
func TestRead(t *testing.T) {
	for _, tt := range []struct{ zone, answer, refused, means string }{
		{"zen.spamhaus.org", "127.0.0.3", "", "CSS: spam comes from there"},
		{"zen.spamhaus.org", "127.255.255.254", "it does not answer this resolver: it is a public one, or has no name of its own", ""},
		{"bl.lab.example", "127.0.0.9", "", "listed"},
		{"bl.lab.example", "127.255.255.1", "it refuses", ""},
		{"dbl.spamhaus.org", "127.0.1.255", "it does not answer this resolver", ""},
		{"bl.lab.example", "192.0.2.1", "", ""},
	} {
		v := dnsbl.Named(tt.zone).Read([]netip.Addr{netip.MustParseAddr(tt.answer)})
		means := ""
		if len(v.Codes) > 0 {
			means = v.Codes[0].Means
		}
		if v.Refused != tt.refused || means != tt.means {
			t.Errorf("%s %s: %+v", tt.zone, tt.answer, v)
		}
	}
}

func TestReversed(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.10":       "10.2.0.192",
		"::ffff:127.0.0.2": "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0",
		"2001:db8::10":     "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
	} {
		if got := dnsbl.Reversed(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %s", a, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"zen.spamhaus.org", "bl.lab.example=127.0.0.[2..11]", "x.y=127.[1;2..3].0.2", "a.b=[", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := dnsbl.Parse(text)
		if err != nil {
			return
		}
		if again, err := dnsbl.Parse(s.String()); err != nil || again != s || dnsbl.CatchesRefusals(s.Codes) || strings.ContainsAny(s.String(), " \t\n,") {
			t.Errorf("%q: %+v %+v %v", text, s, again, err)
		}
	})
}

func TestAnswers(t *testing.T) {
	for codes, want := range map[string]string{
		"127.0.0.2":               "127.0.0.2",
		"127.0.[0..1].[2;4..5]":   "127.0.0.2 127.0.0.4 127.0.0.5 127.0.1.2 127.0.1.4 127.0.1.5",
		"127.0.[0..2].[2;4..5]":   "",
		"127.[0..255].[0..255].2": "",
		"127.0.0":                 "",
	} {
		if got := strings.Join((dnsbl.Site{Zone: "bl.example", Codes: codes}).Answers(6), " "); got != want {
			t.Errorf("%s: %s, want %s", codes, got, want)
		}
	}
}
