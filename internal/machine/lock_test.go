package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

func TestLock(t *testing.T) {
	path := t.TempDir() + "/run/lock"
	ctx := context.Background()
	release, err := takeLock(ctx, path, 0)
	must(t, err)
	_, err = takeLock(ctx, path, 100*time.Millisecond)
	var locked *lockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("second lock: %v", err)
	}
	if want := fmt.Sprintf("lock %s: held by process %d (%s", path, os.Getpid(), os.Args[0]); !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q…", err, want)
	}
	go func() { time.Sleep(100 * time.Millisecond); _ = release() }()
	release2, err := takeLock(ctx, path, 5*time.Second)
	must(t, err)
	must(t, release2())
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("lock file %v, %v", fi, err)
	}
}

func TestLockCancelled(t *testing.T) {
	path := t.TempDir() + "/lock"
	release, err := takeLock(context.Background(), path, 0)
	must(t, err)
	defer func() { _ = release() }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := takeLock(ctx, path, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A command that changes nothing deletes what a killed probe left in the queue, but not what
// a run that has the lock is sending.
func TestRemoveProbe(t *testing.T) {
	lock := t.TempDir() + "/lock"
	var ran []string
	queued := true
	sys := systemtest.NewMem()
	sys.OnRun = func(c system.Command) (system.Result, error) {
		ran = append(ran, strings.Join(c.Argv, " ")+" <"+string(c.Stdin))
		switch {
		case c.Argv[0] == "postsuper":
			queued = false
		case queued:
			return system.Result{Stdout: []byte(`{"queue_name":"deferred","queue_id":"AAAAAA1","sender":"mailsetup-0123456789abcdef@[127.83.77.1]","recipients":[{"address":"smtp@[127.83.77.1]"}]}` + "\n")}, nil
		}
		return system.Result{}, nil
	}
	m := New(sys, nil, Options{DryRun: true, Logf: t.Errorf})
	m.removeProbe(t.Context(), lock)
	if len(ran) > 0 {
		t.Errorf("without a probe it ran %q", ran)
	}
	sys.Put(state.ProbeFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte("0123456789abcdef\n")})
	release, err := takeLock(t.Context(), lock, 0)
	must(t, err)
	m.removeProbe(t.Context(), lock)
	if len(ran) > 0 {
		t.Errorf("beside another run it ran %q", ran)
	}
	must(t, release())
	m.removeProbe(t.Context(), lock)
	if o, err := sys.Read(state.ProbeFile); err != nil || o.Kind != state.Absent || !slices.Contains(ran, "postsuper -d - <AAAAAA1\n") {
		t.Errorf("%v %v, ran %q", o.Kind, err, ran)
	}
	must(t, func() error { again, err := takeLock(t.Context(), lock, 0); return errors.Join(err, again()) }())
}

// Something else in the place of the lock file holds nobody up.
func TestLockIsNoFile(t *testing.T) {
	dir := t.TempDir()
	must(t, syscall.Mkfifo(dir+"/pipe", 0o600))
	must(t, os.Symlink("/dev/null", dir+"/link"))
	for name, want := range map[string]string{"pipe": "device, pipe or socket", "link": "symbolic link"} {
		_, err := takeLock(context.Background(), dir+"/"+name, time.Minute)
		if err == nil || err.Error() != "lock "+dir+"/"+name+": is a "+want+", not a file" {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(Hints(err), "\n"); got != "move it away: mv "+dir+"/"+name+" "+dir+"/"+name+".old" {
			t.Errorf("%s: hint %q", name, got)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A run that goes on is not called interrupted: who holds the lock is at work.
func TestARunInProgressIsNotInterrupted(t *testing.T) {
	lock := t.TempDir() + "/lock"
	var said []string
	sys := systemtest.NewMem()
	sys.PutFile(apply.JournalDir+"/20261122T090000-aaaa/run.jsonl", `{"event":"begin","id":"20261122T090000-aaaa","command":"init"}`+"\n")
	m := New(sys, nil, Options{DryRun: true, Logf: func(format string, a ...any) { said = append(said, fmt.Sprintf(format, a...)) }})
	release, err := takeLock(t.Context(), lock, 0)
	must(t, err)
	m.tellOfOpenRun(lock)
	must(t, release())
	m.tellOfOpenRun(lock)
	if len(said) != 2 || !strings.HasPrefix(said[0], fmt.Sprintf("run 20261122T090000-aaaa has not ended yet (lock %s: held by process %d (", lock, os.Getpid())) ||
		said[1] != "an interrupted run (20261122T090000-aaaa) has to be put back first: what follows is not the whole truth\nhint: mailsetup recover" {
		t.Errorf("said %q", said)
	}
	if err := heldBy(t.TempDir() + "/none"); err != nil {
		t.Errorf("a lock that is not there: %v", err)
	}
}
