package scratch_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"mailsetup/internal/scratch"
)

// TestMain is also a process that is killed while it uses a directory.
func TestMain(m *testing.M) {
	dir := os.Getenv("SCRATCH_IN")
	if dir == "" {
		os.Exit(m.Run())
	}
	d, err := scratch.New(dir)
	if err != nil || os.WriteFile(d.Path+"/main.cf", []byte("x"), 0o600) != nil || os.Mkdir(d.Path+"/etc", 0o755) != nil {
		os.Exit(1)
	}
	p, _ := os.FindProcess(os.Getpid())
	_ = p.Kill()
	select {}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = filepath.Base(found[i])
	}
	return found
}

// What a killed process left goes, and nothing else: neither what is in use, nor what
// only has such a name.
func TestRemoveLeftOver(t *testing.T) {
	dir := t.TempDir()
	used, err := scratch.New(dir)
	if err != nil {
		t.Fatal(err)
	}
	killed := exec.Command(os.Args[0])
	killed.Env = append(os.Environ(), "SCRATCH_IN="+dir)
	if err := killed.Run(); err == nil || err.Error() != "signal: killed" {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Fatalf("before: %q", got)
	}
	other := t.TempDir()
	for _, err := range []error{
		os.WriteFile(other+"/kept", nil, 0o600),
		os.Symlink(other, dir+"/mailsetup-scratch-link"),
		os.WriteFile(dir+"/mailsetup-scratch-file", nil, 0o700),
		os.Mkdir(dir+"/mailsetup-scratch-open", 0o755),
		os.Mkdir(dir+"/mailsetup-bench-1", 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		if err := os.Mkdir(dir+"/mailsetup-scratch-theirs", 0o700); err != nil || os.Chown(dir+"/mailsetup-scratch-theirs", 1, 1) != nil {
			t.Fatal(err)
		}
	}
	if err := scratch.RemoveLeftOver(dir); err != nil {
		t.Error(err)
	}
	want := []string{"mailsetup-bench-1", "mailsetup-scratch-file", "mailsetup-scratch-link", "mailsetup-scratch-open", filepath.Base(used.Path)}
	if os.Geteuid() == 0 {
		want = append(want, "mailsetup-scratch-theirs")
	}
	slices.Sort(want)
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	if got := names(t, other); len(got) != 1 {
		t.Errorf("behind the link: %q", got)
	}
	if err := used.Remove(); err != nil {
		t.Error(err)
	}
	if got := names(t, dir); slices.Contains(got, filepath.Base(used.Path)) {
		t.Errorf("%q is still there", used.Path)
	}
}

// A directory whose group new ones inherit is as good as another.
func TestNewBelowSetgid(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, os.ModeSetgid|0o755); err != nil {
		t.Fatal(err)
	}
	d, err := scratch.New(dir)
	if err != nil || d.Remove() != nil {
		t.Errorf("%v, %v", d, err)
	}
	if got := names(t, dir); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// Whatever TMPDIR says.
func TestNewWithoutTMPDIR(t *testing.T) {
	for _, bad := range []string{"/tmp/with a blank", "/does/not/exist", "relative", "/dev/null"} {
		t.Setenv("TMPDIR", bad)
		d, err := scratch.New("")
		if err != nil || filepath.Dir(d.Path) != "/tmp" || d.Remove() != nil {
			t.Errorf("TMPDIR=%s: %v, %v", bad, d, err)
		}
	}
}
