package spfcheck

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
)

// world is a DNS made of zone text without TTLs; names below silent.example
// are not answered.
func world(lines ...string) detecttest.Answers {
	a := detecttest.Answers{}
	for _, l := range lines {
		f := strings.SplitN(l, " ", 3)
		key := f[0] + " " + f[1]
		a[key] = append(a[key], state.Record{Name: f[0], Type: f[1], Value: f[2]})
	}
	return a
}

func zoneOf(origin string, lines ...string) state.Zone {
	z := state.Zone{Origin: origin, Kind: "primary", Records: []state.Record{{Name: origin, Type: "SOA", Value: "x. y. 1 2 3 4 5"}}}
	for _, l := range lines {
		f := strings.SplitN(l, " ", 3)
		z.Records = append(z.Records, state.Record{Name: f[0], Type: f[1], Value: f[2]})
	}
	return z
}

func evaluateOne(t *testing.T, r dnsclient.Resolver, q Query) string {
	t.Helper()
	q.Names = []string{"lab.example"}
	if q.Addresses == nil {
		q.Addresses = []netip.Addr{netip.MustParseAddr("192.0.2.10"), netip.MustParseAddr("2001:db8::10")}
	}
	f, ok := Evaluate(t.Context(), r, q)["lab.example"]
	if !ok {
		return "none"
	}
	return fmt.Sprintf("%v %d %q %q", f.Denied, f.Lookups, f.Problem, f.Unresolved)
}

