package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// bencher is a lab.T: what fails ends the measurement after its cleanups.
type bencher struct {
	ctx      context.Context
	cleanups []func()
	err      error
}

// run does the work and then the cleanups, also where it failed.
func (b *bencher) run(do func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for i := len(b.cleanups) - 1; i >= 0; i-- {
				b.cleanups[i]()
			}
		}()
		do()
	}()
	<-done
	return b.err
}

// Helper and the others implement lab.T.
func (b *bencher) Helper()                      {}
func (b *bencher) Name() string                 { return "bench" }
func (b *bencher) Failed() bool                 { return b.err != nil }
func (b *bencher) Context() context.Context     { return b.ctx }
func (b *bencher) Cleanup(f func())             { b.cleanups = append(b.cleanups, f) }
func (b *bencher) Logf(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }

// Fatalf ends the work, which has a goroutine of its own.
func (b *bencher) Fatalf(format string, a ...any) {
	b.err = errors.Join(b.err, fmt.Errorf(format, a...))
	runtime.Goexit()
}
