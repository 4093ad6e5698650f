package signals_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/signals"
)

// The test program is the program that gets the signals, when told so.
func TestMain(m *testing.M) {
	if mode := os.Getenv("LISTENER"); mode != "" {
		listener(mode)
	}
	// Below nohup(1) children would ignore what this process ignores. Where it handles a signal they begin with its default.
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	os.Exit(m.Run())
}

// listener says ready, writes to a pipe without a reader, and then a line for what
// it notices until its input ends.
func listener(mode string) {
	said := make(chan string, 10)
	ctx, watch := signals.Listen(context.Background(), func(text string) { said <- text })
	if mode == "holds" {
		defer watch.Hold()()
	}
	r, w, _ := os.Pipe()
	r.Close()
	if _, err := w.WriteString("x"); !errors.Is(err, syscall.EPIPE) {
		fmt.Println("no EPIPE:", err)
	}
	over := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(over)
	}()
	fmt.Println("ready")
	done := ctx.Done()
	for {
		select {
		case <-done:
			var by signals.Interrupted
			errors.As(context.Cause(ctx), &by)
			fmt.Println("cancelled by", by.Signal)
			done = nil
		case text := <-said:
			fmt.Println("said:", text)
		case <-over:
			os.Exit(7)
		}
	}
}

// listens starts the listener by a shell command, sends the signals, and returns
// what it wrote, up to as many lines as are wanted, and how it ended.
func listens(t *testing.T, mode, shell, want string, sigs ...syscall.Signal) (wrote string, state *os.ProcessState) {
	t.Helper()
	cmd := exec.Command("sh", "-c", shell, "sh", os.Args[0])
	cmd.Env = append(os.Environ(), "LISTENER="+mode)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	out, oerr := cmd.StdoutPipe()
	if err := errors.Join(err, oerr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	// On a machine under heavy load one signal of some ten thousand was seen to be
	// noticed only when the next one came; and no test may hang.
	late := time.AfterFunc(20*time.Second, func() {
		t.Logf("%v: nothing within 20 s, sent again", sigs)
		for _, s := range sigs {
			_ = cmd.Process.Signal(s)
		}
	})
	defer late.Stop()
	defer time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }).Stop()
	left := strings.Count(want, "\n")
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			for _, s := range sigs {
				if err := cmd.Process.Signal(s); err != nil {
					t.Error(err)
				}
				time.Sleep(30 * time.Millisecond)
			}
		} else {
			wrote += lines.Text() + "\n"
			left--
		}
		if left <= 0 {
			in.Close()
		}
	}
	if _ = cmd.Wait(); said.Len() > 0 {
		t.Errorf("standard error: %.200s", said.String())
	}
	return wrote, cmd.ProcessState
}

// TestEverySignal sends each signal that Linux has, but for KILL and STOP.
func TestEverySignal(t *testing.T) {
	cancels := map[syscall.Signal]string{
		1: "hangup", 2: "interrupt", 3: "quit", 4: "illegal instruction", 5: "trace/breakpoint trap", 6: "aborted", 7: "bus error",
		8: "floating point exception", 11: "segmentation fault", 15: "terminated", 16: "stack fault", 24: "CPU time limit exceeded", 31: "bad system call",
	}
	for s := syscall.Signal(1); s < 65; s++ {
		switch s {
		case syscall.SIGKILL, syscall.SIGSTOP: // nobody can do anything
			continue
		case syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU: // stop it, while nothing is changed
			continue
		case 32, 33, 34: // those of C libraries, which Go does not handle
			continue
		}
		t.Run(fmt.Sprint(int(s)), func(t *testing.T) {
			t.Parallel()
			want := ""
			if name := cancels[s]; name != "" {
				want = "cancelled by " + name + "\n"
			}
			if wrote, state := listens(t, "waits", `exec "$1"`, want, s); wrote != want || state.ExitCode() != 7 {
				t.Errorf("%v: %s, it wrote %q, want %q", s, state, wrote, want)
			}
		})
	}
}

// TestHeld: a change is not stopped in the middle, and its undo is not hurried.
func TestHeld(t *testing.T) {
	for _, tt := range []struct {
		sigs []syscall.Signal
		want string
	}{
		{[]syscall.Signal{syscall.SIGTSTP}, "said: not stopping in the middle of a change\n"},
		{[]syscall.Signal{syscall.SIGTTOU}, ""},
		{
			[]syscall.Signal{syscall.SIGINT, syscall.SIGINT, syscall.SIGTERM},
			"cancelled by interrupt\nsaid: what was begun is being put back already; that goes on to its end\n",
		},
	} {
		t.Run(fmt.Sprint(tt.sigs), func(t *testing.T) {
			t.Parallel()
			if wrote, state := listens(t, "holds", `exec "$1"`, tt.want, tt.sigs...); wrote != tt.want || state.ExitCode() != 7 {
				t.Errorf("%s, it wrote %q, want %q", state, wrote, tt.want)
			}
		})
	}
}

// TestIgnoredFromTheStart: nohup, and a job in the background of a script.
func TestIgnoredFromTheStart(t *testing.T) {
	for shell, sigs := range map[string][]syscall.Signal{
		`trap '' HUP; exec "$1"`:      {syscall.SIGHUP},
		`trap '' INT QUIT; exec "$1"`: {syscall.SIGINT, syscall.SIGQUIT},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			if wrote, state := listens(t, "waits", shell, "", sigs...); wrote != "" || state.ExitCode() != 7 {
				t.Errorf("%s, it wrote %q", state, wrote)
			}
			const want = "cancelled by terminated\n"
			if wrote, _ := listens(t, "waits", shell, want, syscall.SIGTERM); wrote != want {
				t.Errorf("SIGTERM: it wrote %q", wrote)
			}
		})
	}
}
