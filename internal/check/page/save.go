package page

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"mailsetup/internal/check/report"
	"mailsetup/internal/hint"
)

// ours marks a page as one that this program wrote.
const ours = "mailsetup check"

// markWithin is how far from the beginning of a page its mark is.
const markWithin = 512

// CheckFile reports why a page cannot be written to a file: it may replace an earlier
// page, and nothing else.
func CheckFile(name string) error {
	if name == "" || name == "-" {
		return hint.NewUsage("name a file, as in --html check.html", "--html %q: no file", name)
	}
	_, err := existing(name)
	return err
}

// existing returns the page that stands at a name, nil for none.
func existing(name string) (fs.FileInfo, error) {
	const another = "name another file"
	fi, err := os.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if dir, err := os.Stat(filepath.Dir(name)); err != nil || !dir.IsDir() {
			return nil, hint.NewUsage("mkdir -p "+hint.Quote(filepath.Dir(name)), "--html %s: there is no such directory", name)
		}
		return nil, nil
	case err != nil:
		return nil, hint.NewUsage(another, "--html: %w", err)
	case !fi.Mode().IsRegular(): // a link, too: it may lead to a file of somebody else
		return nil, hint.NewUsage(another, "--html %s: not a regular file", name)
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, hint.NewUsage(another, "--html: %w", err)
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, markWithin))
	switch {
	case err != nil:
		return nil, hint.NewUsage(another, "--html: %w", err)
	case len(head) > 0 && !bytes.Contains(head, []byte(`<meta name="generator" content="`+ours+`">`)):
		return nil, hint.NewUsage(another, "--html %s: mailsetup did not write that file, and leaves it alone", name)
	}
	return fi, nil
}

// Save writes the page of a report to a file, whole or not at all. A new file is one
// that everybody may read, as what a shell redirects is for root: it is made to be
// handed on, and says nothing that users of the server cannot ask for themselves
// (postqueue(1), the files of Postfix, DNS). One that is replaced keeps its mode and
// owner.
func Save(name string, r report.Report, o Options) error {
	old, err := existing(name)
	if err != nil {
		return err
	}
	text, err := HTML(r, o)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*") // 0600 until it is whole
	if err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	defer os.Remove(f.Name()) // if it is still there
	mode := fs.FileMode(0o644)
	if old != nil {
		mode = old.Mode().Perm()
		if st, ok := old.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
			err = f.Chown(int(st.Uid), int(st.Gid))
		}
	}
	_, werr := f.Write(text)
	if err = errors.Join(err, werr, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	return nil
}
