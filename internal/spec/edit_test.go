package spec

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/spec/syntax"
)

func TestSetDomain(t *testing.T) {
	changed := someDomain()
	changed.TTL, changed.DMARC.Policy, changed.NS = 300, "reject", []string{"ns1.shop.example"}
	const least = "domain = \"shop.example\"\nselector = \"202611\"\nreceive = true\nkeep = ['spf', 'dmarc']\n"
	const lists = "[spf]\ninclude = ['_spf.news.example']\n[dmarc]\nrua = ['mailto:dmarc@shop.example']\n"
	for name, test := range map[string]struct{ old, want string }{
		"values only, remarks stay": {
			"# mine\ndomain='shop.example'#a\n  selector = \"202611\"  \nreceive = true\nkeep=[\"spf\", 'DMARC'] # ours\nttl=3600 # an hour\nns = [ ]\t# none\n" +
				"[ spf ]\ninclude = [ '_spf.news.example', ] # kept\n\n[dmarc] # policy\npolicy = 'none'# for now\nrua = ['mailto:dmarc@shop.example']",
			"# mine\ndomain='shop.example'#a\n  selector = \"202611\"  \nreceive = true\nkeep=[\"spf\", 'DMARC'] # ours\nttl=300 # an hour\nns = [\"ns1.shop.example\"]\t# none\n" +
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

// Files from before a key existed say what its default says: nothing is
// rewritten because of the key, and a value gets a line of its own.
func TestSetWithoutLaterKeys(t *testing.T) {
	host := Host{
		Version: 1, Hostname: "mail.shop.example", Domain: "shop.example", DNS: DNSManual,
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.25")}, MilterDefaultAction: "tempfail", Drain: DefaultDrain,
	}
	const oldHost = "version = 1\nhostname = 'mail.shop.example'\naddresses = ['192.0.2.25']\ndomain = 'shop.example'\n"
	domain := defaultDomain()
	domain.Name, domain.Selector = "shop.example", "s"
	const oldDomain = "domain = 'shop.example'\nselector = 's'\n\n[spf]\nall = 'softfail'\n"
	setHost := func(h Host) func(string) ([]byte, error) {
		return func(s string) ([]byte, error) { return SetHost([]byte(s), h) }
	}
	setDomain := func(d Domain) func(string) ([]byte, error) {
		return func(s string) ([]byte, error) { return SetDomain([]byte(s), d) }
	}
	left, kept := host, domain
	left.SignBounces, left.LeaveServices, kept.Keep = "no", []string{"smtps/inet"}, []string{"helo"}
	for _, test := range []struct {
		name, old, want string
		set             func(string) ([]byte, error)
	}{
		{"a host without them", oldHost, oldHost, setHost(host)},
		{"a domain without it", oldDomain, oldDomain, setDomain(domain)},
		{"a host that says no", oldHost, oldHost + "sign_bounces = \"no\"\nleave_services = [\"smtps/inet\"]\n", setHost(left)},
		{"a domain that keeps", oldDomain, strings.Replace(oldDomain, "\n\n", "\nkeep = [\"helo\"]\n\n", 1), setDomain(kept)},
		{"a no taken back", oldHost + "leave_services = ['smtps/inet'] # not yet\n", oldHost + "leave_services = [] # not yet\n", setHost(host)},
	} {
		got, err := test.set(test.old)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, test.name, string(got), test.want)
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
		"not TOML":       {"domain = \n", file + `:1: domain: takes a text in quotes, and not nothing; hint: write: domain = "text"`},
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
		if _, err := syntax.SPFInclude(name); err != nil || ttl < MinTTL || ttl > MaxTTL {
			return
		}
		want := someDomain()
		want.TTL, want.SPF.Include = ttl, []string{name}
		want.Keep = [][]string{nil, {"spf"}, {"helo", "dmarc"}}[ttl%3]
		normal, _ := syntax.SPFInclude(name)
		want.SPF.Include[0] = normal
		got, err := SetDomain([]byte(old), want)
		if err != nil {
			return
		}
		parsed, findings := parseDomain(want.Name, got, nil)
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
	f.Add("leave_services = [ # later\n'a/inet']\nsign_bounces='yes'\n"+string(MarshalHost(Host{Version: 1})), "submission", byte(3))
	f.Add("version=1#x\nhostname='a.example'\naddresses=['192.0.2.1',\n'192.0.2.2']\ndomain='shop.example'", "a.b", byte(1))
	f.Fuzz(func(t *testing.T, old, name string, last byte) {
		hostname, err := syntax.Hostname(name)
		if err != nil {
			return
		}
		want := someHost()
		if service, err := Service(name + "/inet"); err == nil {
			want.LeaveServices = append(want.LeaveServices, service)
		}
		want.SignBounces = []string{"", "yes", "no"}[last%3]
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
