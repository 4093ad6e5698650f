package hint_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"mailsetup/internal/hint"
)

// advised is an error of another package.
type advised struct {
	lines []string
	usage bool
}

func (a advised) Error() string   { return "another package's" }
func (a advised) Hints() []string { return a.lines }
func (a advised) IsUsage() bool   { return a.usage }

// lesser has hints, and says nothing about usage.
type lesser struct{ advised }

func (lesser) IsUsage() {}

// The first error that can have hints decides: what lies below it was advice for
// somebody else.
func TestOf(t *testing.T) {
	for _, tt := range []struct {
		name  string
		err   error
		lines []string
		usage bool
	}{
		{"no error", nil, nil, false},
		{"any error", errors.New("x"), nil, false},
		{"one", hint.New("do this", "it failed"), []string{"do this"}, false},
		{"several lines", hint.New("do this\n\nor that\n", "it failed"), []string{"do this", "or that"}, false},
		{"usage", hint.NewUsage("look there", "no flag %s", "--x"), []string{"look there"}, true},
		{"wrapped", fmt.Errorf("install: %w", hint.NewUsage("do this", "x")), []string{"do this"}, true},
		{"replaced", hint.New("outer", "x: %w", hint.NewUsage("inner", "x")), []string{"outer"}, false},
		{"taken away", hint.New("", "x: %w", hint.NewUsage("inner", "x")), nil, false},
		{"another package's", fmt.Errorf("x: %w", advised{[]string{"a", "b"}, true}), []string{"a", "b"}, true},
		{"another package's, no usage", advised{[]string{"a"}, false}, []string{"a"}, false},
		{"without the question", lesser{advised{[]string{"a"}, true}}, []string{"a"}, false},
		{"joined", errors.Join(errors.New("x"), hint.New("first", "y"), hint.NewUsage("second", "z")), []string{"first"}, false},
		{"joined within", fmt.Errorf("%w: %w", errors.New("x"), fmt.Errorf("y: %w", hint.NewUsage("deep", "z"))), []string{"deep"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hint.Of(tt.err); !slices.Equal(got, tt.lines) {
				t.Errorf("hints %q, want %q", got, tt.lines)
			}
			if got := hint.IsUsage(tt.err); got != tt.usage {
				t.Errorf("usage %v, want %v", got, tt.usage)
			}
		})
	}
}

// An error with hints reads as it would without them, and is what it was.
func TestErrorKeepsItsCause(t *testing.T) {
	cause := errors.New("disk full")
	err := hint.New("make room", "write %s: %w", "/x", cause)
	if err.Error() != "write /x: disk full" || !errors.Is(err, cause) {
		t.Errorf("error %q", err)
	}
}

// Nothing of what others wrote reaches the terminal as a command to it, and the
// library's words for Ctrl-C do not reach a person.
func TestMessage(t *testing.T) {
	for want, err := range map[string]error{
		"read /etc/x: broken":         errors.New("read /etc/x: broken\n"),
		"named:\n | \\x1b]0;x\\x07":   errors.New("named:\n | \x1b]0;x\a"),
		"DNS: interrupted":            fmt.Errorf("DNS: %w", context.Canceled),
		"the list: context canceled?": errors.New("the list: context canceled?"),
	} {
		if got := hint.Message(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A hint is one line, so that nobody adds another one to it.
func TestPrint(t *testing.T) {
	got := hint.Print([]string{"rm x", "not\a\nthis"})
	if want := []string{"hint: rm x", `hint: not\x07\x0athis`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestOne(t *testing.T) {
	if got := hint.One(""); got != nil {
		t.Errorf("%q for no hint", got)
	}
	if got := hint.One("not\nthis"); len(got) != 1 {
		t.Errorf("%q: others added a hint to ours", got)
	}
}
