package system

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/scratch"
	"mailsetup/internal/state"
)

// mappedError names the original instead of its scratch copy.
type mappedError struct {
	err      error
	from, to string
}

func (e *mappedError) Error() string { return strings.ReplaceAll(e.err.Error(), e.from, e.to) }
func (e *mappedError) Unwrap() error { return e.err }

// postfix sets parameters in a copy of main.cf with postconf(1). It passes only those
// that differ, since postconf rewrites a file even for nothing, and compares the result
// with the old text.
func (ed editor) postfix(ctx context.Context, e state.PostfixEdit, current state.Object) ([]byte, error) {
	if current.Kind == state.Absent {
		return nil, errNoPostfix
	}
	for _, s := range e.Set {
		if err := checkSetting(s); err != nil {
			return nil, err
		}
	}
	set, err := missingSettings(e.Path, current.Content, e.Set)
	if err != nil || len(set) == 0 {
		return current.Content, err
	}
	master, err := ed.readSibling(e.Path, "master.cf")
	if err != nil {
		return nil, err
	}
	var out []byte
	err = ed.scratchConf(e.Path, withNewline(current.Content), master, func(dir string) error {
		out, err = ed.rewrite(ctx, dir, e.Path, current.Content, set)
		return err
	})
	return out, err
}

var errNoPostfix = errors.New("it does not exist; is postfix installed?")

// withNewline adds a missing newline to the last line.
func withNewline(content []byte) []byte {
	if n := len(content); n > 0 && content[n-1] != '\n' {
		return append(content[:n:n], '\n')
	}
	return content
}

// readSibling reads the other file of Postfix's directory, nil if there is none.
func (ed editor) readSibling(p state.Path, name string) ([]byte, error) {
	other := p.Dir().Join(name)
	content, err := ed.files.content(other, 0)
	if err != nil && !nothingThere(err) {
		return nil, failure("read", other, err)
	}
	return content, nil
}

// scratchConf runs f with a scratch directory in which postconf -c finds main.cf and
// master.cf. Errors name the real directory instead.
func (ed editor) scratchConf(p state.Path, main, master []byte, f func(dir string) error) error {
	d, err := scratch.New(ed.scratch)
	if err != nil {
		return err
	}
	defer func() { _ = d.Remove() }()
	dir := d.Path
	for name, content := range map[string][]byte{"main.cf": main, "master.cf": master} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(file, content, privateFile), backdate(file)); err != nil {
			return err
		}
	}
	if err := f(dir); err != nil {
		return &mappedError{err: err, from: dir, to: string(p.Dir())}
	}
	return nil
}

// backdate makes a main.cf old enough for Postfix: each process reads a file that may
// still be being written again and again for up to two seconds (dict_load_file_xt),
// after a reload as well.
func backdate(file string) error {
	before := time.Now().Add(-3 * time.Second)
	return os.Chtimes(file, before, before)
}

