package main

import (
	"bytes"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

const (
	mainCf state.Path = "/etc/postfix/main.cf"
	// freshFile remembers main.cf as it was right after we installed Postfix:
	// as long as it still is, its settings are nobody's wish, also for a run
	// that follows one which failed.
	freshFile = plan.Home + "/postfix-as-installed"
)

func (s *session) markFresh() error {
	main, err := s.Sys.Read(mainCf)
	if err != nil || main.Kind != state.Regular {
		return err
	}
	if !s.exists(plan.Home) {
		home := state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root}
		if err := s.Sys.Mkdir(plan.Home, home); err != nil {
			return err
		}
	}
	if s.exists(freshFile) {
		if err := s.Sys.Remove(freshFile); err != nil {
			return err
		}
	}
	return s.Sys.Create(freshFile, state.Object{
		Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(plan.Hash(main.Content) + "\n"),
	})
}

func (s *session) isFresh() bool {
	mark, err := s.Sys.Read(freshFile)
	if err != nil || mark.Kind != state.Regular {
		return false
	}
	main, err := s.Sys.Read(mainCf)
	return err == nil && strings.TrimSpace(string(mark.Content)) == plan.Hash(main.Content)
}

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
