package inbound_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/inbound"
)

// read reads the table [inbound] of a TOML text, with what is wrong in it, a line each.
func read(t *testing.T, text string) (inbound.Policy, string) {
	t.Helper()
	var file struct {
		Inbound inbound.Text `toml:"inbound"`
	}
	if _, err := toml.Decode(text, &file); err != nil {
		t.Fatal(err)
	}
	var faults []string
	p := file.Inbound.Policy(func(key, text, hint string) { faults = append(faults, key+": "+text+"; hint: "+hint) })
	return p, strings.Join(faults, "\n")
}

func TestTheTableOfTheFile(t *testing.T) {
	got, faults := read(t, `[inbound]
spf = " Reject"
dmarc = "mark"
dnsbl = ["ZEN.spamhaus.org.=127.0.0.[2..11]", "bl.example"]
allow = ["[192.0.2.7]", "2001:DB8::/48", "Mail.Shop.example", ".shop.example", "@bücher.example", "Ann@shop.example", "192.0.2.7", "X/y@shop.example"]
`)
	want := inbound.Policy{
		SPF: "reject", DMARC: "mark", DNSBL: []string{"zen.spamhaus.org=127.0.0.[2..11]", "bl.example=127.0.0.[2..11]"},
		Allow: []string{"192.0.2.7", "2001:db8::/48", "mail.shop.example", ".shop.example", "@xn--bcher-kva.example", "ann@shop.example", "x/y@shop.example"},
	}
	if d := cmp.Diff(want, got); d != "" || faults != "" {
		t.Errorf("%s\n%s", faults, d)
	}
	passes := []inbound.Entry{
		{Network: netip.MustParsePrefix("192.0.2.7/32")},
		{Network: netip.MustParsePrefix("2001:db8::/48")},
		{Kind: inbound.Host, Name: "mail.shop.example"},
		{Kind: inbound.Host, Name: ".shop.example"},
		{Kind: inbound.Domain, Name: "xn--bcher-kva.example"},
		{Kind: inbound.Sender, Name: "ann@shop.example"},
		{Kind: inbound.Sender, Name: "x/y@shop.example"},
	}
	if d := cmp.Diff(passes, got.Passes(), cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Error(d)
	}
	got.Validate(func(key, text, hint string) { t.Errorf("%s: %s; %s", key, text, hint) })
	if p, faults := read(t, "x = 1\n"); p.On() || faults != "" || !cmp.Equal(p, inbound.Policy{}) {
		t.Errorf("no table: %+v, %s", p, faults)
	}
	if p, _ := read(t, "[inbound]\nspf = \"off\"\nallow = [\"192.0.2.7\"]\n"); p.On() || p.SPF != inbound.Off {
		t.Errorf("off: %+v", p)
	}
}

