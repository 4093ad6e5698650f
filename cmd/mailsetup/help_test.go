package main

import (
	"bytes"
	"strings"
	"testing"

	"mailsetup/internal/console"
)

// A terminal of 80 columns shows every help as it was written.
func TestHelpFitsTheTerminal(t *testing.T) {
	names := []string{""}
	for _, c := range app(console.Console{}).Commands {
		names = append(names, c.Name)
	}
	for _, name := range names {
		var out bytes.Buffer
		args := strings.Fields("mailsetup " + name + " --help")
		if code := run(t.Context(), args, console.Console{Out: &out, Err: &out}); code != exitDone || out.Len() == 0 {
			t.Errorf("%v: exit %d", args, code)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
				t.Errorf("%v: %d columns: %s", args, n, line)
			}
		}
	}
}
