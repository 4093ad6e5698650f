package spec

import (
	"strings"
	"testing"

	"mailsetup/internal/tomltext"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// full has a value for every key.
func full() Domain {
	return Domain{
		Name: "shop.example", Selector: "s1", KeyBits: 3072, Receive: true, TTL: 600, NewZone: true,
		NS: []string{"ns1.example.net", "ns2.example.net"}, Keep: []string{"spf"}, DNS: DNSUpdate, Subdomains: true,
		Also: []string{".example.net", "a@example.net"},
		SPF:  SPF{All: "fail", Include: []string{"_spf.example.net"}, Redirect: "other.example"},
		DMARC: DMARC{
			Policy: "reject", SubdomainPolicy: "none", ADKIM: "strict", ASPF: "relaxed",
			RUA: []string{"mailto:a@example.net"}, RUF: []string{"mailto:b@example.net"},
		},
		Update: Update{Server: "ns1.example.net", KeyFile: "/etc/key"},
	}
}

// What is read the quick way is what the decoder reads.
func samePlain(t *testing.T, text string) (quick bool) {
	t.Helper()
	pairs, ok := tomltext.Plain(text)
	got, want := newDomainText(), newDomainText()
	if !ok || !tomltext.Fill(pairs, got.valueOf) {
		return false
	}
	meta, err := toml.Decode(text, want)
	if err != nil || len(meta.Undecoded()) > 0 {
		t.Fatalf("%q: the decoder finds %v, undecoded %v", text, err, meta.Undecoded())
	}
	known := map[string]bool{"spf": true, "dmarc": true, "rfc2136": true}
	for _, f := range domainFields(Domain{}) {
		known[f.Path()] = true
	}
	for _, key := range meta.Keys() {
		if !known[key.String()] {
			t.Fatalf("%q: %s is no key", text, key)
		}
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.AllowUnexported(domainText{})); diff != "" {
		t.Fatalf("%q:\n%s", text, diff)
	}
	return true
}

func TestFilesWrittenHereAreReadTheQuickWay(t *testing.T) {
	for _, d := range []Domain{full(), Defaults{}.domain("shop.example", november())} {
		if !samePlain(t, string(MarshalDomain(d))) {
			t.Errorf("the file of %s is not", d.Name)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"":                                       true,
		"# a remark":                             true,
		"domain = \"a.example\" # mine\n":        true,
		"\tttl\t=\t60\n[spf]\nall=\"fail\"\n":    true,
		"ns = [ \"a.example\" ,\"b.example\", ]": true,
		"ns = []":                                true,
		"ns = [\n\"a.example\"]":                 false,
		"domain = \"a#b\"":                       true,
		"domain = 'a.example'":                   false,
		"domain = \"a\\u002e\"":                  false,
		"domain = \"\"\"a\"\"\"":                 false,
		"domain = \"a\" \"b\"":                   false,
		"domain = \"ä\"":                         false,
		"domain = \"a\"\r\n":                     false,
		"domain = \"a\"\ndomain=\"b\"":           false,
		"[spf]\n[spf]":                           false,
		"[other]":                                false,
		"[[spf]]":                                false,
		"spf.all = \"fail\"":                     false,
		"spf = \"fail\"":                         false,
		"Domain = \"a\"":                         false,
		"ttl = 060":                              false,
		"ttl = 6_0":                              false,
		"ttl = \"60\"":                           false,
		"ttl = 99999999999999999999":             false,
		"receive = True":                         false,
		"receive":                                false,
		"= 1":                                    false,
		"ns = [\"a\" \"b\"]":                     false,
		"ns = [,]":                               false,
		"ns = [\"a\"] x":                         false,
	} {
		if got := samePlain(t, text); got != want {
			t.Errorf("%q: quick %v, want %v", text, got, want)
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(string(MarshalDomain(full())))
	f.Add("domain = \"a\" # b\nns = [\"a\", \"b\"]\n[spf]\nall = \"fail\"\n")
	f.Fuzz(func(t *testing.T, text string) { samePlain(t, text) })
}

func BenchmarkParseDomain(b *testing.B) {
	text := MarshalDomain(full())
	for b.Loop() {
		if _, found := parseDomain("shop.example", text, nil); len(found) > 0 {
			b.Fatal(found)
		}
	}
}

// What the short form leaves out is what a file says that leaves it out.
func TestBrief(t *testing.T) {
	least := Domain{Name: "shop.example", Selector: "s1", KeyBits: 1024, TTL: 60, SPF: SPF{All: "fail"}, DMARC: DMARC{Policy: "none"}}
	for _, want := range []Domain{full(), fullDomain(), Defaults{}.domain("shop.example", november()), least} {
		got, found := parseDomain(want.Name, MarshalBrief(want), nil)
		if len(found) > 0 {
			t.Errorf("%s: %v", MarshalBrief(want), found)
		}
		equal(t, want.Name, got, want)
	}
	const text = "domain = \"shop.example\"\nselector = \"s1\"\nkey_bits = 1024\nttl = 60\n[spf]\nall = \"fail\"\n[dmarc]\npolicy = \"none\"\n"
	if got := string(MarshalBrief(least)); got != text {
		t.Errorf("%s\nwant\n%s", got, text)
	}
}

// Domains whose brief forms differ in the name alone share what the first one says, and a
// change of one is none of the others.
func TestDomainsThatSayTheSame(t *testing.T) {
	want := full()
	texts := map[string][]byte{}
	for _, name := range []string{"a.example", "b.example", "Upper.example", "xn--.example"} {
		d := want
		d.Name = name
		texts[name] = MarshalBrief(d)
	}
	one := want
	one.Name, one.TTL = "c.example", want.TTL+1
	texts[one.Name] = MarshalBrief(one)
	out, _, found := parseAll(nil, texts)
	for i, d := range out.Domains {
		name := d.Name
		switch {
		case strings.HasPrefix(name, "xn--"), name == "upper.example", name == "":
			if len(found[i]) == 0 {
				t.Errorf("%q is accepted", name)
			}
			continue
		case name == "c.example":
			equal(t, name, d, one)
		default:
			w := want
			w.Name = name
			equal(t, name, d, w)
		}
		for _, list := range [][]string{d.NS, d.Keep, d.Also, d.Identities, d.SPF.Include, d.DMARC.RUA, d.DMARC.RUF} {
			_ = append(list, "more")
			if len(list) != cap(list) {
				t.Errorf("%s: %q has room, which another one might fill", name, list)
			}
		}
	}
	if len(out.Domains) != 5 {
		t.Errorf("%d domains", len(out.Domains))
	}
}
