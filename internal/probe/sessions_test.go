package probe

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"mailsetup/internal/state"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const tail = " S 41 42 42 0 -1 4194560 1 0 0 0 3 4 0 0 20 0 1 0 12345 1000 200 18446744073709551615"
	for _, c := range []struct {
		text, comm string
		began      time.Duration
		bad        bool
	}{
		{"42 (smtpd)" + tail, "smtpd", 123450 * time.Millisecond, false},
		{"42 (a) b (c)" + tail, "a) b (c", 123450 * time.Millisecond, false},
		{"42 (smtpd) S 41", "", 0, true},
		{"", "", 0, true},
	} {
		comm, began, err := parseStat(c.text)
		if comm != c.comm || began != c.began || (err != nil) != c.bad {
			t.Errorf("parseStat(%q) = %q, %v, %v; want %q, %v", c.text, comm, began, err, c.comm, c.began)
		}
	}
}

// A program called smtpd stands for a session, before and after main.cf is
// put in place.
func TestSessions(t *testing.T) {
	dir := t.TempDir()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	smtpd, mainCf := filepath.Join(dir, "smtpd"), filepath.Join(dir, "main.cf")
	if err := os.WriteFile(smtpd, text, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func() {
		// Written before, renamed now: the rename is what counts.
		if err := os.Rename(mainCf+"~", mainCf); err != nil {
			t.Fatal(err)
		}
	}
	begin := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), smtpd, "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		return cmd
	}
	if err := os.WriteFile(mainCf+"~", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := begin()
	time.Sleep(50 * time.Millisecond)
	put()
	p := state.Probe{Kind: state.ProbeSessions, Address: mainCf, Within: 200 * time.Millisecond}
	wantError(t, probe(t, NewProber(nil, nil), p), strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	time.Sleep(50 * time.Millisecond)
	begin()
	wantError(t, probe(t, NewProber(nil, nil), p), "")
	p.Address = filepath.Join(dir, "none.cf")
	wantError(t, probe(t, NewProber(nil, nil), p), "no such file")
}

// A program has read a directory as it is now once it has begun a process since.
func TestRereads(t *testing.T) {
	dir := t.TempDir()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	program, read := filepath.Join(t.TempDir(), "filter"), filepath.Join(dir, "local.d")
	if err := errors.Join(os.WriteFile(program, text, 0o755), os.Mkdir(read, 0o755)); err != nil {
		t.Fatal(err)
	}
	begin := func() {
		cmd := exec.CommandContext(t.Context(), program, "60")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		time.Sleep(50 * time.Millisecond)
	}
	begin()
	if err := os.WriteFile(filepath.Join(read, "x.conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wantError(t, rereads("/proc", "filter", read), "filter goes on as it began before "+read+" changed")
	time.Sleep(50 * time.Millisecond)
	begin()
	wantError(t, rereads("/proc", "filter", read), "")
	wantError(t, rereads("/proc", "filter", filepath.Join(dir, "none")), "no such file")
}
