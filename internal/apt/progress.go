package apt

import (
	"bytes"
	"io"
	"strings"
)

// Progress returns a writer for what apt and dpkg print. It passes on the lines that
// show that work goes on, one for each package, and keeps the rest to itself: what
// went wrong is in the error.
func Progress(logf func(format string, a ...any)) io.Writer { return &progress{logf: logf} }

type progress struct {
	logf    func(format string, a ...any)
	partial []byte
}

// Write implements io.Writer.
func (p *progress) Write(b []byte) (int, error) {
	p.partial = append(p.partial, b...)
	for {
		line, rest, whole := bytes.Cut(p.partial, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		p.line(string(line))
		p.partial = rest
	}
}

func (p *progress) line(l string) {
	f := strings.Fields(l)
	switch {
	case strings.HasPrefix(l, "Get:") && len(f) > 4:
		p.logf("  download %s", f[4])
	case strings.HasPrefix(l, "Unpacking ") && len(f) > 1:
		p.logf("  unpack %s", f[1])
	case strings.HasPrefix(l, "Setting up ") && len(f) > 2:
		p.logf("  set up %s", f[2])
	case strings.HasPrefix(l, "Removing ") && len(f) > 1:
		p.logf("  remove %s", f[1])
	}
}
