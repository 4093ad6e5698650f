// Package stdio is standard output and standard error of a program that has to
// finish, or undo, what it began, whoever reads it: a reader may go away (EPIPE,
// EIO), a disk may be full, and a terminal may be stopped (Ctrl-S) or its network
// connection dead without anybody having been told.
package stdio

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Patience is how long a write waits for its reader. After that the program continues,
// and the text is delivered when the reader reads again.
const Patience = 2 * time.Second

// Output is an io.Writer that never fails and never blocks for long. It keeps the first
// error for Flush.
type Output struct {
	to       io.Writer
	onLost   func([]byte)
	patience time.Duration

	mu      sync.Mutex
	queue   []byte        // written here, not delivered yet
	idle    chan struct{} // closed when all is delivered; nil while there is nothing to deliver
	stalled bool          // the reader was waited for in vain
	begun   bool          // something was written
	err     error         // the first one
}

// New returns an Output that writes to w. What w does not take is given to lost,
// which may be nil.
func New(w io.Writer, lost func([]byte)) *Output {
	return &Output{to: w, onLost: lost, patience: Patience}
}

// Write implements io.Writer. It returns when p is delivered, so that two Outputs on
// one terminal keep their order, or when the reader did not read in time. It accepts
// all of p and returns no error.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	o.queue, o.begun = append(o.queue, p...), true
	if o.idle == nil {
		o.idle = make(chan struct{})
		go o.deliver()
	}
	idle, stalled := o.idle, o.stalled
	o.mu.Unlock()
	if !stalled && !closedWithin(idle, o.patience) {
		o.mu.Lock()
		o.stalled = o.idle != nil
		o.mu.Unlock()
	}
	return len(p), nil
}

// Begun reports whether anything was written.
func (o *Output) Begun() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.begun
}

// closedWithin waits for a channel to be closed, and reports whether that happened in
// time.
func closedWithin(closed <-chan struct{}, patience time.Duration) bool {
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-closed:
		return true
	case <-t.C:
		return false
	}
}

// deliver writes what is queued until there is no more.
func (o *Output) deliver() {
	for {
		o.mu.Lock()
		p := o.queue
		o.queue = nil
		if len(p) == 0 {
			close(o.idle)
			o.idle, o.stalled = nil, false
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		if n, err := writeAll(o.to, p); err != nil {
			o.mu.Lock()
			if o.err == nil {
				o.err = err
			}
			o.mu.Unlock()
			if o.onLost != nil {
				o.onLost(p[n:])
			}
		}
	}
}

// writeAll also serves a descriptor that another program, which has it too, made
// non-blocking.
func writeAll(w io.Writer, p []byte) (n int, err error) {
	for {
		m, err := w.Write(p[n:])
		n += m
		if !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Flush waits until all is delivered or done is closed; then it waits as long as
// one write does. It returns the first error of any write, nil if there was none.
func (o *Output) Flush(done <-chan struct{}) error {
	o.mu.Lock()
	idle := o.idle
	o.mu.Unlock()
	if idle != nil {
		select {
		case <-idle:
		case <-done:
			closedWithin(idle, o.patience)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// ReaderGone reports whether a write failed because the reader went away, as head does
// when it has read enough, or because the terminal was closed. After other errors
// somebody who still reads misses something.
func ReaderGone(err error) bool { return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) }

// Read, Close and Fd make an Output of a terminal usable where a terminal is
// asked for (bubbletea's and x/term's File).

// Read reads from the terminal.
func (o *Output) Read(p []byte) (int, error) {
	if r, ok := o.to.(io.Reader); ok {
		return r.Read(p)
	}
	return 0, io.EOF
}

// Close does nothing: standard streams stay open.
func (o *Output) Close() error { return nil }

// Fd is the descriptor that is written to, and no valid one if that is not a file.
func (o *Output) Fd() uintptr {
	if f, ok := o.to.(*os.File); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}
