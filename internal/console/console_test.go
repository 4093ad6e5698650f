package console_test

import (
	"bytes"
	"io"
	"syscall"
	"testing"

	"mailsetup/internal/console"
	"mailsetup/internal/stdio"
	"mailsetup/internal/text"
)

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// What a full disk did not take, or a reader that went away, was read by nobody.
func TestTaken(t *testing.T) {
	for want, w := range map[bool][]io.Writer{
		true:  {&bytes.Buffer{}, stdio.New(&bytes.Buffer{}, nil)},
		false: {stdio.New(failing{syscall.ENOSPC}, nil), stdio.New(failing{syscall.EPIPE}, nil)},
	} {
		for i, out := range w {
			for _, out := range []io.Writer{out, text.NewSafeWriter(out)} { // which is what a command has
				c := console.Console{Out: out, Err: io.Discard}
				if _, err := io.WriteString(c.Out, "a report\n"); err != nil || c.Taken(t.Context()) != want {
					t.Errorf("%v %d: %v", want, i, err)
				}
			}
		}
	}
}