func TestTheTableRefuses(t *testing.T) {
	const entry = "; hint: as in 192.0.2.7, 192.0.2.0/24, 2001:db8::/48, mail.example.org, .example.org (hosts below it), @example.org (its senders) or ann@example.org"
	const list = "; hint: as in zen.spamhaus.org, or zen.spamhaus.org=127.0.0.[2..11]"
	for text, want := range map[string]string{
		`spf = "quarantine"`:                   `inbound.spf: "quarantine" is not off, mark or reject; hint: mark writes a header and refuses nothing, reject refuses mail from servers that its domain forbids`,
		`dmarc = "tag"`:                        `inbound.dmarc: "tag" is not off, mark, quarantine or reject; hint: mark writes a header and refuses nothing, quarantine and reject do what the domain asks for, up to that`,
		`dnsbl = ["zen"]`:                      `inbound.dnsbl: "zen" is no zone` + list,
		`dnsbl = ["zen.spamhaus.org="]`:        `inbound.dnsbl: "zen.spamhaus.org=" has codes that cannot be used: a number is missing; hint: zen.spamhaus.org=127.0.0.[2..11], or zen.spamhaus.org alone, which means the same`,
		`dnsbl = ["zen.spamhaus.org=127.0/8"]`: `inbound.dnsbl: "zen.spamhaus.org=127.0/8" has codes that cannot be used: "0/8" is no number; a range is written [2..11]; hint: zen.spamhaus.org=127.0.0.[2..11], or zen.spamhaus.org alone, which means the same`,
		`dnsbl = ["a.example, b.example"]`:     `inbound.dnsbl: "a.example, b.example" has ',', which no zone has` + list,
		`allow = ["192.0.2.7/24"]`:             `inbound.allow: "192.0.2.7/24" has bits behind its length; hint: write 192.0.2.0/24, or the address alone`,
		`allow = ["0.0.0.0/0"]`:                `inbound.allow: "0.0.0.0/0" lets nearly everybody in` + entry,
		`allow = ["2000::/3"]`:                 `inbound.allow: "2000::/3" lets nearly everybody in` + entry,
		`allow = ["fe80::1%eth0"]`:             `inbound.allow: "fe80::1%eth0" has a zone, so it is valid on one link only` + entry,
		`allow = ["192.0.2.0/33"]`:             `inbound.allow: "192.0.2.0/33" is no network` + entry,
		`allow = ["192.0.2"]`:                  `inbound.allow: "192.0.2" is no full name` + entry,
		`allow = ["example"]`:                  `inbound.allow: "example" is no full name` + entry,
		`allow = ["*.example.org"]`:            `inbound.allow: "*.example.org" is no name of DNS` + entry,
		`allow = ["a b@example.org"]`:          `inbound.allow: "a b@example.org" has a character before the @ that needs quotes or is no ASCII` + entry,
		`allow = ["a@b@example.org"]`:          `inbound.allow: "a@b@example.org" has a second @` + entry,
		`allow = ["ann@shop"]`:                 `inbound.allow: "ann@shop" has "shop" behind its @, which is no full name` + entry,
		`allow = ["ann@shop.example/x"]`:       `inbound.allow: "ann@shop.example/x" has "shop.example/x" behind its @, which is no name of DNS` + entry,
		`allow = ["x/y"]`:                      `inbound.allow: "x/y" is no network` + entry,
		`dnsbl = ["none"]`:                     `inbound.dnsbl: "none" means no list, and stands alone; hint: leave it out, or the lists (in host.toml, dnsbl = [] is none)`,
		`allow = [""]`:                         `inbound.allow: "" is no full name` + entry,
	} {
		if _, got := read(t, "[inbound]\n"+text+"\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", text, got, want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		a      inbound.Answers
		before inbound.Policy
		want   inbound.Policy
		faults string
	}{
		{"nothing", inbound.Answers{}, inbound.Policy{SPF: "mark", Allow: []string{"192.0.2.7"}}, inbound.Policy{SPF: "mark", Allow: []string{"192.0.2.7"}}, ""},
		{"modes", inbound.Answers{SPF: "off", DMARC: "mark"}, inbound.Policy{SPF: "reject"}, inbound.Policy{DMARC: "mark"}, ""},
		{"lists take the place of lists", inbound.Answers{DNSBL: []string{"b.example"}}, inbound.Policy{DNSBL: []string{"a.example"}}, inbound.Policy{DNSBL: []string{"b.example=127.0.0.[2..11]"}}, ""},
		{"none and a list", inbound.Answers{Plain: true, DNSBL: []string{"none", "b.example"}}, inbound.Policy{DNSBL: []string{"a.example"}}, inbound.Policy{DNSBL: []string{"b.example=127.0.0.[2..11]"}}, `--dnsbl "none" means no list, and stands alone`},
		{"no lists", inbound.Answers{DNSBL: []string{"none"}}, inbound.Policy{DNSBL: []string{"a.example"}}, inbound.Policy{}, ""},
		{
			"allowed and no longer",
			inbound.Answers{Allow: []string{"ANN@shop.example", "192.0.2.9"}, Disallow: []string{"192.0.2.7", "192.0.2.8"}},
			inbound.Policy{Allow: []string{"192.0.2.7", "192.0.2.9"}},
			inbound.Policy{Allow: []string{"192.0.2.9", "ann@shop.example"}},
			"",
		},
		{
			"part of what stays",
			inbound.Answers{Plain: true, Disallow: []string{"198.51.100.9", "a.shop.example", "ann@shop.example", "192.0.2.7", "b.shop.example"}},
			inbound.Policy{Allow: []string{"198.51.100.0/24", ".shop.example", "@shop.example", "192.0.2.7"}},
			inbound.Policy{Allow: []string{"198.51.100.0/24", ".shop.example", "@shop.example"}},
			`--disallow "198.51.100.9" passes as a part of 198.51.100.0/24` +
				`--disallow "a.shop.example" passes as a part of .shop.example` +
				`--disallow "ann@shop.example" passes as a part of @shop.example` +
				`--disallow "b.shop.example" passes as a part of .shop.example`,
		},
		{"faults name the flag", inbound.Answers{SPF: "x"}, inbound.Policy{}, inbound.Policy{}, `--inbound-spf "x" is not off, mark or reject`},
	} {
		before := tt.before.Clone()
		p, faults := tt.before, ""
		tt.a.Apply(&p, func(flag, text, _ string) { faults += flag + " " + text })
		if d := cmp.Diff(tt.want, p); d != "" || faults != tt.faults {
			t.Errorf("%s: %s\n%s", tt.name, faults, d)
		}
		if !cmp.Equal(before, tt.before) {
			t.Errorf("%s: the old policy changed: %+v", tt.name, tt.before)
		}
	}
	a := inbound.Answers{SPF: "mark", DNSBL: []string{"a.example", "b.example"}}
	if got := a.Flags(); !slices.Equal(got, []string{"--inbound-spf", "mark", "--inbound-dnsbl", "a.example", "--inbound-dnsbl", "b.example"}) {
		t.Errorf("as flags: %q", got)
	}
	a = inbound.Answers{Plain: true, DMARC: "off", Allow: []string{"192.0.2.7"}, Disallow: []string{"a.example"}}
	if got := a.Flags(); !slices.Equal(got, []string{"--dmarc", "off", "--allow", "192.0.2.7", "--disallow", "a.example"}) {
		t.Errorf("as flags of mailsetup inbound: %q", got)
	}
}

// Other MX hosts stay as they are while DNS is silent, and go on the second day on which it
// says that they are none.
func TestOtherMXHosts(t *testing.T) {
	seen := func(text ...string) (all []inbound.Secondary) {
		for _, s := range text {
			host, a, _ := strings.Cut(s, " ")
			all = append(all, inbound.Secondary{Host: host, Address: netip.MustParseAddr(a)})
		}
		return all
	}
	at := func(day int) time.Time { return time.Date(2026, 11, day, 12, 0, 0, 0, time.UTC) }
	p := inbound.Policy{SPF: inbound.Mark, Allow: []string{"203.0.113.0/24"}}
	const mx2, mx3 = "mx2.lab.example 198.51.100.20", "mx3.lab.example 2001:db8::3"
	for i, tt := range []struct {
		seen        []inbound.Secondary
		whole       bool
		day         int
		want        string
		fresh, gone int
	}{
		{seen(mx2, mx3), false, 1, mx2 + ", " + mx3, 2, 0},
		{nil, false, 2, mx2 + ", " + mx3, 0, 0},
		{seen(mx3), true, 3, mx2 + " missing 2026-11-03, " + mx3, 0, 0},
		{seen(mx3), true, 3, mx2 + " missing 2026-11-03, " + mx3, 0, 0},
		{nil, false, 4, mx2 + " missing 2026-11-03, " + mx3, 0, 0},
		{seen(mx2, mx3), true, 5, mx2 + ", " + mx3, 0, 0},
		{seen(mx3), true, 6, mx2 + " missing 2026-11-06, " + mx3, 0, 0},
		{seen(mx3), true, 7, mx3, 0, 1},
	} {
		fresh, gone := p.See(tt.seen, tt.whole, at(tt.day))
		if got := strings.Join(p.MX, ", "); got != tt.want || len(fresh) != tt.fresh || len(gone) != tt.gone {
			t.Errorf("%d: %s, %d new, %d gone", i, got, len(fresh), len(gone))
		}
	}
	fault := func(flag, text, hint string) { t.Error(flag, text, hint) }
	inbound.Answers{Disallow: []string{"2001:db8::3"}}.Apply(&p, fault)
	p.See(seen(mx3), true, at(8))
	p.See(nil, true, at(9))
	p.See(nil, true, at(10))
	if got := strings.Join(p.MX, ", "); got != mx3+" judged" || len(p.Passes()) != 1 {
		t.Errorf("the administrator's no is forgotten: %s, %+v", got, p.Passes())
	}
	inbound.Answers{Allow: []string{"2001:db8::3"}}.Apply(&p, fault)
	if got := strings.Join(p.MX, ", "); got != mx3 || len(p.Passes()) != 2 {
		t.Errorf("%s, %+v", got, p.Passes())
	}
	if p.SPF = inbound.Off; true {
		p.See(seen(mx3), true, at(11))
	}
	if p.MX != nil {
		t.Errorf("nothing is checked, and %s stays", p.MX)
	}
}

func TestOtherMXHostsInTheFile(t *testing.T) {
	got, faults := read(t, "[inbound]\nspf = \"mark\"\nmx = [\" MX2.lab.example.  198.51.100.20\", \"mx3.lab.example 2001:DB8::3 missing 2026-11-03\", \"a.example 192.0.2.1 judged\"]\n")
	want := []string{"mx2.lab.example 198.51.100.20", "mx3.lab.example 2001:db8::3 missing 2026-11-03", "a.example 192.0.2.1 judged"}
	if !slices.Equal(got.MX, want) || faults != "" || len(got.Passes()) != 2 {
		t.Errorf("%q, %+v\n%s", got.MX, got.Passes(), faults)
	}
	for _, bad := range []string{"mx2.lab.example", "mx2 192.0.2.1", "mx2.lab.example x", "mx2.lab.example 192.0.2.1 missing", "mx2.lab.example 192.0.2.1 missing today", "mx2.lab.example 192.0.2.1 gone"} {
		if _, faults := read(t, "[inbound]\nmx = [\""+bad+"\"]\n"); !strings.HasPrefix(faults, "inbound.mx: ") {
			t.Errorf("%s: %q", bad, faults)
		}
	}
}
