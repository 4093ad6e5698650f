package nsupdate_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// What a primary says of its wildcards, and which names exist by themselves.
func TestCover(t *testing.T) {
	zone := []string{
		"*.example.org. 300 IN A 192.0.2.80", "*.example.org. 300 IN MX 10 mx.example.net.",
		"own.example.org. 300 IN A 192.0.2.1", "www.deep.example.org. 300 IN A 192.0.2.2", "same.example.org. 300 IN A 192.0.2.80", "same.example.org. 300 IN MX 10 mx.example.net.",
		"*.alias.example.org. 300 IN CNAME www.deep.example.org.",
		`web.deep.example.org. 300 IN TXT "v=spf1 -all"`, `ours.example.org. 300 IN TXT "v=spf1 -all"`, "copied.example.org. 300 IN A 192.0.2.80", "copied.example.org. 300 IN MX 10 mx.example.net.",
		"*.copied.example.org. 300 IN A 192.0.2.80", "*.copied.example.org. 300 IN MX 10 mx.example.net.", `copied.example.org. 300 IN TXT "v=spf1 -all"`,
		`s1._domainkey.key.example.org. 300 IN TXT "v=DKIM1; p=MIIB"`,
	}
	ours := []state.Record{
		txt("ours.example.org.", "v=spf1 -all"), txt("copied.example.org.", "v=spf1 -all"), txt("s1._domainkey.key.example.org.", "v=DKIM1; p=MIIB"), txt("_dmarc.new.example.org.", "v=DMARC1"), txt("web.deep.example.org.", "v=spf1 -all"),
		{Name: "copied.example.org.", Type: "A", Value: "192.0.2.80"},
		{Name: "copied.example.org.", Type: "MX", Value: "10 mx.example.net."},
	}
	p := newPrimary(t, zone...)
	for name, exists := range map[string]bool{
		"own": true, "deep": true, "same": true, "alias": true, "a.alias": false, "ours": false, "copied": false, "key": true, "_domainkey.key": true, "new": false, "_dmarc.new": false,
	} {
		ask, key := testPrimaries(t, nil) // the library ends a connection after 128 questions
		c, err := ask.Coverage(t.Context(), p.addr, key, "example.org.", []string{"example.org.", name + ".example.org."}, ours)
		if err != nil || c.Origin != "example.org." {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
		if got := slices.Contains(c.Names, name+".example.org."); got != exists {
			t.Errorf("%s exists by itself: %v, want %v", name, got, exists)
		}
		var records []string
		for _, r := range c.Records {
			records = append(records, r.Name+" "+r.Type+" "+r.Value)
		}
		want := "*.example.org. A 192.0.2.80|*.example.org. MX 10 mx.example.net."
		if strings.HasSuffix(name, "alias") {
			want += "|*.alias.example.org. CNAME www.deep.example.org.|www.deep.example.org. A 192.0.2.2"
		}
		if got := strings.Join(records, "|"); got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
	}
	if len(p.updates) > 0 {
		t.Errorf("%d updates", len(p.updates))
	}
}

// Without wildcards there is nothing to know.
func TestCoverWithoutWildcards(t *testing.T) {
	p := newPrimary(t, "own.example.org. 300 IN A 192.0.2.1")
	ask, key := testPrimaries(t, nil)
	c, err := ask.Coverage(t.Context(), p.addr, key, "example.org.", []string{"example.org.", "own.example.org.", "s1._domainkey.example.org."}, nil)
	if err != nil || len(c.Records) > 0 || !slices.Equal(c.Names, []string{"own.example.org."}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// A primary answers for names that do not exist as if the wildcard's records
// stood there. They neither forbid an update, nor are they waited for to go.
func TestUpdateUnderWildcard(t *testing.T) {
	const wild = "*.example.org.\t300\tIN\tA\t192.0.2.80"
	p := newPrimary(t, "*.example.org. 300 IN A 192.0.2.80")
	u := state.Update{
		Origin: "example.org.", Server: p.addr, KeyFile: keyPath,
		Add: []state.Record{
			{Name: "shop.example.org.", Type: "A", TTL: 300, Value: "192.0.2.80"}, {Name: "*.shop.example.org.", Type: "A", TTL: 300, Value: "192.0.2.80"}, txt("shop.example.org.", "v=spf1 -all"),
		},
	}
	if err := goodUpdater().Update(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	want := []string{"*.shop.example.org.\t300\tIN\tA\t192.0.2.80", wild, "shop.example.org.\t300\tIN\tA\t192.0.2.80", "shop.example.org.\t3600\tIN\tTXT\t\"v=spf1 -all\""}
	got := p.texts()
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := goodUpdater().Update(t.Context(), u.Inverse()); err != nil {
		t.Fatal(err)
	}
	if got := p.texts(); !slices.Equal(got, []string{wild}) {
		t.Errorf("taken back: %q", got)
	}
	if err := goodUpdater().Update(t.Context(), u.Inverse()); err != nil {
		t.Errorf("once more: %v", err)
	}
}
