package system_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/system"
)

// Why a program died is shown, however much others wrote after that.
func TestExcerptOfAJournal(t *testing.T) {
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprint("line ", i))
	}
	died := append([]string{"fatal: first", "fatal: no SASL authentication mechanisms"}, many...)
	for name, c := range map[string]struct {
		lines       []string
		n           int
		first, last string
	}{
		"none":                   {nil, 0, "", ""},
		"few":                    {many[:3], 3, "line 0", "line 2"},
		"many":                   {many, 20, "line 10", "line 29"},
		"a death long ago":       {died, 20, "fatal: no SASL authentication mechanisms", "line 29"},
		"a death among the last": {append(died, "panic: x"), 20, "line 11", "panic: x"},
	} {
		got := system.Excerpt(c.lines, 20)
		if len(got) != c.n || c.n > 0 && (got[0] != c.first || got[len(got)-1] != c.last) {
			t.Errorf("%s: %d lines: %s", name, len(got), strings.Join(got, " | "))
		}
	}
}
