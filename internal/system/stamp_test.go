package system

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"mailsetup/internal/state"
)

// Whatever is done to a file shows in its stamp, also where its size and the
// time of its modification are put back.
func TestStamp(t *testing.T) {
	h := NewHost(Options{})
	for name, change := range map[string]func(p string) error{
		"written in place": func(p string) error { return os.WriteFile(p, []byte("two"), 0o600) },
		"another mode":     func(p string) error { return os.Chmod(p, 0o644) },
		"replaced": func(p string) error {
			if err := os.WriteFile(p+"~", []byte("one"), 0o600); err != nil {
				return err
			}
			return os.Rename(p+"~", p)
		},
		"written, and its time put back": func(p string) error {
			fi, err := os.Stat(p)
			if err != nil {
				return err
			}
			if err := os.WriteFile(p, []byte("two"), 0o600); err != nil {
				return err
			}
			return os.Chtimes(p, time.Time{}, fi.ModTime())
		},
	} {
		p := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(p, []byte("one"), 0o600); err != nil {
			t.Fatal(err)
		}
		before, ok := h.Stamp(state.Path(p))
		if again, _ := h.Stamp(state.Path(p)); !ok || again != before || before.Size != 3 {
			t.Errorf("%s: %+v, %v, then %+v", name, before, ok, again)
		}
		time.Sleep(20 * time.Millisecond) // more than a tick
		if err := change(p); err != nil {
			t.Fatal(err)
		}
		if after, _ := h.Stamp(state.Path(p)); after == before {
			t.Errorf("%s: still %+v", name, after)
		}
	}
}

func TestStampOfNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	h := NewHost(Options{})
	for _, p := range []string{dir, filepath.Join(dir, "link"), filepath.Join(dir, "nothing")} {
		if s, ok := h.Stamp(state.Path(p)); ok || s != (Stamp{}) {
			t.Errorf("%s: %+v, %v", p, s, ok)
		}
	}
}
