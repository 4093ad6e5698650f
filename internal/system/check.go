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
	"slices"
	"strings"
	"time"

	"mailsetup/internal/scratch"
	"mailsetup/internal/state"
)

// checker runs the daemons' own checkers over new files.
type checker struct {
	files   *files
	run     Runner
	scratch string
	passed  map[string]bool // early validators that passed, by command and contents
}

// check writes the new files to a scratch tree that only its owner can enter, under
// their full names, and runs each validator there. Secrets are not copied. The tree is
// always removed.
func (c checker) check(ctx context.Context, vs []state.Validator, staged map[state.Path]state.Object) (err error) {
	if len(vs) == 0 {
		return nil
	}
	dir, err := scratch.New(c.scratch)
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
	mapper := newMapper(dir.Path, slices.Collect(maps.Keys(contents)))
	for p, content := range contents {
		if err := writeScratch(mapper.scratch(p), mapper.text(content)); err != nil {
			return fmt.Errorf("check: %w", err)
		}
	}
	for _, v := range vs {
		if err := c.validate(ctx, v, mapper); err != nil {
			return err
		}
		if v.Early {
			c.passed[key(v)] = true
		}
	}
	return nil
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

func (c checker) validate(ctx context.Context, v state.Validator, m mapper) error {
	began := time.Now()
	res, err := c.run.Run(ctx, Command{Argv: v.Argv(func(p state.Path) string { return m.scratch(p) })})
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
	return &RejectedError{Validator: v.Name, Code: res.Code, Output: m.restorePaths(string(said))}
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

// mapper maps paths to their copies in the scratch tree.
type mapper struct {
	base    string
	have    map[string]bool
	unusual []string // paths with characters outside pathChar, longest first
}

func newMapper(base string, paths []state.Path) mapper {
	m := mapper{base: base, have: make(map[string]bool, len(paths))}
	for _, p := range paths {
		m.have[string(p)] = true
		if strings.ContainsFunc(string(p), func(r rune) bool { return !pathChar(r) }) {
			m.unusual = append(m.unusual, string(p))
		}
	}
	slices.SortFunc(m.unusual, func(a, b string) int { return len(b) - len(a) })
	return m
}

func (m mapper) scratch(p state.Path) string { return m.base + string(p) }

// pathChar reports whether a character occurs in ordinary paths. Any other ends a path:
// "file:/etc/opendkim/KeyTable", "{ unix:/run/x, … }".
func pathChar(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r > 0x7f:
		return true
	}
	return strings.ContainsRune("/._-+@%~", r)
}

// text replaces each whole path with a copy by the path of the copy, in one pass: with
// ten thousand files, a pass for each path would take minutes.
func (m mapper) text(content []byte) []byte {
	text := string(content)
	for _, p := range m.unusual {
		text = strings.ReplaceAll(text, p, m.base+p)
	}
	var b strings.Builder
	b.Grow(len(text))
	for text != "" {
		end := strings.IndexFunc(text, func(r rune) bool { return !pathChar(r) })
		if end < 0 {
			end = len(text)
		}
		if m.have[text[:end]] {
			b.WriteString(m.base)
		}
		b.WriteString(text[:end])
		text = text[end:]
		next := strings.IndexFunc(text, pathChar)
		if next < 0 {
			next = len(text)
		}
		b.WriteString(text[:next])
		text = text[next:]
	}
	return []byte(b.String())
}

// restorePaths replaces the paths of copies by the real ones.
func (m mapper) restorePaths(text string) string { return strings.ReplaceAll(text, m.base, "") }
