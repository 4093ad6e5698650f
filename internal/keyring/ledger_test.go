package keyring

import (
	"bytes"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func day(n int) time.Time { return time.Date(2026, 11, n, 8, 30, 15, 0, time.UTC) }

func key(selector string, stage Stage) Key {
	return Key{
		Selector: selector, Bits: 2048, Public: "MIIB+/=", Fingerprint: "SHA256:abc",
		File: "/etc/dkimkeys/shop.example/" + selector + ".private", Stage: stage,
		Since: map[Stage]time.Time{Staged: day(1), stage: day(2)},
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestFileText(t *testing.T) {
	k := key("202611", Active)
	k.Seen = day(3)
	const want = `{
  "version": 1,
  "keys": [
    {
      "selector": "202611",
      "bits": 2048,
      "public": "MIIB+/=",
      "fingerprint": "SHA256:abc",
      "file": "/etc/dkimkeys/shop.example/202611.private",
      "stage": "active",
      "seen": "2026-11-03T08:30:15Z",
      "since": {
        "active": "2026-11-02T08:30:15Z",
        "staged": "2026-11-01T08:30:15Z"
      }
    }
  ]
}
`
	equal(t, "text", string(MarshalDomain([]Key{k})), want)
	equal(t, "empty", string(MarshalDomain(nil)), "{\n  \"version\": 1,\n  \"keys\": []\n}\n")
	equal(t, "path", string(File("shop.example")), "/var/lib/mailsetup/keyring/shop.example.json")
}

func TestFileRoundTrip(t *testing.T) {
	want := []Key{key("a", Gone), key("b", Draining), key("c", Active), key("d", Publishing)}
	want[2].Seen = day(4)
	got, err := ParseDomain(MarshalDomain(want))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "keys", got, want)
	// A local time zone and fractions of a second make no other file.
	shifted := want[2]
	shifted.Seen = shifted.Seen.Add(time.Millisecond).In(time.FixedZone("x", 3600))
	equal(t, "text", string(MarshalDomain([]Key{shifted})), string(MarshalDomain(want[2:3])))
}

func TestParseDomainRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "parse ledger: EOF",
		"{}":                          "parse ledger: version 0 is not known, only 1",
		`{"version":2}`:               "parse ledger: version 2 is not known, only 1",
		`{"version":1,"private":"x"}`: `parse ledger: unknown field "private"`,
		`{"version":1,"keys":[]} {}`:  "parse ledger: text after the end",
		`{"version":1,"keys":[{}]}`:   "parse ledger: key without a selector",
		`{"version":1,"keys":[{"selector":"a","stage":"lost"}]}`:                                     `parse ledger: key "a": stage "lost" is not known`,
		`{"version":1,"keys":[{"selector":"a","stage":"gone"},{"selector":"A","stage":"staged"}]}`:   `parse ledger: selector "A": used for two keys`,
		`{"version":1,"keys":[{"selector":"a","stage":"active"},{"selector":"b","stage":"active"}]}`: `parse ledger: keys "a" and "b": both active`,
		`{"version":1,"keys":[{"selector":"a","stage":"active","seen":"yesterday"}]}`:                `parse ledger: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`,
	} {
		_, err := ParseDomain([]byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestSigning(t *testing.T) {
	for name, test := range map[string]struct {
		keys []Key
		want string
	}{
		"none":                   {nil, ""},
		"first":                  {[]Key{key("a", Staged)}, "a"},
		"newest of two firsts":   {[]Key{key("a", Published), key("b", Staged)}, "b"},
		"active wins":            {[]Key{key("a", Draining), key("b", Active), key("c", Published)}, "b"},
		"draining never signs":   {[]Key{key("a", Draining), key("b", Revoked), key("c", Gone)}, ""},
		"first after a rollback": {[]Key{key("a", Gone), key("b", Publishing)}, "b"},
	} {
		got, ok := Ledger{"shop.example": test.keys}.Signing("shop.example")
		if got.Selector != test.want || ok != (test.want != "") {
			t.Errorf("%s: %q, %v", name, got.Selector, ok)
		}
	}
	if _, ok := (Ledger{"shop.example": {key("a", Active)}}).Signing("b.example"); ok {
		t.Error("a key of another domain signs")
	}
}

func TestWithCopies(t *testing.T) {
	before := Ledger{"shop.example": {key("a", Active)}, "b.example": {key("z", Active)}}
	after := before.Put("shop.example", key("b", Staged)).Put("shop.example", key("A", Draining)).Put("c.example", key("c", Staged))
	equal(t, "before", before, Ledger{"shop.example": {key("a", Active)}, "b.example": {key("z", Active)}})
	equal(t, "after", after, Ledger{
		"shop.example": {key("A", Draining), key("b", Staged)}, "b.example": {key("z", Active)}, "c.example": {key("c", Staged)},
	})
	equal(t, "from nothing", Ledger(nil).Put("x.example", key("a", Staged)), Ledger{"x.example": {key("a", Staged)}})
}

func TestWithdrawn(t *testing.T) {
	keys := []Key{key("a", Gone), key("b", Active)}
	got := Withdrawn(keys, day(9))
	equal(t, "before", keys, []Key{key("a", Gone), key("b", Active)})
	gone := key("b", Active)
	gone.Stage, gone.Since[Gone] = Gone, day(9)
	equal(t, "withdrawn", got, []Key{key("a", Gone), gone})
	l := Ledger{"shop.example": got}
	if !l.SelectorUsed("shop.example", "B") || l.SelectorUsed("shop.example", "c") || l.SelectorUsed("b.example", "a") {
		t.Error("used selectors are not those of the domain's keys")
	}
	if k, ok := l.Signing("shop.example"); ok {
		t.Errorf("%s signs", k.Selector)
	}
}

func TestAtKeepsFirstSuccess(t *testing.T) {
	k := Key{Selector: "a"}.At(Staged, day(1)).At(Active, day(2)).At(Staged, day(3))
	equal(t, "since", k.Since, map[Stage]time.Time{Staged: day(1), Active: day(2)})
	equal(t, "stage", k.Stage, Staged)
}

func TestChoose(t *testing.T) {
	tails := []string{"aaaa", "bbbb"}
	random := func(n int) string {
		next := tails[0]
		tails = tails[1:]
		return next[:n]
	}
	free := func(string) bool { return false }
	equal(t, "free", ChooseSelector("", day(30), free, random), "202611")
	taken := map[string]bool{"202611": true, "202611-aaaa": true}
	equal(t, "of a server", ChooseSelector("mx1", day(30), free, random), "mx1-202611")
	equal(t, "taken", ChooseSelector("", day(30), func(s string) bool { return taken[s] }, random), "202611-bbbb")
	// All taken ends, with something that is still a selector.
	all := func(string) bool { return true }
	equal(t, "all taken", ChooseSelector("", day(30), all, func(n int) string { return strings.Repeat("z", n) }), "202611-zzzz")
}

func FuzzParseDomain(f *testing.F) {
	f.Add(MarshalDomain([]Key{key("a", Gone), key("b", Active)}))
	f.Add([]byte(`{"version":1,"keys":[{"selector":"a","stage":"active","since":{"x":"0000-01-01T00:00:00+23:59"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := ParseDomain(text)
		if err != nil {
			return
		}
		again, err := ParseDomain(MarshalDomain(keys))
		if err != nil || !cmp.Equal(keys, again, cmpopts.EquateEmpty()) {
			t.Fatalf("written and read again: %v, %v, want %v", again, err, keys)
		}
	})
}

func TestDrain(t *testing.T) {
	keys := []Key{key("a", Draining), key("b", Active), key("c", Publishing), key("d", Gone)}
	got := Drain(keys, day(9))
	var stages []Stage
	for _, k := range got {
		stages = append(stages, k.Stage)
	}
	equal(t, "stages", stages, []Stage{Draining, Draining, Draining, Gone})
	equal(t, "since", []time.Time{got[0].Since[Draining], got[1].Since[Draining]}, []time.Time{day(2), day(9)})
	equal(t, "before", keys[1].Stage, Active)
	if _, ok := (Ledger{"shop.example": got}).Signing("shop.example"); ok {
		t.Error("a drained domain still signs")
	}
	const drain = 14 * 24 * time.Hour
	for _, test := range []struct {
		key  Key
		now  time.Time
		want bool
	}{
		{got[1], day(9), false},
		{got[1], day(9 + 14).Add(-time.Second), false},
		{got[1], day(9 + 14), true},
		{got[1], day(1), false}, // the clock went back
		{key("b", Active), day(9 + 30), false},
		{key("d", Gone), day(9 + 30), false},
		{Key{Selector: "x", Stage: Draining}, day(9 + 30), false}, // nobody knows since when
	} {
		if got := test.key.Drained(test.now, drain); got != test.want {
			t.Errorf("%s %s at %v: %v", test.key.Selector, test.key.Stage, test.now, got)
		}
	}
}

func TestAdoptedIsRemembered(t *testing.T) {
	k := key("a", Active)
	k.Adopted = true
	got, err := ParseDomain(MarshalDomain([]Key{k}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "keys", got, []Key{k})
}

func TestSame(t *testing.T) {
	local := time.FixedZone("", 3600)
	for name, change := range map[string]struct {
		do   func(k *Key)
		same bool
	}{
		"nothing":           {func(*Key) {}, true},
		"another zone":      {func(k *Key) { k.Since[Active] = k.Since[Active].In(local) }, true},
		"part of a second":  {func(k *Key) { k.Since[Active] = k.Since[Active].Add(time.Millisecond) }, true},
		"another second":    {func(k *Key) { k.Since[Active] = k.Since[Active].Add(time.Second) }, false},
		"a stage more":      {func(k *Key) { k.Since[Draining] = day(9) }, false},
		"seen":              {func(k *Key) { k.Seen = day(9) }, false},
		"stage":             {func(k *Key) { k.Stage = Draining }, false},
		"public key":        {func(k *Key) { k.Public += "x" }, false},
		"adopted":           {func(k *Key) { k.Adopted = true }, false},
		"first of its kind": {func(k *Key) { k.Since = nil }, false},
	} {
		a, b := key("a", Active), key("a", Active)
		b.Since = maps.Clone(b.Since)
		change.do(&b)
		if got := EqualOnDisk([]Key{a}, []Key{b}); got != change.same {
			t.Errorf("%s: %v", name, got)
		}
		if files := bytes.Equal(MarshalDomain([]Key{a}), MarshalDomain([]Key{b})); files != change.same {
			t.Errorf("%s: the files say %v", name, files)
		}
	}
	if EqualOnDisk([]Key{key("a", Active)}, nil) {
		t.Error("a key and none are the same")
	}
}
