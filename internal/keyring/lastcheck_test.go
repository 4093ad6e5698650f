package keyring

import (
	"testing"
	"time"
)

func TestCheckedText(t *testing.T) {
	c := LastCheck{
		At: day(3).Add(time.Millisecond).In(time.FixedZone("x", 3600)), Found: `ns2: "v=DKIM1" < 255`,
		Seen: map[string]time.Time{"202611": day(2)},
	}
	const want = `{
  "at": "2026-11-03T08:30:15Z",
  "ok": false,
  "found": "ns2: \"v=DKIM1\" < 255",
  "seen": {
    "202611": "2026-11-02T08:30:15Z"
  }
}
`
	equal(t, "text", string(MarshalLastCheck(c)), want)
	got, err := ParseLastCheck([]byte(want))
	if err != nil {
		t.Fatal(err)
	}
	c.At = day(3)
	equal(t, "parsed", got, c)
	equal(t, "path", string(LastCheckFile("shop.example")), "/var/lib/mailsetup/dns-checks/shop.example.json")
}

func TestParseChecked(t *testing.T) {
	got, err := ParseLastCheck([]byte(`{"at":"2026-11-03T10:30:15+02:00","ok":true,"found":"all","more":1}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "unknown field", got, LastCheck{At: day(3), OK: true, Found: "all"})
	if _, err := ParseLastCheck([]byte(`{"at":1}`)); err == nil || err.Error()[:18] != "parse last check: " {
		t.Errorf("%v", err)
	}
}

func TestCheckedAfter(t *testing.T) {
	earlier := LastCheck{At: day(2), OK: true, Found: "old", Seen: map[string]time.Time{"a": day(1), "b": day(2)}}
	now := LastCheck{At: day(5), Found: "new", Seen: map[string]time.Time{"b": day(5), "c": day(5)}}
	equal(t, "after", now.After(earlier), LastCheck{
		At: day(5), Found: "new", Seen: map[string]time.Time{"a": day(1), "b": day(2), "c": day(5)},
	})
	equal(t, "first", now.After(LastCheck{}), now)
}

func TestRecently(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		at   time.Time
		want bool
	}{
		"never":                   {time.Time{}, false},
		"now":                     {now, true},
		"a moment within the day": {now.Add(-24*time.Hour + time.Second), true},
		"a day ago":               {now.Add(-24 * time.Hour), false},
		"in the future":           {now.Add(time.Second), false},
	} {
		if got := Recently(tt.at, now, 24*time.Hour); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
