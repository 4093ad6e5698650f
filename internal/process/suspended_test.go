package process_test

import (
	"os"
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

// A process began as many ticks after the boot as its file says.
func TestAge(t *testing.T) {
	stat := "77 (a (b) c) S 1 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 10"
	if age, err := process.Age([]byte(stat), []byte("223.45 400.00\n")); err != nil || age != 100*time.Second {
		t.Errorf("%v, %v", age, err)
	}
	for _, tt := range [][2]string{{"", "1.0 1.0"}, {stat, ""}, {"77 (a) S", "1.0"}, {stat, "x"}} {
		if age, err := process.Age([]byte(tt[0]), []byte(tt[1])); err == nil {
			t.Errorf("%q: %v", tt, age)
		}
	}
	self, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Fatal(err)
	}
	up, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Fatal(err)
	}
	if age, err := process.Age(self, up); err != nil || age < 0 || age > time.Hour {
		t.Errorf("this process: %v, %v", age, err)
	}
}
