package syntax

import (
	"errors"
	"strings"
	"testing"
)

// name253 is the longest name DNS allows: 63+1+63+1+63+1+61.
func name253() string {
	l := strings.Repeat("a", 63)
	return l + "." + l + "." + l + "." + strings.Repeat("b", 53) + ".example"
}

func TestDomainName(t *testing.T) {
	for given, want := range map[string]string{
		"shop.example":                 "shop.example",
		" Shop.EXAMPLE.\t":             "shop.example",
		"a.b":                          "a.b",
		"münchen.example":              "xn--mnchen-3ya.example",
		"MÜNCHEN.Example":              "xn--mnchen-3ya.example",
		"xn--mnchen-3ya.example":       "xn--mnchen-3ya.example",
		"XN--MNCHEN-3YA.EXAMPLE":       "xn--mnchen-3ya.example",
		"straße.example":               "xn--strae-oqa.example",
		"例え。example":                   "xn--r8jz45g.example",
		"r3---sn.example":              "r3---sn.example", // hyphens that UTS #46 would refuse
		"1.example":                    "1.example",
		"4.3.2.1.in-addr.arpa":         "4.3.2.1.in-addr.arpa",
		name253():                      name253(),
		name253() + ".":                name253(),
		strings.Repeat("a", 63) + ".b": strings.Repeat("a", 63) + ".b",
	} {
		got, err := DomainName(given)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", given, got, err, want)
		}
	}
}

func TestDomainNameRefuses(t *testing.T) {
	for given, why := range map[string]string{
		"":                               "is empty",
		" ":                              "is empty",
		".":                              "empty label",
		"shop":                           "single label",
		"localhost":                      "single label",
		"mail.localhost":                 "below .localhost",
		"localhost.localdomain":          "below .localdomain",
		"shop.local":                     "below .local",
		"shop..example":                  "empty label",
		"shop.example..":                 "empty label",
		".shop.example":                  "empty label",
		"-shop.example":                  "hyphen",
		"shop-.example":                  "hyphen",
		"sh op.example":                  `' '`,
		"shop.example\nevil.example":     `'\n'`,
		"shop\x00.example":               `'\x00'`,
		"shop.example;":                  `';'`,
		"shop%d.example":                 `'%'`,
		`shop".example`:                  `'"'`,
		"shop'.example":                  `'\''`,
		"../shop.example":                "empty label",
		"shop/../x.example":              `'/'`,
		"shop\\.example":                 `'\\'`,
		"$(id).example":                  `'$'`,
		"a,b.example":                    `','`,
		"shop_a.example":                 "underscore",
		"*.shop.example":                 "wildcard",
		"alice@shop.example":             "mail address",
		"https://shop.example/":          "URL",
		"192.0.2.1":                      "is an address",
		"192.0.2.1.":                     "is an address",
		"１９２.0.2.1":                      "is an address",
		"2001:db8::1":                    "is an address",
		"[192.0.2.1]":                    "is an address",
		"1.2.3":                          "digits only",
		"shop.123":                       "digits only",
		strings.Repeat("a", 64) + ".b":   "label of 64 octets",
		name253()[:252] + "xx":           "254 octets",
		strings.Repeat("ü", 60) + ".b":   "label of",
		strings.Repeat("ü.", 9000) + "b": "international",
		"xn--a.example":                  "international",
		"xn--.example":                   "",
		"\u202eshop.example":             "international",
		"a\u200bb.example":               "", // mapped away or refused, never kept
		"\xff\xfe.example":               "international",
		"℀.example":                      "international",
	} {
		got, err := DomainName(given)
		if why == "" {
			if strings.ContainsAny(got, "\u200b") || got == given {
				t.Errorf("%q: accepted as %q", given, got)
			}
			continue
		}
		checkBad(t, given, got, err, why)
	}
}

// checkBad proves that a value was refused on one line, with a hint.
func checkBad(t *testing.T, given, got string, err error, why string) {
	t.Helper()
	bad, ok := errors.AsType[*BadValue](err)
	switch {
	case !ok || got != "":
		t.Errorf("%q: %q, %v, want a refusal", Clip(given), got, err)
	case !strings.Contains(bad.Why, why):
		t.Errorf("%q: %s, want %q", Clip(given), bad.Why, why)
	case bad.Hint == "" || strings.ContainsAny(bad.Error(), "\n\r\x00\x1b") || len(bad.Error()) > 1000:
		t.Errorf("%q: not one line with a hint: %q", Clip(given), bad.Error())
	}
}

func TestSelector(t *testing.T) {
	for given, want := range map[string]string{
		"202611": "202611", " S1. ": "s1", "a..": "", "MAIL": "mail", "a.b-c": "a.b-c", "x": "x",
		"": "", "a_b": "", "-a": "", "a-": "", "a..b": "", ".a": "", "a b": "", "a/b": "", "../a": "", "a\nb": "",
		"ü": "", "a%": "", "a;b": "", `a"`: "", "202611._domainkey.shop.example": "", strings.Repeat("a", 64): "",
		strings.Repeat("a.", 120): "",
	} {
		got, err := Selector(given)
		if want == "" {
			checkBad(t, given, got, err, "")
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
}

// The KeyTable's line for the longest names that are accepted stays below what
// OpenDKIM reads.
func TestKeyNameFits(t *testing.T) {
	label := strings.Repeat("s", 63)
	domain := "shop.example"
	selector := label + "." + label + "." + label + "." + strings.Repeat("s", 253-12-192-len(domain))
	if _, err := Selector(selector); err != nil {
		t.Fatal(err)
	}
	if why := KeyNameFault(selector, domain); why != "" {
		t.Errorf("253 octets: %s", why)
	}
	if why := KeyNameFault(selector+"s", domain); !strings.Contains(why, "254 octets") {
		t.Errorf("254 octets: %q", why)
	}
	line := selector + "._domainkey." + domain + " " + domain + ":" + selector + ":/etc/dkimkeys/" + domain + "/" + selector + ".private"
	if len(line) >= 1023 {
		t.Errorf("KeyTable line of %d octets", len(line))
	}
}

func TestSPFInclude(t *testing.T) {
	for given, want := range map[string]string{
		"_spf.Mail.example.": "_spf.mail.example", "include:mail.example": "mail.example", "mäil.example": "xn--mil-qla.example",
		"%{i}.mail.example": "", "mail": "", "a mail.example": "", "_spf": "", "": "", "a,b.example": "", "_.mail.example\n x.example": "",
	} {
		got, err := SPFInclude(given)
		if want == "" {
			checkBad(t, given, got, err, "")
		} else if err != nil || got != want {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
}

// An accepted name is in its final form, and safe for every file it goes to.
func FuzzDomain(f *testing.F) {
	for _, seed := range []string{"shop.example", "MÜNCHEN.example.", "xn--a.example", "１.２.３.４", "a。b", "\u202ea.b", "a..b", "ab--cd.ef", "ẞ.example"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		name, err := DomainName(given)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x1b") {
				t.Fatalf("error on several lines: %q", err)
			}
			return
		}
		if again, err := DomainName(name); err != nil || again != name {
			t.Fatalf("%q became %q, which becomes %q, %v", given, name, again, err)
		}
		if len(name) > 253 || !strings.Contains(name, ".") {
			t.Fatalf("%q became %q", given, name)
		}
		for label := range strings.SplitSeq(name, ".") {
			if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				t.Fatalf("%q became %q", given, name)
			}
		}
	})
}
