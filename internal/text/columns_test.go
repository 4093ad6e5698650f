package text_test

import (
	"testing"

	"mailsetup/internal/text"
)

// A name that is too long does not push the other columns off the screen.
func TestColumns(t *testing.T) {
	got := text.Columns([][]string{
		{"DOMAIN", "SELECTOR", "DNS"},
		{"lab.example", "202611", "bind"},
		{"a-name-that-is-longer.example", "s", "-"},
	}, 30)
	const want = `DOMAIN          SELECTOR  DNS
lab.example     202611    bind
a-name-that-is-longer.example
                s         -
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
