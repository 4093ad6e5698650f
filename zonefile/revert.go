package zonefile

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
)

// Revert removes the changes between before and after from the current text and keeps
// what others changed since, with a serial that secondaries of the current text accept.
// It is an error if they changed or moved the same lines.
func Revert(before, after, current []byte) ([]byte, error) {
	now, err := Serial(current)
	if err != nil {
		return nil, fmt.Errorf("current zone: %w", err)
	}
	// With one serial in all three, only what is not the serial differs; with a
	// final newline, a line that follows does not become part of the last one.
	var text [3]string
	for i, zone := range [][]byte{before, after, current} {
		same, err := WithSerial(zone, now)
		if err != nil {
			return nil, err
		}
		text[i] = string(same) + missingNewline(same)
	}
	ours, theirs := udiff.Lines(text[1], text[0]), udiff.Lines(text[1], text[2])
	for _, o := range ours {
		for _, t := range theirs {
			if o != t && o.Start < t.End && t.Start < o.End {
				return nil, fmt.Errorf("line %d was changed since", 1+strings.Count(text[1][:t.Start], "\n"))
			}
		}
	}
	merged, ok := udiff.Merge(ours, theirs)
	if !ok {
		return nil, errors.New("the same lines were changed since")
	}
	out, err := udiff.Apply(text[1], merged)
	if err != nil {
		return nil, err
	}
	for _, o := range ours {
		for line := range strings.Lines(text[1][o.Start:o.End]) {
			if strings.Count(out, line) > strings.Count(text[0], line) {
				return nil, fmt.Errorf("this line was moved since: %s", strings.TrimSpace(line))
			}
		}
	}
	return WithSerial([]byte(out), NextSerial(now, time.Time{}))
}

// SameButSerial reports whether zone files differ in the serial at most: an undone zone
// has its old text with a higher one.
func SameButSerial(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, err := WithSerial(a, 1)
	if err != nil {
		return false
	}
	y, err := WithSerial(b, 1)
	return err == nil && bytes.Equal(x, y)
}
