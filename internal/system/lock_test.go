package system

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	path := t.TempDir() + "/run/lock"
	ctx := context.Background()
	release, err := Lock(ctx, path, 0)
	must(t, err)
	_, err = Lock(ctx, path, 100*time.Millisecond)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Fatalf("second lock: %v", err)
	}
	if want := fmt.Sprintf("lock %s: held by process %d (%s", path, os.Getpid(), os.Args[0]); !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q, want %q…", err, want)
	}
	go func() { time.Sleep(100 * time.Millisecond); _ = release() }()
	release2, err := Lock(ctx, path, 5*time.Second)
	must(t, err)
	must(t, release2())
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("lock file %v, %v", fi, err)
	}
}

func TestLockCancelled(t *testing.T) {
	path := t.TempDir() + "/lock"
	release, err := Lock(context.Background(), path, 0)
	must(t, err)
	defer func() { _ = release() }()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Lock(ctx, path, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
