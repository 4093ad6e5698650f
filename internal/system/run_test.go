package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testRunner() Runner { return runner{path: programs()} }

func sh(script string) Command { return Command{Argv: []string{"sh", "-c", script}} }

func TestRun(t *testing.T) {
	t.Setenv("LEAKED", "yes")
	t.Setenv("PATH", t.TempDir())
	var seen bytes.Buffer
	c := sh(`cat; echo "$LEAKED|$LANG|$EXTRA|$PWD"; echo bad >&2; exit 3`)
	c.Env, c.Stdin, c.Output = []string{"EXTRA=1"}, []byte("in "), &seen
	res, err := testRunner().Run(context.Background(), c)
	if err != nil || res.Code != 3 {
		t.Errorf("code %d, %v", res.Code, err)
	}
	if string(res.Stdout) != "in |C.UTF-8|1|/\n" || string(res.Stderr) != "bad\n" {
		t.Errorf("stdout %q, stderr %q", res.Stdout, res.Stderr)
	}
	if !strings.Contains(seen.String(), "|C.UTF-8|") || !strings.Contains(seen.String(), "bad\n") {
		t.Errorf("seen %q", seen.String())
	}
}

func TestRunNotFound(t *testing.T) {
	_, err := testRunner().Run(context.Background(), Command{Argv: []string{"no-such-program"}})
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if _, err = testRunner().Run(context.Background(), Command{}); err == nil {
		t.Error("nothing was run without an error")
	}
}

func TestRunKilled(t *testing.T) {
	_, err := testRunner().Run(context.Background(), sh("kill -SEGV $$"))
	if err == nil || !strings.HasPrefix(err.Error(), "run sh: signal: segmentation fault") {
		t.Errorf("error %v", err)
	}
}

// The whole group ends with the context: a grandchild, too.
func TestRunCutShort(t *testing.T) {
	pidfile := t.TempDir() + "/pid"
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := testRunner().Run(ctx, sh("sleep 600 & echo $! >"+pidfile+"; wait"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	text, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the grandchild lives on")
		}
	}
}

// zombie reports whether a process has ended, and nobody has asked how.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// A program has no terminal: a Ctrl-C of ours does not reach it, and it cannot be
// stopped for reading from one in the background.
func TestRunWithoutTerminal(t *testing.T) {
	c := sh(`ps -o sid=,pgid= -p $$; echo $$; (: </dev/tty) 2>&1`)
	res, err := testRunner().Run(context.Background(), c)
	f := strings.Fields(string(res.Stdout))
	if err != nil || len(f) < 4 || f[0] != f[2] || f[1] != f[2] || !strings.Contains(string(res.Stdout), "/dev/tty") {
		t.Errorf("session, group and process, then an error: %q, %v", res.Stdout, err)
	}
}

// A program that waits without end is ended, and the error says what to look at.
func TestRunIsBounded(t *testing.T) {
	c := sh("sleep 60")
	c.Within = 100 * time.Millisecond
	_, err := testRunner().Run(context.Background(), c)
	slow := (*SlowError)(nil)
	if !errors.As(err, &slow) || err.Error() != "run sh: cut short: it did not end within 100ms" {
		t.Errorf("error %v", err)
	}
	for command, want := range map[string]string{
		"named-checkzone x /etc/zone":                        "see what it waits for: timeout 60 named-checkzone x /etc/zone",
		"postconf -c /etc/postfix -x":                        "see what it waits for: timeout 60 postconf -c /etc/postfix -x",
		"postmap -s hash:/etc/table":                         "see what it waits for: timeout 60 postmap -s hash:/etc/table",
		"named-checkconf /tmp/mailsetup-scratch-1/etc/named": "",
		"postconf -c /tmp/mailsetup-scratch-1 -x":            "",
		"postconf -c /etc/postfix -e a=b":                    "",
		"postconf -c /etc/postfix -X a":                      "",
		"postconf -M smtp/inet=smtp inet n - y - - smtpd":    "",
		"postmap hash:/etc/table":                            "",
		"postalias hash:/etc/aliases":                        "",
		"postsuper -d -":                                     "",
		"postqueue -f":                                       "",
		"sh -c true":                                         "",
	} {
		got := (&SlowError{Argv: strings.Fields(command)}).Hints()
		if strings.Join(got, "|") != want {
			t.Errorf("%s: hints %q", command, got)
		}
	}
	if DefaultWithin > 2*time.Minute {
		t.Errorf("a program may run %v where nobody says how long", DefaultWithin)
	}
}

// Whoever reads while a program runs keeps none of it; who stops ends the program.
func TestRunStreams(t *testing.T) {
	var out, seen bytes.Buffer
	c := sh("echo out; echo err >&2")
	c.Stdout, c.Output = &out, &seen
	res, err := testRunner().Run(context.Background(), c)
	if err != nil || out.String() != "out\n" || len(res.Stdout) > 0 || seen.String() != "err\n" {
		t.Errorf("%q, %q, %q, %v", out.String(), res.Stdout, seen.String(), err)
	}
	closed, w := io.Pipe()
	_ = closed.Close()
	c = sh("yes")
	c.Stdout = w
	if res, err = testRunner().Run(context.Background(), c); err == nil && res.Code == 0 {
		t.Error("a program whose output nobody takes went on to its end")
	}
}
