package text_test

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/text"
)

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		given string
		width int
		want  string
	}{
		{"", 10, ""},
		{"one two three", 7, "one two\nthree"},
		{"one two three", 13, "one two three"},
		{"mail.example.org is long", 4, "mail.example.org\nis\nlong"},
		{"one\n\ntwo three\n", 5, "one\n\ntwo\nthree\n"},
		{"  one  \n two ", 20, "one\ntwo"},
		{"v=spf1  a\t-all", 20, "v=spf1  a -all"}, // a value is not made another one
		{"v=spf1  a", 8, "v=spf1\na"},
		{"Größe für", 9, "Größe für"}, // columns are not bytes
		{"Größe für", 8, "Größe\nfür"},
	} {
		if got := text.Wrap(tt.given, tt.width); got != tt.want {
			t.Errorf("Wrap(%q, %d) = %q, want %q", tt.given, tt.width, got, tt.want)
		}
	}
}

func TestIndent(t *testing.T) {
	if got, want := text.Indent("a\n\n b\n", 2), "  a\n\n   b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Tabs in zone files are what the administrator sees in the editor.
func TestExpandTabs(t *testing.T) {
	for given, want := range map[string]string{
		"a\tb":           "a       b",
		"1234567\t8":     "1234567 8",
		"12345678\t9":    "12345678        9",
		"ü\tx\t \r":      "ü       x",
		"no tab at all ": "no tab at all",
	} {
		if got := text.ExpandTabs(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		line        string
		first, rest int
		want        []string
	}{
		{"short", 10, 10, []string{"short"}},
		{"one two three four", 7, 5, []string{"one two", "three", "four"}},
		{"p=MIIBIjANBgkq", 6, 4, []string{"p=MIIB", "IjAN", "Bgkq"}},
		{"   indented", 6, 20, []string{"   ind", "ented"}}, // the indentation is no place to cut
		{"ääää ä", 4, 4, []string{"ääää", "ä"}},
	} {
		if got := text.Cut(tt.line, tt.first, tt.rest); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.line, got, tt.want)
		}
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("one two three", 7)
	f.Add("a  \n\n b", 1)
	f.Add("mail.example.org is long", 4)
	f.Fuzz(func(t *testing.T, given string, width int) {
		got := text.Wrap(given, width)
		if a, b := strings.Fields(given), strings.Fields(got); strings.Join(a, " ") != strings.Join(b, " ") {
			t.Fatalf("Wrap(%q, %d) = %q changes words", given, width, got)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if n := len([]rune(line)); n > width && len(strings.Fields(line)) > 1 {
				t.Fatalf("Wrap(%q, %d): %d columns: %q", given, width, n, line)
			}
		}
	})
}
