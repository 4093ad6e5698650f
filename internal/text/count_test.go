package text_test

import (
	"strings"
	"testing"

	"mailsetup/internal/text"
)

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"0 keys":       text.Count(0, "key"),
		"1 key":        text.Count(1, "key"),
		"2 keys":       text.Count(2, "key"),
		"1 file is":    text.CountOf(1, "file is", "files are"),
		"12 files are": text.CountOf(12, "file is", "files are"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// Thousands of records at a name fill no screen.
func TestValues(t *testing.T) {
	many := make([]string, 2000)
	for i := range many {
		many[i] = "v=spf1 -all"
	}
	for _, tt := range []struct {
		in   []string
		want string
	}{
		{nil, ""},
		{[]string{"a"}, "a"},
		{[]string{"a", "b", "c"}, "a and b and c"},
		{[]string{"a", "b", "c", "d"}, "a, b, c, and 1 more"},
		{many, "v=spf1 -all, v=spf1 -all, v=spf1 -all, and 1997 more"},
		{[]string{strings.Repeat("x", 60000)}, strings.Repeat("x", 450) + "... (60000 octets)"},
	} {
		if got := text.Values(tt.in); got != tt.want {
			t.Errorf("%d texts: %.100q, want %.100q", len(tt.in), got, tt.want)
		}
	}
}

func TestList(t *testing.T) {
	names := []string{"a.example", "b.example", "c.example"}
	for most, want := range map[int]string{
		3: "a.example, b.example, c.example",
		2: "a.example, b.example and 1 more",
	} {
		if got := text.List(names, most); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
