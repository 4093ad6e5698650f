package apply_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Flags of ioctl_iflags(2).
const (
	immutable  = 0x10
	appendOnly = 0x20
)

// chattr sets the flags of a file or directory, none at the end of the test.
func chattr(t *testing.T, file string, flags int) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	now, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, now&^(immutable|appendOnly)|flags)
	}
	if err != nil {
		t.Skipf("chattr %s: %v", file, err)
	}
	if flags != 0 {
		t.Cleanup(func() { chattr(t, file, 0) })
	}
}

// What even root cannot replace is found before anything is touched; and where somebody
// makes it so in the middle of a run, all of it is taken back.
func TestImmutableFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for name, tt := range map[string]struct {
		at    string
		flags int
		want  string
		later bool // in the middle of the run
	}{
		"an immutable file":        {at: "/b/x", flags: immutable, want: "/b/x: is immutable, and would have to be changed"},
		"an append-only file":      {at: "/b/x", flags: appendOnly, want: "/b/x: is append-only, and would have to be changed"},
		"an immutable directory":   {at: "/b", flags: immutable, want: "/b: is immutable, and would have to be changed"},
		"an append-only directory": {at: "/b", flags: appendOnly, want: "/b: is append-only, and would have to be changed"},
		"a file meanwhile":         {at: "/b/x", flags: immutable, later: true},
		"a directory meanwhile":    {at: "/b", flags: immutable, later: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, sub := range []string{"a", "b", "journal"} {
				if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			h := system.NewHost(system.Options{})
			var p plan.Plan
			for _, sub := range []string{"a", "b"} {
				at := state.Path(dir).Join(sub).Join("x")
				before := state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte("before")}
				if err := h.Create(at, before); err != nil {
					t.Fatal(err)
				}
				after := before
				after.Content = []byte("after")
				p.Stages = append(p.Stages, plan.StageChanges{Name: sub, Changes: []plan.Change{{Op: plan.Modify, Path: at, Before: before, After: after}}})
			}
			o := apply.Options{Command: "test", ID: "20261130T000000-aaaa"}
			if tt.later {
				o.Progress = func(e apply.Event) {
					if e.Kind == apply.StageBegins && e.Stage == "b" {
						chattr(t, dir+tt.at, tt.flags)
					}
				}
			} else {
				chattr(t, dir+tt.at, tt.flags)
			}
			j := apply.NewJournal(h, state.Path(dir+"/journal"))
			_, err := apply.Run(t.Context(), h, p, j, o)
			failed := (*apply.FailedError)(nil)
			switch {
			case tt.later && (!errors.As(err, &failed) || !errors.Is(err, syscall.EPERM)):
				t.Errorf("error %v", err)
			case !tt.later && (err == nil || strings.Split(err.Error(), "\n")[0] != dir+tt.want || len(hint.Of(err)) != 1 || !strings.HasPrefix(hint.Of(err)[0], "chattr -")):
				t.Errorf("error %v", err)
			}
			for _, sub := range []string{"a", "b"} {
				text, err := os.ReadFile(filepath.Join(dir, sub, "x"))
				names, _ := os.ReadDir(filepath.Join(dir, sub))
				if string(text) != "before" || err != nil || len(names) != 1 {
					t.Errorf("%s: %q, %v, %v", sub, text, err, names)
				}
			}
			if open, err := j.Open(); open != nil || err != nil {
				t.Errorf("an open run %v, %v", open, err)
			}
		})
	}
}
