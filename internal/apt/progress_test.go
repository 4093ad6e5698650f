package apt_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"mailsetup/internal/apt"
)

// One line a package and step, wherever apt's output is cut into pieces.
func TestProgress(t *testing.T) {
	const printed = `Reading package lists...
Get:1 http://deb.example/debian trixie/main amd64 opendkim amd64 2.11.0 [212 kB]
Get:2
Fetched 212 kB in 0s (1,024 kB/s)
Unpacking opendkim (2.11.0) ...
Setting up opendkim (2.11.0) ...
Removing exim4-base (4.98) ...
Setting up a line without end`
	const want = "  download opendkim\n  unpack opendkim\n  set up opendkim\n  remove exim4-base\n"
	for _, size := range []int{1, 7, len(printed)} {
		var said strings.Builder
		w := apt.Progress(func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) })
		n, err := io.CopyBuffer(w, struct{ io.Reader }{strings.NewReader(printed)}, make([]byte, size))
		if said.String() != want || n != int64(len(printed)) || err != nil {
			t.Errorf("in pieces of %d: %d, %v, said\n%s", size, n, err, said.String())
		}
	}
}
