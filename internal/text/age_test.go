package text_test

import (
	"testing"
	"time"

	"mailsetup/internal/text"
)

func TestAgoAndSoon(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		at        time.Time
		ago, soon string
	}{
		{time.Time{}, "-", "-"},
		{now, "0m ago", "now"},
		{now.Add(-time.Hour), "60m ago", "now"},
		{now.Add(-48 * time.Hour), "2026-11-20", "now"},
		{now.Add(time.Second), "2026-11-22", "in 1m"},
		{now.Add(47 * time.Hour), "2026-11-24", "in 47h"},
		{now.Add(48 * time.Hour), "2026-11-24", "2026-11-24"},
	} {
		if got := text.Ago(tc.at, now); got != tc.ago {
			t.Errorf("%v: %q, want %q", tc.at, got, tc.ago)
		}
		if got := text.Soon(tc.at, now); got != tc.soon {
			t.Errorf("%v: %q, want %q", tc.at, got, tc.soon)
		}
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	for want, at := range map[string]time.Time{
		"-":    {},
		"0m":   now.Add(time.Hour), // a clock that was set back
		"119m": now.Add(-2*time.Hour + time.Second),
		"2h":   now.Add(-2 * time.Hour),
		"47h":  now.Add(-48*time.Hour + time.Second),
		"2d":   now.Add(-48 * time.Hour),
	} {
		if got := text.Age(at, now); got != want {
			t.Errorf("%v: %q, want %q", at, got, want)
		}
	}
}
