package backup

import (
	"bufio"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"mailsetup/internal/hint"
)

// target is the file that a backup gets. It is there as a whole or not at all.
type target struct {
	file      string
	overwrite bool
}

func newTarget(file string, overwrite bool) (target, error) {
	t := target{file, overwrite}
	fi, err := os.Lstat(file)
	switch {
	case file == "":
		return t, hint.NewUsage("as in mailsetup backup /root/mail.backup", "the backup needs a file to be written to")
	case errors.Is(err, fs.ErrNotExist):
		if dir, err := os.Stat(filepath.Dir(file)); err != nil || !dir.IsDir() {
			return t, hint.NewUsage("mkdir -p "+hint.Quote(filepath.Dir(file)), "%s: there is no directory %s", file, filepath.Dir(file))
		}
		return t, nil
	case err != nil:
		return t, hint.NewUsage("name another file", "%w", err)
	case !fi.Mode().IsRegular():
		return t, hint.NewUsage("name a file", "%s: is something else than a file", file)
	case !overwrite:
		return t, t.exists()
	}
	return t, nil
}

func (t target) exists() error {
	return hint.NewUsage("name another one, or add --overwrite", "%s: is there already", t.file)
}

// write has the content written beside the file, 0600 from its first moment, and renames
// it once it is on the disk. It returns how many octets there are.
func (t target) write(content func(io.Writer) error) (octets int64, err error) {
	draft := filepath.Join(filepath.Dir(t.file), "."+filepath.Base(t.file)+"."+strings.ToLower(rand.Text()[:8]))
	f, err := os.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(draft)
		}
	}()
	out := bufio.NewWriterSize(f, 1<<16)
	if err := content(out); err != nil {
		return 0, err
	}
	if err := errors.Join(out.Flush(), f.Sync()); err != nil {
		return 0, err
	}
	if octets, err = f.Seek(0, io.SeekCurrent); err != nil {
		return 0, err
	}
	if err := t.rename(draft); err != nil {
		return 0, err
	}
	return octets, syncDir(filepath.Dir(t.file))
}

// rename puts the draft in place. Where the file may not be overwritten, one that came
// meanwhile stays; a file system that cannot promise that (ENOSYS, EINVAL) is asked first.
func (t target) rename(draft string) error {
	if t.overwrite {
		return os.Rename(draft, t.file)
	}
	err := unix.Renameat2(unix.AT_FDCWD, draft, unix.AT_FDCWD, t.file, unix.RENAME_NOREPLACE)
	switch {
	case errors.Is(err, unix.EEXIST):
		return t.exists()
	case !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL):
		return err
	}
	if _, err := os.Lstat(t.file); !errors.Is(err, fs.ErrNotExist) {
		return t.exists()
	}
	return os.Rename(draft, t.file)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, unix.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}