func TestSPFOfDNS(t *testing.T) {
	tenth := "v=spf1 a:a.example a:b.example a:c.example a:d.example a:e.example -all"
	for _, c := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"no record", []string{"lab.example. TXT v=verify"}, "none"},
		{"both addresses", []string{"lab.example. TXT v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/64 -all"}, `[] 0 "" ""`},
		{"one of them", []string{"lab.example. TXT v=spf1 ip4:192.0.2.10 ~all"}, `[2001:db8::10] 0 "" ""`},
		{"by its mail exchanger", []string{
			"lab.example. TXT v=spf1 mx -all", "lab.example. MX 10 m.lab.example.",
			"m.lab.example. A 192.0.2.10", "m.lab.example. AAAA 2001:db8::10",
		}, `[] 1 "" ""`},
		{"by an include", []string{
			"lab.example. TXT v=spf1 include:v.example -all", "v.example. TXT v=spf1 a:x.example ip4:192.0.2.10 ?all",
			"x.example. A 192.0.2.99",
		}, `[2001:db8::10] 2 "" ""`},
		{"neutral is no pass", []string{"lab.example. TXT v=spf1 ?ip4:192.0.2.10 ip6:2001:db8::/32 -all"}, `[192.0.2.10] 0 "" ""`},
		{
			"two records",
			[]string{"lab.example. TXT v=spf1 -all", "lab.example. TXT v=spf1 mx -all"},
			`[192.0.2.10 2001:db8::10] 0 "lab.example has 2 SPF records where one is allowed (RFC 7208 section 3.2)" ""`,
		},
		{
			"an include of nothing",
			[]string{"lab.example. TXT v=spf1 ip4:192.0.2.10 include:v.example -all"},
			`[2001:db8::10] 1 "v.example has no SPF record" ""`,
		},
		{
			"a mistake of the vendor's",
			[]string{"lab.example. TXT v=spf1 include:v.example -all", "v.example. TXT v=spf1 ipv4:192.0.2.1 -all"},
			`[192.0.2.10 2001:db8::10] 1 "v.example: \"ipv4:192.0.2.1\": SPF has no such mechanism" ""`,
		},
		{
			"a loop",
			[]string{"lab.example. TXT v=spf1 include:v.example -all", "v.example. TXT v=spf1 include:lab.example -all"},
			`[192.0.2.10 2001:db8::10] 13 "lab.example leads back to itself" ""`,
		},
		{
			"names without records",
			[]string{"lab.example. TXT v=spf1 a:1.example a:2.example a:3.example -all"},
			`[192.0.2.10 2001:db8::10] 3 "more than two of the names in it have no records, and receivers stop there (RFC 7208 section 4.6.4)" ""`,
		},
		{
			"twelve look-ups",
			[]string{
				"lab.example. TXT v=spf1 include:v.example include:w.example -all", "v.example. TXT " + tenth, "w.example. TXT " + tenth,
				"a.example. A 198.51.100.1", "b.example. A 198.51.100.1", "c.example. A 198.51.100.1", "d.example. A 198.51.100.1", "e.example. A 198.51.100.1",
			},
			`[192.0.2.10 2001:db8::10] 12 "it takes 12 DNS look-ups, and receivers stop after 10 (RFC 7208 section 4.6.4)" ""`,
		},
		{
			"ten look-ups",
			[]string{
				"lab.example. TXT v=spf1 include:v.example redirect=w.example", "v.example. TXT " + strings.Replace(tenth, "a:e.example ", "", 1),
				"w.example. TXT " + strings.Replace(tenth, "a:e.example ", "", 1),
				"a.example. A 198.51.100.1", "b.example. A 198.51.100.1", "c.example. A 198.51.100.1", "d.example. A 198.51.100.1",
			},
			`[192.0.2.10 2001:db8::10] 10 "" ""`,
		},
		{"nobody answers", []string{"lab.example. TXT v=spf1 include:silent.example -all"}, `[] 1 "" "silent.example"`},
		{
			"nobody answers, and it does not matter",
			[]string{"lab.example. TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::/32 include:silent.example -all"},
			`[] 1 "" "silent.example"`,
		},
	} {
		if got := evaluateOne(t, world(c.lines...), Query{}); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSPFOfAZoneHere(t *testing.T) {
	dns := world("lab.example. TXT v=spf1 -all", "v.example. TXT v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all", "m.lab.example. A 192.0.2.10")
	for _, c := range []struct {
		name    string
		zones   []state.Zone
		planned []state.Record
		want    string
	}{
		{"the zone wins over DNS", []state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 include:v.example -all")}, nil, `[] 1 "" ""`},
		{"what it lacks is not asked elsewhere", []state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 a:m.lab.example -all")}, nil, `[192.0.2.10 2001:db8::10] 1 "" ""`},
		{"aliases", []state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 include:i.lab.example -all", "i.lab.example. CNAME j.lab.example.", "j.lab.example. CNAME v.example.")}, nil, `[] 1 "" ""`},
		{"a wildcard", []state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 a:x.y.lab.example -all", "*.lab.example. A 192.0.2.10", "*.lab.example. AAAA 2001:db8::10")}, nil, `[] 1 "" ""`},
		{"a wildcard does not reach a name that is there", []state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 a:y.lab.example -all", "*.lab.example. A 192.0.2.10", "x.y.lab.example. A 192.0.2.99")}, nil, `[192.0.2.10 2001:db8::10] 1 "" ""`},
		{"a part that is delegated", []state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 a:m.lab.example -all", "m.lab.example. NS ns.example.")}, nil, `[2001:db8::10] 1 "" ""`},
		{"a zone that is not loaded", []state.Zone{{Origin: "lab.example.", Problem: "it is a secondary zone here"}}, nil, `[192.0.2.10 2001:db8::10] 0 "" ""`},
		{
			"an exchanger that is still to come",
			[]state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 mx -all")},
			[]state.Record{{Name: "lab.example.", Type: "MX", Value: "10 m.lab.example."}, {Name: "m.lab.example.", Type: "A", Value: "192.0.2.10"}},
			`[2001:db8::10] 1 "" ""`,
		},
		{
			"another exchanger stays",
			[]state.Zone{zoneOf("lab.example.", "lab.example. TXT v=spf1 mx -all", "lab.example. MX 10 o.lab.example.", "o.lab.example. A 192.0.2.99")},
			[]state.Record{{Name: "lab.example.", Type: "MX", Value: "10 m.lab.example."}, {Name: "m.lab.example.", Type: "A", Value: "192.0.2.10"}},
			`[192.0.2.10 2001:db8::10] 1 "" ""`,
		},
	} {
		if got := evaluateOne(t, dns, Query{Zones: c.zones, Planned: c.planned}); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}

func TestSPFOfIncludes(t *testing.T) {
	r := world("v.example. TXT v=spf1 a:x.example mx:y.example -all", "x.example. A 198.51.100.1", "y.example. MX 10 x.example.")
	got := Evaluate(t.Context(), r, Query{Includes: []string{"v.example", "nothing.example", "silent.example"}})
	want := map[string]state.SPF{
		"v.example":       {Record: "v=spf1 a:x.example mx:y.example -all", Lookups: 2},
		"nothing.example": {Problem: "nothing.example has no SPF record"},
		"silent.example":  {Unresolved: "silent.example"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A resolver that hangs costs ten seconds at most; a cancelled run less.
func TestSPFIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := Evaluate(ctx, hanging{}, Query{Names: []string{"lab.example"}, Includes: []string{"v.example"}})
	if d := cmp.Diff(map[string]state.SPF{"v.example": {Unresolved: "v.example"}}, got); d != "" {
		t.Error(d)
	}
}

type hanging struct{}

func (hanging) Lookup(ctx context.Context, _, _ string) ([]state.Record, dnsclient.Status, error) {
	<-ctx.Done()
	return nil, dnsclient.Unknown, ctx.Err()
}
