//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"mailsetup/internal/e2e/lab"
)

// ends tells whether a signal asks a program to end.
func ends(s syscall.Signal) bool {
	return slices.Contains([]syscall.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGXCPU,
	}, s)
}

// faulty is a fault, and scripts around it: what makes it possible, and what takes
// it away again.
type faulty struct {
	lab.Fault
	name        string
	setup, undo string // "" for nothing
}

// catalogue are all faults, and how often each is drawn.
func catalogue() (all []faulty) {
	add := func(often int, f faulty) {
		for range often {
			all = append(all, f)
		}
	}
	add(20, faulty{name: "SIGKILL", Fault: lab.Fault{Kind: lab.FaultSignal, Signal: syscall.SIGKILL}})
	for _, s := range []syscall.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGSEGV, syscall.SIGXCPU,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM, syscall.SIGPIPE, syscall.SIGXFSZ, syscall.SIGVTALRM, syscall.SIGCHLD, syscall.SIGTSTP,
	} {
		for times := 1; times <= 3; times += 2 {
			add(1, faulty{
				name:  fmt.Sprintf("signal %d, %d times", int(s), times),
				Fault: lab.Fault{Kind: lab.FaultSignal, Signal: s, Times: times},
			})
		}
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP} {
		add(5, faulty{name: fmt.Sprintf("signal %d to the pipeline", int(s)), Fault: lab.Fault{Kind: lab.FaultGroup, Signal: s}})
	}
	for _, key := range []string{"\x03", "\x1c", "\x1a"} {
		add(3, faulty{name: fmt.Sprintf("key %q", key), Fault: lab.Fault{Kind: lab.FaultKey, Key: key, Times: 2}})
	}
	add(5, faulty{name: "no reader", Fault: lab.Fault{Kind: lab.FaultReader}})
	add(5, faulty{name: "no reader of standard output", Fault: lab.Fault{Kind: lab.FaultStdout}})
	add(5, faulty{name: "output to a full disk", Fault: lab.Fault{Kind: lab.FaultFull}})
	add(3, faulty{name: "no standard streams", Fault: lab.Fault{Kind: lab.FaultClosed}})
	add(2, faulty{name: "a reader that waits", Fault: lab.Fault{Kind: lab.FaultStall}})
	add(6, faulty{name: "the terminal goes away", Fault: lab.Fault{Kind: lab.FaultHangup}})
	for _, dir := range []string{"/etc/postfix", "/etc/bind", "/etc/dkimkeys", "/var/lib/mailsetup", "/etc"} {
		script := fmt.Sprintf("test -d %[1]s || exit 0; mount --bind %[1]s %[1]s; mount -o remount,bind,ro %[1]s", dir)
		add(1, faulty{name: "read-only " + dir, Fault: lab.Fault{Kind: lab.FaultScript, Script: script}, undo: "umount " + dir + " || true"})
	}
	for _, dir := range []string{"/etc/postfix", "/var/lib/mailsetup"} {
		setup, full, undo := small(dir)
		add(2, faulty{name: "full " + dir, Fault: lab.Fault{Kind: lab.FaultScript, Script: full}, setup: setup, undo: undo})
	}
	return all
}

// draw takes any of them.
func (v *victims) draw(n int) []faulty {
	all := catalogue()
	list := make([]faulty, n)
	for i := range list {
		list[i] = all[v.random.IntN(len(all))]
	}
	return list
}

// named takes those with these names.
func named(t *testing.T, names ...string) (list []faulty) {
	t.Helper()
	for _, name := range names {
		i := slices.IndexFunc(catalogue(), func(f faulty) bool { return f.name == name })
		if i < 0 {
			t.Fatalf("no fault %q", name)
		}
		list = append(list, catalogue()[i])
	}
	return list
}

// small returns what puts a directory on a file system of its own with little
// room, what fills that, and what puts back what became of it.
func small(dir string) (setup, full, undo string) {
	return fmt.Sprintf(`test -d %[1]s || exit 0
mkdir -p /run/below; mount --bind %[1]s /run/below; mount --make-private /run/below
mount -t tmpfs -o size=$(($(du -sk %[1]s | cut -f1) + 128))k,mode=$(stat -c %%a %[1]s) tmpfs %[1]s; cp -a /run/below/. %[1]s/`, dir),
		fmt.Sprintf("mountpoint -q %[1]s || exit 0; head -c 100M /dev/zero >%[1]s/full 2>/dev/null || true", dir),
		fmt.Sprintf(`mountpoint -q %[1]s || exit 0
rm -f %[1]s/full; find /run/below -mindepth 1 -delete; cp -a %[1]s/. /run/below/; umount %[1]s; umount /run/below`, dir)
}
