package wildcard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// list reads lines of NAME TYPE VALUE.
func list(text string) []state.Record {
	var rrs []state.Record
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), " ", 3)
		rrs = append(rrs, state.Record{Name: f[0], Type: f[1], TTL: 300, Value: f[2]})
	}
	return rrs
}

func told(losses []Loss) []string {
	var all []string
	for _, l := range losses {
		for _, r := range l.Records {
			all = append(all, fmt.Sprintf("%s %s %s", r.Name, r.Type, l.Owner))
		}
	}
	slices.Sort(all)
	return all
}

const soa = "lab.example. SOA mail hostmaster 1 2 3 4 5\n"

// Each case says what named answers for the names before and after; the property
// test of internal/e2e asks it for many more.
func TestLosses(t *testing.T) {
	for name, tc := range map[string]struct {
		zone  string
		names []string
		add   string
		want  []string
	}{
		"no wildcard": {soa, nil, "shop.lab.example. TXT x", nil},
		"a name that exists loses nothing": {
			soa + "*.lab.example. A 192.0.2.80\nshop.lab.example. A 192.0.2.1", nil, "shop.lab.example. TXT x", nil,
		},
		"a new name, and what is below it": {
			soa + "*.lab.example. A 192.0.2.80\n*.lab.example. MX 10 mx.lab.example.", nil, "SHOP.lab.example. TXT x",
			[]string{"*.shop.lab.example. A *.lab.example.", "*.shop.lab.example. MX *.lab.example.", "shop.lab.example. A *.lab.example.", "shop.lab.example. MX *.lab.example."},
		},
		"names that exist with others below them": {
			soa + "*.lab.example. A 192.0.2.80", nil, "s1._domainkey.shop.lab.example. TXT x",
			[]string{
				"*._domainkey.shop.lab.example. A *.lab.example.", "*.s1._domainkey.shop.lab.example. A *.lab.example.", "*.shop.lab.example. A *.lab.example.",
				"_domainkey.shop.lab.example. A *.lab.example.", "s1._domainkey.shop.lab.example. A *.lab.example.", "shop.lab.example. A *.lab.example.",
			},
		},
		"a name that exists because of another one below it": {
			soa + "*.lab.example. A 192.0.2.80\nwww.shop.lab.example. A 192.0.2.1", nil, "shop.lab.example. TXT x", nil,
		},
		"a name known to exist": {
			soa + "*.lab.example. A 192.0.2.80", []string{"www.shop.lab.example."}, "shop.lab.example. TXT x", nil,
		},
		"the closest encloser decides, although it has no wildcard": {
			soa + "*.lab.example. A 192.0.2.80\nb.lab.example. A 192.0.2.1", nil, "a.b.lab.example. TXT x", nil,
		},
		"of two wildcards the nearer one": {
			soa + "*.lab.example. A 192.0.2.80\n*.b.lab.example. AAAA 2001:db8::1", nil, "a.b.lab.example. TXT x",
			[]string{"*.a.b.lab.example. AAAA *.b.lab.example.", "a.b.lab.example. AAAA *.b.lab.example."},
		},
		"a wildcard is no cover for the name that holds it": {
			soa + "*.b.lab.example. A 192.0.2.80", nil, "b.lab.example. TXT x", nil,
		},
		"what the new record says itself is not lost": {
			soa + "*.lab.example. A 192.0.2.80", nil, "shop.lab.example. A 192.0.2.80", []string{"*.shop.lab.example. A *.lab.example."},
		},
		"the apex exists always": {soa + "*.lab.example. TXT y", nil, "lab.example. TXT x", nil},
		"signatures are nobody's loss": {
			soa + "*.lab.example. RRSIG A 13 2 300\n*.lab.example. NSEC x", nil, "shop.lab.example. TXT x", nil,
		},
		"a dot inside a label": {
			soa + "*.lab.example. A 192.0.2.80", nil, `a\.b.lab.example. TXT x`,
			[]string{`*.a\.b.lab.example. A *.lab.example.`, `a\.b.lab.example. A *.lab.example.`},
		},
	} {
		z := Zone{Origin: "lab.example.", Records: list(tc.zone), Names: tc.names}
		if got := told(z.Losses(list(tc.add))); !slices.Equal(got, tc.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}

// A root zone has names right below it.
func TestLossesBelowTheRoot(t *testing.T) {
	z := Zone{Origin: ".", Records: list("*. A 192.0.2.80")}
	if got, want := told(z.Losses(list("lab. TXT x"))), []string{"*.lab. A *.", "lab. A *."}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
