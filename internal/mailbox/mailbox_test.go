package mailbox

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 11, 3, 8, 30, 15, 0, time.UTC)

func TestAppend(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root")
	if err := os.WriteFile(path, []byte("From a Mon Nov  2 08:00:00 2026\nSubject: one\n\nx\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Append(t.Context(), path, []byte("Subject: two\r\n\r\nFrom here on\r\n>From there\r\nend"), at); err != nil {
		t.Fatal(err)
	}
	const want = "From a Mon Nov  2 08:00:00 2026\nSubject: one\n\nx\n\n" +
		"From mailsetup Tue Nov  3 08:30:15 2026\nSubject: two\n\n>From here on\n>>From there\nend\n\n"
	if got, _ := os.ReadFile(path); string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Python's mailbox module reads what was written.
func TestOthersReadIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root")
	for _, body := range []string{"one\n", "From two\n\nFrom three\n", "four"} {
		if err := Append(t.Context(), path, []byte("Subject: s\n\n"+body), at); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("python3", "-c", "import mailbox,sys\nfor m in mailbox.mbox(sys.argv[1]): print(m['Subject'], repr(m.get_payload()))", path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "s 'one\\n'\ns '>From two\\n\\n>From three\\n'\ns 'four\\n'\n"; string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	_ = os.WriteFile(path("target"), []byte("mine"), 0o600)
	_ = os.Symlink(path("target"), path("link"))
	_ = os.Link(path("target"), path("second"))
	_ = os.Mkdir(path("directory"), 0o700)
	_ = os.WriteFile(path("locked.lock"), nil, 0o600)
	for _, name := range []string{"link", "second", "directory", "locked", "none/there"} {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		if err := Append(ctx, path(name), []byte("Subject: x\n\n"), at); err == nil || !strings.HasPrefix(err.Error(), "append to "+path(name)) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	if got, _ := os.ReadFile(path("target")); string(got) != "mine" {
		t.Errorf("target: %q", got)
	}
	if _, err := os.Stat(path("locked.lock")); err != nil {
		t.Error("the lock of another program was taken away")
	}
}
