package wizard

import (
	"context"
	"errors"
	"io"
	"strings"
)

// maxLine is the longest line that is taken, in octets.
const maxLine = 4096

var errLongLine = errors.New("read answer: the line is too long")

// lines reads whole lines and not a byte more: the rest belongs to the next prompt, or
// to another reader.
type lines struct{ in io.Reader }

// next returns the next line without its end. A line cut off by the end of the input
// was never entered: it counts as io.EOF. If the context ends first, the read is
// abandoned, since a read from a terminal cannot be cancelled; the program ends anyhow.
func (l lines) next(ctx context.Context) (string, error) {
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

func (l lines) read() (string, error) {
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