// checkSetting accepts a name that may be left of "=" (also SERVICE_time_limit) and a
// value of one line.
func checkSetting(s state.Setting) error {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`).MatchString(s.Name) {
		return fmt.Errorf("%q is no parameter name", s.Name)
	}
	if strings.ContainsAny(s.Value, "\n\r\x00") {
		return fmt.Errorf("%s: the value has more than one line", s.Name)
	}
	if s.Value != strings.Trim(s.Value, whitespace) {
		return fmt.Errorf("%s: the value %q begins or ends with a space", s.Name, s.Value)
	}
	return nil
}

// missingSettings returns the settings that main.cf does not have yet. A value from
// Postfix's defaults counts as missing: defaults differ between releases. White space
// is compared as Postfix reads it.
func missingSettings(p state.Path, content []byte, want []state.Setting) ([]state.Setting, error) {
	at := scanMain(content)
	var set []state.Setting
	for _, s := range want {
		lines := at.lines[s.Name]
		if len(lines) > 0 && at.values[s.Name] == squeeze(s.Value) {
			continue
		}
		if len(lines) > 1 {
			return nil, &UnusableError{
				p, lines[1], fmt.Sprintf("%s is set a second time, after line %d", s.Name, lines[0]),
				"keep one of them; it is the last that counts: postconf " + s.Name,
			}
		}
		set = append(set, s)
	}
	if len(set) == 0 {
		return nil, nil
	}
	return set, at.whyUnusable(p, set)
}

// whyUnusable returns why postconf -e would damage a file, or reads it differently than
// its author.
func (at mainLines) whyUnusable(p state.Path, set []state.Setting) error {
	switch {
	case at.noSetting > 0:
		return &UnusableError{
			p, at.noSetting, "this is neither a comment nor a setting (name = value)",
			fmt.Sprintf("correct line %d of %s, then look at the file with postconf -n", at.noSetting, p),
		}
	case at.nullByte > 0:
		return &UnusableError{p, at.nullByte, "a null byte, at which Postfix stops reading the line", `take it out: sed -i 's/\x00//g' ` + string(p)}
	case at.carriageReturn > 0:
		return &UnusableError{p, at.carriageReturn, "the line ends with a carriage return (CRLF)", `convert the file: sed -i 's/\r$//' ` + string(p)}
	}
	for _, s := range set {
		if line := at.hashWord[s.Name]; line > 0 {
			return &UnusableError{
				p, line, fmt.Sprintf("%s: \"#\" in the middle of a line begins no comment, but is part of the value", s.Name),
				"put the remark on a line of its own",
			}
		}
	}
	return nil
}

func (ed editor) ask(ctx context.Context, argv ...string) (Result, error) {
	res, err := ed.run.Run(ctx, Command{Argv: argv})
	if errors.Is(err, exec.ErrNotFound) {
		return res, fmt.Errorf("postconf (of the package postfix) is needed for this: %w", err)
	}
	if err == nil && res.Code != 0 {
		err = fmt.Errorf("postconf: exit status %d: %s", res.Code, bytes.TrimSpace(res.Stderr))
	}
	return res, err
}

// rewrite sets parameters with one call of postconf: most of its cost is the start of
// the program.
func (ed editor) rewrite(ctx context.Context, dir string, p state.Path, before []byte, set []state.Setting) ([]byte, error) {
	argv := []string{"postconf", "-c", dir, "-e"}
	for _, s := range set {
		argv = append(argv, s.Name+" = "+s.Value)
	}
	if _, err := ed.ask(ctx, argv...); err != nil {
		return nil, err
	}
	after, err := os.ReadFile(filepath.Join(dir, "main.cf"))
	if err != nil {
		return nil, err
	}
	after = inOrder(before, after, set)
	if err := onlyChanged(before, after, set); err != nil {
		return nil, err
	}
	if left, err := missingSettings(p, after, set); err != nil || len(left) > 0 {
		return nil, errors.Join(fmt.Errorf("postconf did not set %q", left), err)
	}
	return after, nil
}

// inOrder returns main.cf with the new parameters in the order of the settings:
// postconf appends them in that of a hash table.
func inOrder(before, after []byte, set []state.Setting) []byte {
	known, lines := scanMain(before).lines, readMain(after)
	place := func(l mainLine) int {
		return slices.IndexFunc(set, func(s state.Setting) bool { return s.Name == l.name && known[s.Name] == nil })
	}
	slices.SortStableFunc(lines, func(a, b mainLine) int { return cmp.Compare(place(a), place(b)) })
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line.text + "\n")
	}
	return []byte(text.String())
}

// onlyChanged checks that every line that does not belong to the settings is unchanged,
// in order.
func onlyChanged(before, after []byte, set []state.Setting) error {
	ours := map[string]bool{}
	for _, s := range set {
		ours[s.Name] = true
	}
	was, is := otherLines(before, ours), otherLines(after, ours)
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			return fmt.Errorf("postconf would change a line that is not ours: %q became %q", was[i], is[i])
		}
	}
	if len(was) != len(is) {
		return fmt.Errorf("postconf would change lines that are not ours: %d of them became %d", len(was), len(is))
	}
	return nil
}
