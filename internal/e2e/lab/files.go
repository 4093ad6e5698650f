package lab

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Write puts a file into the box, owned by root, with its directory.
func (b *Box) Write(t T, path, text string, mode fs.FileMode) {
	t.Helper()
	root, err := os.OpenRoot(b.Root())
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer root.Close()
	name := strings.TrimPrefix(path, "/")
	err = errors.Join(root.MkdirAll(filepath.Dir(name), 0o755), root.WriteFile(name, []byte(text), mode), root.Chmod(name, mode))
	if err != nil {
		t.Fatalf("%s: %v", b.Name, err)
	}
}

// Read returns the text of a file in the box.
func (b *Box) Read(t T, path string) string {
	t.Helper()
	root, err := os.OpenRoot(b.Root())
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer root.Close()
	text, err := root.ReadFile(strings.TrimPrefix(path, "/"))
	if err != nil {
		t.Fatalf("%s: %v", b.Name, err)
	}
	return string(text)
}

// Exists tells whether the path is there, without following it.
func (b *Box) Exists(path string) bool {
	_, err := os.Lstat(filepath.Join(b.Root(), path))
	return err == nil
}

// Snapshot describes every file below the given paths: mode, owner and, of a
// plain file, a hash of its bytes; of a link, where it points. Two equal
// snapshots mean two equal trees. A path with "!" in front is left out with all
// below it, and may be a pattern of filepath.Match: noise of running daemons.
// Only what is on the disk is seen, not what is mounted inside the box (/run).
func (b *Box) Snapshot(t T, paths ...string) map[string]string {
	t.Helper()
	var exclude []string
	seen := map[string]string{}
	for _, p := range paths {
		if x, ok := strings.CutPrefix(p, "!"); ok {
			exclude = append(exclude, x)
		}
	}
	for _, p := range paths {
		if strings.HasPrefix(p, "!") {
			continue
		}
		if err := snapshot(seen, b.Root(), p, exclude); err != nil {
			t.Fatalf("%s: snapshot %s: %v", b.Name, p, err)
		}
	}
	return seen
}

func snapshot(seen map[string]string, root, top string, exclude []string) error {
	return filepath.WalkDir(filepath.Join(root, top), func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // not there at all, or gone while looking
		}
		if err != nil {
			return err
		}
		name := "/" + strings.TrimPrefix(strings.TrimPrefix(path, root), "/")
		for _, x := range exclude {
			if match, err := filepath.Match(x, name); err != nil {
				return err
			} else if match {
				return skip(path)
			}
		}
		text, err := describe(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		seen[name] = text
		return err
	})
}

func skip(path string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		return filepath.SkipDir
	}
	return nil
}

// describe is "MODE UID:GID" and what the file holds.
func describe(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	owner := info.Sys().(*syscall.Stat_t)
	text := fmt.Sprintf("%v %d:%d", info.Mode(), owner.Uid, owner.Gid)
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf(" %d bytes %x", len(data), sha256.Sum256(data))
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		text += " -> " + to
	}
	return text, nil
}
