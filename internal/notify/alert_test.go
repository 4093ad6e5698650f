package notify_test

import (
	"fmt"
	"strings"
	"testing"

	"mailsetup/internal/notify"
)

// What others wrote into DNS moves no cursor, and fits a terminal.
func TestAlert(t *testing.T) {
	var said strings.Builder
	logf := func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }
	notify.Alert([]string{"lab.example: \x1b[2J" + strings.Repeat(" word", 20), "and more"}, logf, true)
	const want = `lab.example: \x1b[2J word word word word word word word word word word word
word word word word word word word word word
and more
`
	if said.String() != want {
		t.Errorf("said\n%s\nwant\n%s", said.String(), want)
	}
}
