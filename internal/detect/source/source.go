// Package source reads facts: files through symbolic links, and what programs that change nothing print.
package source

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
)

// Source is what detection may do: read, and run programs that only read.
type Source interface {
	system.Reader
	system.Runner
	system.Units
}

// Options say what to look at beside the fixed things.
type Options struct {
	// Files whose content is wanted in Facts.Files; absent ones are left out.
	Files []state.Path
	// Dirs are directories of whose files, one by one, the same holds.
	Dirs []state.Path
	// Origins are the names whose zones matter: the domains and the host name.
	// Zone files are read for zones equal to or above one of them only, and for
	// those of their keys and policies. The others are Unread.
	Origins []string
	// OwnName: the name of the machine is one of them.
	OwnName bool
	// WithoutZones: no zone matters, and to have BIND list thousands takes a moment.
	WithoutZones bool
	// NamedConf remembers what BIND's configuration says; nil: its program prints it.
	NamedConf *store.NamedConf
	// Unusable is told of a file that cannot be used, or by which its daemon does not run,
	// and the look goes on without it; nil: that is an error.
	Unusable func(err error)
	// Fragments is the directory of our own zone fragments, whose records are
	// left out of Facts.Zones; /etc/bind/mailsetup if empty.
	Fragments state.Path
}

// Text returns the content of a regular file, found through symbolic links; nil if there is none.
func Text(r system.Reader, p state.Path) ([]byte, error) {
	at := p
	for range 10 {
		o, err := r.Read(at)
		if err != nil {
			return nil, err
		}
		switch o.Kind {
		case state.Absent:
			return nil, nil
		case state.Regular:
			return append([]byte{}, o.Content...), nil
		case state.Symlink:
			target := string(o.Content)
			if !path.IsAbs(target) {
				target = path.Join(string(at.Dir()), target)
			}
			at = state.Path(path.Clean(target))
		default:
			return nil, system.Misplaced(at, o, state.Regular)
		}
	}
	return nil, fmt.Errorf("read %s: too many symbolic links", p)
}

// AddText reads a file into the facts. One that is not there is left out.
func AddText(r system.Reader, p state.Path, f *state.Facts) error {
	if p == "" {
		return nil
	}
	text, err := Text(r, p)
	if err == nil && text != nil {
		f.Files[p] = text
	}
	return err
}

// Output runs a program that only reads and returns what it printed. A non-zero exit is an error with the last line
// that the program wrote.
func Output(ctx context.Context, r system.Runner, argv ...string) (string, error) {
	res, err := r.Run(ctx, system.Command{Argv: argv})
	if err != nil {
		return "", fmt.Errorf("run %s: %w", strings.Join(argv, " "), err)
	}
	if res.Code != 0 {
		return "", fmt.Errorf("%s: exit %d: %s", strings.Join(argv, " "), res.Code, LastLine(res))
	}
	return string(res.Stdout), nil
}

// optionalTimeout bounds programs whose answer is not needed: some of them ask name servers.
const optionalTimeout = 5 * time.Second

// OptionalOutput is Output of a program whose answer is not needed, without surrounding white space: "" if it fails or
// takes longer than five seconds.
func OptionalOutput(ctx context.Context, r system.Runner, argv ...string) string {
	ctx, cancel := context.WithTimeout(ctx, optionalTimeout)
	defer cancel()
	out, err := Output(ctx, r, argv...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// LastLine returns the last line that a program wrote, to its standard error if it wrote anything there.
func LastLine(r system.Result) string {
	for _, b := range [][]byte{r.Stderr, r.Stdout} {
		if text := strings.TrimSpace(string(b)); text != "" {
			return text[strings.LastIndexByte(text, '\n')+1:]
		}
	}
	return "no message"
}
