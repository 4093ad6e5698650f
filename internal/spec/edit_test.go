package spec

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestSetDomain(t *testing.T) {
	changed := someDomain()
	changed.TTL, changed.DMARC.Policy, changed.NS = 300, "reject", []string{"ns1.shop.example"}
	const least = "domain = \"shop.example\"\nselector = \"202611\"\nreceive = true\n"
	const lists = "[spf]\ninclude = ['_spf.news.example']\n[dmarc]\nrua = ['mailto:dmarc@shop.example']\n"
	for name, test := range map[string]struct{ old, want string }{
		"values only, remarks stay": {
			"# mine\ndomain='shop.example'#a\n  selector = \"202611\"  \nreceive = true\nttl=3600 # an hour\nns = [ ]\t# none\n" +
				"[ spf ]\ninclude = [ '_spf.news.example', ] # kept\n\n[dmarc] # policy\npolicy = 'none'# for now\nrua = ['mailto:dmarc@shop.example']",
			"# mine\ndomain='shop.example'#a\n  selector = \"202611\"  \nreceive = true\nttl=300 # an hour\nns = [\"ns1.shop.example\"]\t# none\n" +
				"[ spf ]\ninclude = [ '_spf.news.example', ] # kept\n\n[dmarc] # policy\npolicy = \"reject\"# for now\nrua = ['mailto:dmarc@shop.example']",
		},
		"keys that were left out": {
			least + "\n# about spf\n" + lists,
			least + "ttl = 300\nns = [\"ns1.shop.example\"]\n\n# about spf\n" + lists + "policy = \"reject\"\n",
		},
		"dotted keys": {
			least + "spf.include = ['_spf.news.example']\ndmarc.rua = ['mailto:dmarc@shop.example']",
			least + "ttl = 300\nns = [\"ns1.shop.example\"]\nspf.include = ['_spf.news.example']\ndmarc.rua = ['mailto:dmarc@shop.example']\ndmarc.policy = \"reject\"",
		},
		"other ends of lines": {
			strings.ReplaceAll(least+lists, "\n", "\r\n"),
			strings.ReplaceAll(least+"ttl = 300\nns = [\"ns1.shop.example\"]\n"+lists+"policy = \"reject\"\n", "\n", "\r\n"),
		},
		"list on many lines": {
			least + "ns = [\n  'ns9.shop.example',\n]\nttl = 300\n" + lists + "policy = '''\nreject'''\n",
			least + "ns = [\"ns1.shop.example\"]\nttl = 300\n" + lists + "policy = '''\nreject'''\n",
		},
		"nothing there": {" \n", string(MarshalDomain(changed))},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := SetDomain([]byte(test.old), changed)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "text", string(got), test.want)
			again, err := SetDomain(got, changed)
			if err != nil || string(again) != string(got) {
				t.Errorf("second time: %q, %v", again, err)
			}
		})
	}
}

func TestSetHost(t *testing.T) {
	h := someHost()
	h.Hostname, h.RootAlias = "mx.shop.example", ""
	h.Addresses = h.Addresses[:1]
	old := string(MarshalHost(someHost()))
	want := strings.NewReplacer("mail.shop.example", "mx.shop.example", "Alice@shop.example", "", `, "2001:db8::25"`, "").Replace(old)
	got, err := SetHost([]byte(old), h)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", string(got), want)
	same, err := SetHost(got, h)
	equal(t, "unchanged", string(same), want)
	if err != nil {
		t.Error(err)
	}
}

// A table that is not there yet comes at the end.
func TestSetDomainNewTable(t *testing.T) {
	d := defaultDomain()
	d.Name, d.Selector = "shop.example", "s"
	d.SPF.All, d.DMARC.Policy, d.DMARC.ADKIM = "fail", "reject", "strict"
	got, err := SetDomain([]byte("domain = 'shop.example'\nselector = 's'\n# the end"), d)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "text", string(got), "domain = 'shop.example'\nselector = 's'\n# the end\n\n[spf]\nall = \"fail\"\n\n[dmarc]\npolicy = \"reject\"\nadkim = \"strict\"\n")
}

