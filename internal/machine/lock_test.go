package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
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
