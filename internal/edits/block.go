package edits

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// blockMarks returns the comment lines around a block.
func blockMarks(name string) (begin, end string) {
	return "# mailsetup: " + name, "# mailsetup: end of " + name
}

// Block returns a text with the block in it, or without it. Put in and dropped again it
// leaves the bytes, also where the last line has no newline.
func Block(e state.BlockEdit, current []byte) ([]byte, error) {
	text := string(current)
	if err := checkBlock(e); err != nil {
		return nil, err
	}
	start, end, err := findLines(text, e.Name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Path, err)
	}
	begin, finish := blockMarks(e.Name)
	if e.Stamp {
		finish += " " + stamp(strings.Join(append(e.Lines, ""), "\n"))
	}
	block := begin + "\n" + strings.Join(append(slices.Clone(e.Lines), finish), "\n")
	if start >= 0 && strings.TrimSuffix(text[start:end], "\n") != block {
		if !e.Overwrite && isEdited(text[start:end], e.Name) {
			return nil, &EditedError{Path: e.Path, Line: strings.Count(text[:start], "\n") + 1, Name: e.Name}
		}
	}
	switch rest := strings.TrimSpace(text[max(end, 0):]); {
	case start < 0 && e.Drop:
		return current, nil
	case start < 0:
		return []byte(appended(text, block)), nil
	case e.Drop, e.Last && rest != "":
		text = cut(text, start, end)
		if e.Drop {
			return []byte(text), nil
		}
		return []byte(appended(text, block)), nil
	}
	if strings.HasSuffix(text[start:end], "\n") {
		block += "\n"
	}
	return []byte(text[:start] + block + text[end:]), nil
}

// EditedError says that somebody edited a block of ours.
type EditedError struct {
	Path state.Path
	Line int
	Name string
}

func (e *EditedError) Error() string { return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Why()) }

// Why says what is so, without the path.
func (e *EditedError) Why() string {
	return fmt.Sprintf("lines of mailsetup (%s) were edited by hand", e.Name)
}

// stamp is a short hash of the lines of a block.
func stamp(lines string) string {
	sum := sha256.Sum256([]byte(lines))
	return hex.EncodeToString(sum[:4])
}

// isEdited reports whether a block says something else than its stamp. One without a stamp is
// taken to be as it was written.
func isEdited(block, name string) bool {
	all := strings.SplitAfter(strings.TrimSuffix(block, "\n"), "\n")
	_, finish := blockMarks(name)
	was := strings.TrimSpace(strings.TrimPrefix(all[len(all)-1], finish))
	return was != "" && was != stamp(strings.Join(all[1:len(all)-1], ""))
}

// appended adds lines behind a text; one without a newline at its end keeps being so.
func appended(text, block string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		return text + "\n" + block
	}
	return text + block + "\n"
}

// cut takes a block out again.
func cut(text string, start, end int) string {
	if start > 0 && end == len(text) && !strings.HasSuffix(text, "\n") {
		start--
	}
	return text[:start] + text[end:]
}

// BlockLines returns the lines of a block of ours, without its comment lines, and the text
// around it. Found is false if there is none.
func BlockLines(text, name string) (lines, around string, found bool) {
	start, end, err := findLines(text, name)
	if err != nil || start < 0 {
		return "", text, false
	}
	all := strings.SplitAfter(strings.TrimSuffix(text[start:end], "\n"), "\n")
	return strings.Join(all[1:len(all)-1], ""), cut(text, start, end), true
}

// BlankBlock returns a text in which the lines of a block of ours are empty: every other line
// keeps its number.
func BlankBlock(text, name string) string {
	start, end, err := findLines(text, name)
	if err != nil || start < 0 {
		return text
	}
	return text[:start] + strings.Repeat("\n", strings.Count(text[start:end], "\n")) + text[end:]
}

func findLines(text, name string) (start, end int, err error) {
	begin, finish := blockMarks(name)
	start = -1
	at := 0
	for line := range strings.Lines(text) {
		next := at + len(line)
		switch mark := strings.TrimRight(line, "\n"); {
		case mark == begin && start >= 0:
			return 0, 0, fmt.Errorf("has two lines %q: take the older part out", begin)
		case mark == begin:
			start = at
		case (mark == finish || strings.HasPrefix(mark, finish+" ")) && start >= 0:
			return start, next, nil
		}
		at = next
	}
	if start >= 0 {
		return 0, 0, fmt.Errorf("the line %q is missing: put it back behind what mailsetup wrote", finish)
	}
	return -1, -1, nil
}

func checkBlock(e state.BlockEdit) error {
	for _, line := range append(e.Lines, e.Name) {
		if strings.ContainsAny(line, "\n\r\x00") {
			return fmt.Errorf("%s: %q has more than one line", e.Path, line)
		}
	}
	return nil
}
