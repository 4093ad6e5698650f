// Package outfile writes files that a person named, and replaces none but its own.
package outfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"mailsetup/internal/hint"
)

// File is a file that a flag names.
type File struct {
	Flag, Name string
	// WhyKeep returns why a file with that content is not replaced, "" if it may be.
	WhyKeep func(content []byte) string
	// Remedy is the hint then; "" for another name.
	Remedy string
}

const another = "name another file"

// Check reports why the file cannot be written, before there is something to write.
func (f File) Check() error {
	_, err := f.existing()
	return err
}

// existing returns the file that stands at the name, nil for none.
func (f File) existing() (fs.FileInfo, error) {
	fi, err := os.Lstat(f.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir, err := os.Stat(filepath.Dir(f.Name)); err != nil || !dir.IsDir() {
			return nil, hint.NewUsage("mkdir -p "+hint.Quote(filepath.Dir(f.Name)), "%s %s: there is no such directory", f.Flag, f.Name)
		}
		return nil, nil
	case err != nil:
		return nil, hint.NewUsage(another, "%s: %w", f.Flag, err)
	case !fi.Mode().IsRegular(): // a link, too: it may lead to a file of somebody else
		return nil, hint.NewUsage(another, "%s %s: not a regular file", f.Flag, f.Name)
	}
	file, err := os.OpenFile(f.Name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, hint.NewUsage(another, "%s: %w", f.Flag, err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxRead))
	if err != nil {
		return nil, hint.NewUsage(another, "%s: %w", f.Flag, err)
	}
	if why := f.WhyKeep(content); len(content) > 0 && why != "" {
		if f.Remedy != "" {
			return nil, hint.NewUsage(f.Remedy, "%s %s: %s", f.Flag, f.Name, why)
		}
		return nil, hint.NewUsage(another, "%s %s: %s", f.Flag, f.Name, why)
	}
	return fi, nil
}

// maxRead is more than any file of ours has.
const maxRead = 256 << 20

// Save writes the file, whole or not at all. A new one is one that everybody may read, as
// what a shell redirects is for root. One that is replaced keeps its mode and owner.
func (f File) Save(text []byte) error {
	old, err := f.existing()
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(f.Name), "."+filepath.Base(f.Name)+".*") // 0600 until it is whole
	if err != nil {
		return fmt.Errorf("%s: %w", f.Flag, err)
	}
	defer os.Remove(file.Name()) // if it is still there
	mode := fs.FileMode(0o644)
	if old != nil {
		mode = old.Mode().Perm()
		if st, ok := old.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			err = file.Chown(int(st.Uid), int(st.Gid))
		}
	}
	_, werr := file.Write(text)
	if err = errors.Join(err, werr, file.Chmod(mode), file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), f.Name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.Flag, err)
	}
	return nil
}
