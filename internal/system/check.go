package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"mailsetup/internal/parallel"
	"mailsetup/internal/scratch"
	"mailsetup/internal/state"
)

// checker runs the daemons' own checkers over new files.
type checker struct {
	files  *files
	run    Runner
	dir    string          // of scratch directories
	passed map[string]bool // early validators that passed, by command and contents
}

// check writes the new files to a scratch tree that only its owner can enter, under
// their full names, and runs the validators there, side by side. Secrets are not copied. The tree is
// always removed.
func (c checker) check(ctx context.Context, vs []state.Validator, staged map[state.Path]state.Object) (err error) {
	if len(vs) == 0 {
		return nil
	}
	dir, err := scratch.New(c.dir)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	defer func() { err = errors.Join(err, dir.Remove()) }()

	contents, err := c.collect(vs, staged)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	path := func(p state.Path) string { return string(p) }
	key := func(v state.Validator) string { return fmt.Sprintf("%q %x", v.Argv(path), contents) }
	vs = slices.DeleteFunc(slices.Clone(vs), func(v state.Validator) bool { return v.Early && c.passed[key(v)] })
	copies := scratch.NewPaths(dir.Path, slices.Collect(maps.Keys(contents)))
	for p, content := range contents {
		if err := writeScratch(copies.Copy(p), copies.InText(content)); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	err = c.validateAll(ctx, vs, copies)
	for _, v := range vs {
		if v.Early && err == nil {
			c.passed[key(v)] = true
		}
	}
	return err
}

// collect returns the contents of the tree: the new files, and those that the
// validators need beside them.
func (c checker) collect(vs []state.Validator, staged map[state.Path]state.Object) (map[state.Path][]byte, error) {
	contents := map[state.Path][]byte{}
	for p, o := range staged {
		if o.Kind == state.Regular && !o.Secret {
			contents[p] = o.Content
		}
	}
	for _, v := range vs {
		maps.Copy(contents, v.Input)
		for _, p := range v.Needs {
			if _, have := contents[p]; have || staged[p].Secret {
				continue
			}
			content, err := c.files.content(p, 0)
			if errors.Is(err, fs.ErrNotExist) {
				continue // the checker will say what it misses
			}
			if err != nil {
				return nil, failure("read", p, err)
			}
			contents[p] = content
		}
	}
	return contents, nil
}

func writeScratch(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file, content, 0o644), backdate(file))
}

// validateAll runs validators side by side, and for one that fails those that it stands for.
// It returns the error of the first in the list.
func (c checker) validateAll(ctx context.Context, vs []state.Validator, m scratch.Paths) error {
	argv := make([][]string, len(vs))
	for i, v := range vs {
		argv[i] = v.Argv(m.Copy)
	}
	return parallel.Do(len(vs), runtime.GOMAXPROCS(0), func(i int) error {
		err := c.validate(ctx, vs[i], argv[i], m)
		if err != nil && len(vs[i].Each) > 0 {
			err = c.validateAll(ctx, vs[i].Each, m)
		}
		return err
	})
}

func (c checker) validate(ctx context.Context, v state.Validator, argv []string, m scratch.Paths) error {
	began := time.Now()
	res, err := c.run.Run(ctx, Command{Argv: argv})
	if err != nil {
		return fmt.Errorf("check %s: %w", v.Name, err)
	}
	if res.Code == 0 {
		return nil
	}
	said := bytes.TrimSpace(bytes.Join([][]byte{bytes.TrimSpace(res.Stdout), bytes.TrimSpace(res.Stderr)}, []byte("\n")))
	if len(said) == 0 && v.LogTag != "" {
		said = c.logged(ctx, v.LogTag, began)
	}
	return &RejectedError{Validator: v.Name, Code: res.Code, Output: m.Restore(string(said))}
}

// logged returns the last lines that a program wrote to the journal since then.
func (c checker) logged(ctx context.Context, tag string, since time.Time) []byte {
	_, _ = c.run.Run(ctx, Command{Argv: []string{"journalctl", "--sync"}})
	res, err := c.run.Run(ctx, Command{Argv: []string{
		"journalctl", "-t", tag, "-q", "--no-pager", "-o", "cat", "--since", fmt.Sprintf("@%d.%06d", since.Unix(), since.Nanosecond()/1000), "-n", "5",
	}})
	if err != nil || res.Code != 0 {
		return nil
	}
	return bytes.TrimSpace(res.Stdout)
}

// RejectedError says that a daemon's own checker did not accept staged files.
type RejectedError struct {
	Validator string
	Code      int    // exit status
	Output    string // what it said, with the real paths
}

func (e *RejectedError) Error() string {
	text := fmt.Sprintf("check %s: exit status %d", e.Validator, e.Code)
	if e.Output != "" {
		text += ":\n" + e.Output
	}
	return text
}
