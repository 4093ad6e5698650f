package text_test

import (
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
