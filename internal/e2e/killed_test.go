//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
)

// seed makes the moments of a failed test come again.
const seed = 20261122

// TestKilledRuns: wherever the program is killed, recover finds the way back; and
// of a dozen other faults, half on each release, none ends a run that is neither
// finished nor taken back.
func TestKilledRuns(t *testing.T) {
	inTurn(t, func(t *testing.T, release string) {
		b := killRuns(t, release, 4)
		b.Named(t, "shop.example")
		faults := []string{"signal 3, 3 times", "signal 2 to the pipeline", "no reader", "output to a full disk", "the terminal goes away", "read-only /etc/bind"}
		if release == "trixie" {
			faults = []string{"signal 1, 1 times", `key "\x03"`, "no reader of standard output", "no standard streams", `key "\x1a"`, "full /var/lib/mailsetup"}
		}
		v := newVictims(b, release, len(faults))
		v.befalls(t, deed{
			name: "add-domain", args: []string{"add-domain", "--yes", "shop.example"}, ready: func() {},
			back: func() { product(t, b, 0, "rollback", "--yes") },
		}, named(t, faults...))
		v.sum(t)
	})
}

// TestSoakKills is the same with many more moments: MAILSETUP_SOAK, or 200.
func TestSoakKills(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("MAILSETUP_SOAK"))
	if err != nil {
		n = 200
	}
	each(t, func(t *testing.T, release string) { killRuns(t, release, n) })
}

// killRuns kills n runs at moments spread over the time that one takes, and
// looks at the server after each. The last one is followed by an init instead
// of a recover, which has to do both.
func killRuns(t *testing.T, release string, n int) *lab.Box {
	t.Helper()
	b, sink := existing(t, release)
	start := time.Now()
	product(t, b, 0, initArgs()...)
	whole := time.Since(start)
	product(t, b, 0, "rollback", "--yes")
	was := look(t, b)
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	half := 0
	for i := range n {
		at := time.Duration((float64(i) + random.Float64()) / float64(n) * float64(whole))
		out, code := "", 0
		if i == 0 { // the others may all miss the changes on a busy machine
			out, code = killedAt(t, b, changes, initArgs()...)
		} else {
			out, code = killed(t, b, at, initArgs()...)
		}
		if code == 0 { // it was faster than the first one
			product(t, b, 0, "rollback", "--yes")
			was = look(t, b) // with one more selector used
			continue
		}
		if code != 137 {
			t.Fatalf("killed after %v: exit %d\n%s", at, code, out)
		}
		if i == n-1 {
			break
		}
		said, _ := product(t, b, 0, "recover")
		if !strings.Contains(said, "No interrupted run") {
			half++
		}
		asBefore(t, b, was)
		if t.Failed() {
			t.Fatalf("killed after %v of %v:\n%s\n%s", at, whole, out, said)
		}
	}
	t.Logf("%d moments over %v, %d of them in the middle of changes", n, whole.Round(time.Millisecond), half)
	if half == 0 {
		t.Error("no run was killed while it changed something")
	}
	product(t, b, 0, initArgs()...)
	leavesSigned(t, b, sink)
	noLeak(t, b)
	return b
}

// killed starts a run and kills it, and nothing else, after a time.
func killed(t *testing.T, b *lab.Box, after time.Duration, args ...string) (out string, code int) {
	t.Helper()
	argv := []string{"timeout", "--foreground", "-s", "KILL", fmt.Sprintf("%.3f", after.Seconds()), "mailsetup"}
	stdout, stderr, code := b.Exec(t.Context(), nil, append(argv, args...)...)
	return stdout + stderr, code
}

// changes is what a run says in the middle of its changes, when it tells BIND of zones.
const changes = "DNS: reload named.service"

// killedAt starts a run and kills it, and nothing else, once the line has been printed.
func killedAt(t *testing.T, b *lab.Box, at string, args ...string) (out string, code int) {
	t.Helper()
	return signalled(t, b, "KILL", at, 1, append([]string{"sh", "-c", `mailsetup "$@"; exit $?`, "sh"}, args...)...)
}

// interruptedAnywhere: Ctrl-C takes everything back, however impatient the fingers.
func interruptedAnywhere(t *testing.T, b *lab.Box, sink *lab.Sink, _ string) {
	t.Helper()
	was := look(t, b)
	for _, c := range []struct {
		at    string // the line of progress to press Ctrl-C at
		times int
	}{
		{"making a key", 1},
		{"DNS: reload named.service", 1},
		{"OpenDKIM: restart opendkim.service", 3},
		{"Postfix: does Postfix take mail", 1},
	} {
		stderr, code := interrupted(t, b, c.at, c.times, initArgs()...)
		if code != 130 {
			t.Errorf("Ctrl-C at %q: exit %d, want 130\n%s", c.at, code, stderr)
		}
		asBefore(t, b, was)
		if t.Failed() {
			t.Fatalf("Ctrl-C at %q:\n%s", c.at, stderr)
		}
	}
	notServed(t, b)
	leavesUnsigned(t, b, sink)
}

// finger is on the key already: entering the box takes longer than some of what
// is to be interrupted.
func finger(ctx context.Context, t *testing.T, b *lab.Box, signal string) (press func()) {
	t.Helper()
	cmd := b.Command(ctx, "sh", "-c", "echo ready; while read now; do pkill -"+signal+" -x mailsetup; done") // the last ones may find it gone
	in, err := cmd.StdinPipe()
	out, oerr := cmd.StdoutPipe()
	if err := errors.Join(err, oerr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	return func() { _, _ = io.WriteString(in, "now\n") }
}

// interrupted starts a run and sends SIGINT once the line has been printed.
func interrupted(t *testing.T, b *lab.Box, at string, times int, args ...string) (stderr string, code int) {
	t.Helper()
	return signalled(t, b, "INT", at, times, append([]string{"mailsetup"}, args...)...)
}

// signalled starts a command, and sends mailsetup a signal once the line has been printed.
func signalled(t *testing.T, b *lab.Box, signal, at string, times int, argv ...string) (stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	press := finger(ctx, t, b, signal)
	cmd := b.Command(ctx, argv...)
	r, w := io.Pipe()
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		w.Close()
	}()
	var said bytes.Buffer
	pressed := false
	for lines := bufio.NewScanner(r); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if pressed || !strings.HasPrefix(lines.Text(), at) {
			continue
		}
		pressed = true
		for range times {
			press()
			time.Sleep(100 * time.Millisecond)
		}
	}
	<-ended
	if !pressed {
		t.Errorf("%q was never printed", at)
	}
	return said.String(), cmd.ProcessState.ExitCode()
}
