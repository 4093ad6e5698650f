package main

import (
	"bytes"
	"strings"
)

// packageProgress passes on the lines of apt and dpkg that show that work goes
// on, one for each package, and keeps the rest to itself: what went wrong is in
// the error.
type packageProgress struct {
	c       console
	partial []byte
}

// Write implements io.Writer.
func (p *packageProgress) Write(b []byte) (int, error) {
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

func (p *packageProgress) line(l string) {
	f := strings.Fields(l)
	switch {
	case strings.HasPrefix(l, "Get:") && len(f) > 4:
		p.c.say("  download %s", f[4])
	case strings.HasPrefix(l, "Unpacking ") && len(f) > 1:
		p.c.say("  unpack %s", f[1])
	case strings.HasPrefix(l, "Setting up ") && len(f) > 2:
		p.c.say("  set up %s", f[2])
	case strings.HasPrefix(l, "Removing ") && len(f) > 1:
		p.c.say("  remove %s", f[1])
	}
}