func TestSetDomainRefuses(t *testing.T) {
	d := defaultDomain()
	d.Name, d.Selector, d.DMARC.ADKIM = "shop.example", "s", "strict"
	d.NS = []string{"ns1.shop.example"}
	const least = "domain = 'shop.example'\nselector = 's'\n"
	const file = "/etc/mailsetup/domains.d/shop.example.toml"
	for name, test := range map[string]struct{ old, want string }{
		"remarks in a list": {
			least + "ns = [ # why\n]\n",
			file + `:3: ns: has comments between its values, which a change would lose; hint: write: ns = ["ns1.shop.example"]`,
		},
		"inline table": {
			least + "dmarc = { policy = 'none' }\n",
			file + ": is laid out in a way that cannot be changed line by line; hint: write each key on a line of its own",
		},
		"not TOML":       {"domain = \n", file + ":1: expected value but found '\\n' instead"},
		"another domain": {"domain = 'b.example'\nselector = 's'\n", file + `:1: domain "b.example" is not the name of the file; hint: rename the file to /etc/mailsetup/domains.d/b.example.toml`},
	} {
		got, err := SetDomain([]byte(test.old), d)
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %q, %v, want %s", name, got, err, test.want)
		}
	}
}

// Whatever the layout, a result says what was asked for, has all comments of
// the old text, and asking again changes nothing.
func FuzzSetDomain(f *testing.F) {
	for _, seed := range []string{
		string(MarshalDomain(someDomain())),
		"domain='shop.example'\nselector='s'\nspf.all='fail'\n[dmarc]\npolicy=\"none\" # x",
		"domain='shop.example'\r\nselector='s'\r\n\"ns\"=[\r\n'ns.a.example',]\r\n[dmarc]\r\n",
		"[spf]\nall='''fail'''\n[dmarc]\n",
		"domain = \"\"\"\nshop.example\"\"\"\nselector = 's'\nspf = {all = 'fail', include = ['a.example']}\n",
	} {
		f.Add(seed, uint32(300), "b.example")
	}
	f.Fuzz(func(t *testing.T, old string, ttl uint32, name string) {
		if _, err := SPFInclude(name); err != nil || ttl < MinTTL || ttl > MaxTTL {
			return
		}
		want := someDomain()
		want.TTL, want.SPF.Include = ttl, []string{name}
		normal, _ := SPFInclude(name)
		want.SPF.Include[0] = normal
		got, err := SetDomain([]byte(old), want)
		if err != nil {
			return
		}
		parsed, findings := parseDomain(want.Name, got)
		if findings != nil || !cmp.Equal(parsed, want, cmpopts.EquateEmpty()) {
			t.Fatalf("%q became %q, which says %+v, %v", old, got, parsed, findings)
		}
		again, err := SetDomain(got, want)
		if err != nil || string(again) != string(got) {
			t.Fatalf("second time %q, %v, want %q", again, err, got)
		}
		if strings.TrimSpace(old) != "" && strings.Count(string(got), "#") < strings.Count(old, "#") {
			t.Fatalf("%q became %q: lost a comment", old, got)
		}
	})
}

func FuzzSetHost(f *testing.F) {
	f.Add(string(MarshalHost(someHost())), "mx.shop.example", byte(7))
	f.Add("version=1#x\nhostname='a.example'\naddresses=['192.0.2.1',\n'192.0.2.2']\ndomain='shop.example'", "a.b", byte(1))
	f.Fuzz(func(t *testing.T, old, name string, last byte) {
		hostname, err := Hostname(name)
		if err != nil {
			return
		}
		want := someHost()
		want.Hostname, want.Addresses = hostname, []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, last})}
		got, err := SetHost([]byte(old), want)
		if err != nil {
			return
		}
		parsed, findings := parseHost(got)
		if findings != nil || !cmp.Equal(parsed, want, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})) {
			t.Fatalf("%q became %q, which says %+v, %v", old, got, parsed, findings)
		}
	})
}
