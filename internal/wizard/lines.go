package wizard

import (
	"context"
	"errors"
	"io"
	"strings"
)

// maxLine is the longest line that is taken, in octets; huh's scanner takes no
// line beyond 64 KiB and would call it the end of the input.
const maxLine = 4096

var errLongLine = errors.New("read answer: the line is too long")

// lines reads whole lines and not a byte more: what follows belongs to the
// next prompt, or to whoever reads after us.
type lines struct{ in io.Reader }

func newLines(in io.Reader) *lines { return &lines{in: in} }

// next is the next line without its end. A line cut off by the end of the
// input was never entered: it counts as io.EOF. When the context ends first,
// the read is left behind, since a read from a terminal cannot be called back;
// that is the end of the program anyhow.
func (l *lines) next(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		line, err := l.read()
		got <- result{line, err}
	}()
	select {
	case r := <-got:
		return r.line, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (l *lines) read() (string, error) {
	var line []byte
	var one [1]byte
	for {
		n, err := l.in.Read(one[:])
		switch {
		case n == 1 && one[0] == '\n':
			return strings.TrimSuffix(string(line), "\r"), nil
		case n == 1 && len(line) == maxLine:
			return "", errLongLine
		case n == 1:
			line = append(line, one[0])
		case err != nil:
			return "", err
		}
	}
}

// lineReader is the input of one field of huh. It hands out a line per Read, because
// each field scans with a buffer of its own and loses what it read ahead. It
// remembers how the input ended, because the fields do not say.
type lineReader struct {
	ctx   context.Context // of one Ask or Confirm; io.Reader takes none
	lines *lines
	rest  string
	err   error
	// enter ends the input with an empty line. A choice takes that for its
	// proposal; without it, huh takes the last answer that it refused, and
	// panics.
	enter bool
}

// Read implements io.Reader. The word for going back ends the input of this
// field, and only of this one.
func (f *lineReader) Read(p []byte) (int, error) {
	if f.rest == "" && f.err == nil {
		line, err := f.lines.next(f.ctx)
		switch {
		case err != nil:
			f.err = err
		case strings.TrimSpace(line) == backWord:
			f.err = errBack
		default:
			f.rest = line + "\n"
		}
	}
	if f.err != nil && f.enter {
		f.enter = false
		return copy(p, "\n"), nil
	}
	if f.err != nil {
		return 0, io.EOF
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}
