package process_test

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/process"
)

func TestSuspended(t *testing.T) {
	for stat, want := range map[string]bool{
		"77 (named) S 1": false, "77 (named) T 1": true, "77 (a) T (b) R 1": false, "77 (a) R (b) T 1": true, "77 (named) t 1": false, "": false,
	} {
		if got := process.IsSuspended([]byte(stat)); got != want {
			t.Errorf("%q: %v", stat, got)
		}
	}
	c := exec.Command("sleep", "60")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	pid := uint32(c.Process.Pid)
	if err := process.CheckAnswers("named.service", pid); err != nil {
		t.Errorf("it runs: %v", err)
	}
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 100 {
		if err = process.CheckAnswers("named.service", pid); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err == nil || !strings.HasPrefix(err.Error(), "somebody stopped its process "+strconv.Itoa(int(pid))+" (SIGSTOP)") {
		t.Errorf("it is stopped: %v", err)
	}
	if got := hint.Of(err); len(got) != 1 || got[0] != "systemctl kill -s CONT named.service" {
		t.Errorf("hints %q", got)
	}
}
