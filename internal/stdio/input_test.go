package stdio_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"mailsetup/internal/stdio"
)

// Nobody has to wait for a pipe that nobody writes to, opened or not.
func TestInputEndsWithTheContext(t *testing.T) {
	pipe := t.TempDir() + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := stdio.Open(ctx, pipe); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: %v", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := stdio.ReadAll(ctx, r); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	if text, err := stdio.ReadAll(t.Context(), strings.NewReader("lab.example")); string(text) != "lab.example" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
