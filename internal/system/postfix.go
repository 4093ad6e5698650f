package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// mappedError tells of a scratch copy in the name of the original.
type mappedError struct {
	err      error
	from, to string
}

func (e *mappedError) Error() string { return strings.ReplaceAll(e.err.Error(), e.from, e.to) }
func (e *mappedError) Unwrap() error { return e.err }

// postfix sets parameters of a copy of main.cf with postconf(1). Only those
// that differ are given to it, since it rewrites a file even for nothing; what
// it makes of the file is compared with what was there.
func (ed editor) postfix(ctx context.Context, e state.PostfixEdit, current state.Object) ([]byte, error) {
	out, err := ed.postconf(ctx, e, current)
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", e.Path, err)
	}
	return out, nil
}

func (ed editor) postconf(ctx context.Context, e state.PostfixEdit, current state.Object) ([]byte, error) {
	if current.Kind == state.Absent {
		return nil, errors.New("it does not exist; is postfix installed?")
	}
	for _, s := range e.Set {
		if err := checkSetting(s); err != nil {
			return nil, err
		}
	}
	set, err := differing(current.Content, e.Set)
	if err != nil || len(set) == 0 {
		return current.Content, err
	}
	dir, err := os.MkdirTemp(ed.scratch, "mailsetup-postfix-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := ed.layOut(dir, e.Path, current.Content); err != nil {
		return nil, err
	}
	out, err := ed.rewrite(ctx, dir, current.Content, set)
	if err != nil {
		// The line that is wrong is a line of the real file.
		return nil, &mappedError{err: err, from: dir, to: string(e.Path.Dir())}
	}
	return out, nil
}

// checkSetting accepts what may stand left of "=" (also SERVICE_time_limit) and
// one line right of it.
func checkSetting(s state.Setting) error {
	if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:-]*$`).MatchString(s.Name) {
		return fmt.Errorf("%q is no parameter name", s.Name)
	}
	if strings.ContainsAny(s.Value, "\n\r\x00") {
		return fmt.Errorf("%s: the value has more than one line", s.Name)
	}
	if s.Value != strings.TrimSpace(s.Value) {
		return fmt.Errorf("%s: the value %q begins or ends with a space", s.Name, s.Value)
	}
	return nil
}

// layOut puts main.cf and master.cf where postconf -c looks for them.
func (ed editor) layOut(dir string, main state.Path, content []byte) error {
	master, err := ed.files.content(main.Dir().Join("master.cf"), 0)
	if err != nil && !nothingThere(err) {
		return failure("read", main.Dir().Join("master.cf"), err)
	}
	if n := len(content); n > 0 && content[n-1] != '\n' {
		content = append(slices.Clone(content), '\n')
	}
	if err := os.WriteFile(filepath.Join(dir, "main.cf"), content, privateFile); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "master.cf"), master, privateFile)
}

// differing returns the settings that main.cf does not have yet. A value that
// only Postfix's default provides counts as missing: defaults differ between
// releases. White space is compared as Postfix reads it: any amount is one.
func differing(content []byte, want []state.Setting) ([]state.Setting, error) {
	at := scanMain(content)
	var set []state.Setting
	for _, s := range want {
		lines := at.lines[s.Name]
		if len(lines) > 0 && at.values[s.Name] == squeeze(s.Value) {
			continue
		}
		if len(lines) > 1 {
			return nil, fmt.Errorf("%s is set twice, in line %d and in line %d: remove one of them", s.Name, lines[0], lines[1])
		}
		set = append(set, s)
	}
	if len(set) > 0 && at.junk > 0 {
		return nil, fmt.Errorf("line %d is neither a comment nor a setting (name = value)", at.junk)
	}
	if len(set) > 0 && at.cr > 0 {
		return nil, fmt.Errorf("line %d ends with a carriage return (CRLF): convert the file with dos2unix", at.cr)
	}
	return set, nil
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

// rewrite sets one parameter at a time: postconf appends new ones in the order
// of a hash table when it gets several.
func (ed editor) rewrite(ctx context.Context, dir string, before []byte, set []state.Setting) ([]byte, error) {
	for _, s := range set {
		if _, err := ed.ask(ctx, "postconf", "-c", dir, "-e", s.Name+" = "+s.Value); err != nil {
			return nil, err
		}
	}
	after, err := os.ReadFile(filepath.Join(dir, "main.cf"))
	if err != nil {
		return nil, err
	}
	if err := onlyChanged(before, after, set); err != nil {
		return nil, err
	}
	if left, err := differing(after, set); err != nil || len(left) > 0 {
		return nil, errors.Join(fmt.Errorf("postconf did not set %q", left), err)
	}
	return after, nil
}

// onlyChanged makes sure that every line that is none of the settings' came
// through as it was, in order.
func onlyChanged(before, after []byte, set []state.Setting) error {
	ours := map[string]bool{}
	for _, s := range set {
		ours[s.Name] = true
	}
	was, is := foreign(before, ours), foreign(after, ours)
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
