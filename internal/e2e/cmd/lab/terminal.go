package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
)

// terminal is a lab.T for a person: what a test would log it says, and a
// failure ends the session after its cleanups.
type terminal struct {
	ctx      context.Context
	cleanups []func()
	failed   bool
}

// session runs do with a terminal and returns the exit status.
func session(ctx context.Context, do func(*terminal)) int {
	t := &terminal{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(t.cleanups) - 1; i >= 0; i-- {
				t.cleanups[i]()
			}
		}()
		do(t)
	}()
	<-done
	if t.failed {
		return 1
	}
	return 0
}

func (t *terminal) Helper()                      {}
func (t *terminal) Name() string                 { return "lab" }
func (t *terminal) Failed() bool                 { return t.failed }
func (t *terminal) Context() context.Context     { return t.ctx }
func (t *terminal) Cleanup(f func())             { t.cleanups = append(t.cleanups, f) }
func (t *terminal) Logf(format string, a ...any) { fmt.Fprintf(os.Stderr, "lab: "+format+"\n", a...) }

// Fatalf says what is wrong and ends the session's goroutine, not the process:
// the cleanups still run.
func (t *terminal) Fatalf(format string, a ...any) {
	t.Logf(format, a...)
	t.failed = true
	runtime.Goexit()
}
