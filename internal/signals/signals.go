// Package signals decides what a signal means for a program that has to finish,
// or undo, what it began. No signal ends it but KILL: those that ask a program to
// end cancel a context, the others have no effect.
package signals

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// terminationSignals are the signals that ask the program to end. Without a handler, Go
// ends the program at once for each of them: for QUIT, ABRT and the faults, if kill(1)
// sent them, with a stack dump and exit status 2. Real faults of the program do not
// come this way.
func terminationSignals() []os.Signal {
	return []os.Signal{
		syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGABRT,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSTKFLT, syscall.SIGSYS,
		// The soft limit of processor time: the hard one kills.
		syscall.SIGXCPU,
	}
}

// ignoredByParent are those of them that the parent process had set to be ignored:
// nohup(1), or a shell without job control for background processes, which ignores INT
// and QUIT. Go reports that for INT and HUP only.
func ignoredByParent() map[os.Signal]bool {
	background := signal.Ignored(syscall.SIGINT)
	return map[os.Signal]bool{
		syscall.SIGHUP: signal.Ignored(syscall.SIGHUP), syscall.SIGINT: background, syscall.SIGQUIT: background,
	}
}

// Interrupted is the cause of a context that a signal cancelled.
type Interrupted struct{ Signal os.Signal }

func (i Interrupted) Error() string { return fmt.Sprintf("interrupted by a signal (%v)", i.Signal) }

// Watch handles signals.
type Watch struct {
	say     func(string)
	arrived chan os.Signal
	ignored map[os.Signal]bool // to these

	mu        sync.Mutex
	held      int  // changes under way
	began     bool // there was one
	cancelled bool
	warned    bool // that an undo cannot be hurried
}

// Listen returns a context that is cancelled, with Interrupted as its cause, by the
// first signal that asks the program to end. From then on a write to a pipe without a
// reader fails instead of ending the program (SIGPIPE). The other signals that end
// programs have no effect in Go (USR1, ALRM) or make a write fail (XFSZ). say prints
// messages for the person who sent a signal.
func Listen(parent context.Context, say func(string)) (context.Context, *Watch) {
	ctx, cancel := context.WithCancelCause(parent)
	w := &Watch{say: say, arrived: make(chan os.Signal, 16), ignored: ignoredByParent()}
	// SIGPIPE is listened to, not ignored: programs that are started inherit what is
	// ignored, and shell scripts among them count on it.
	signal.Notify(w.arrived, append(terminationSignals(), syscall.SIGPIPE)...)
	go func() {
		for s := range w.arrived {
			w.handle(s, cancel)
		}
	}()
	return ctx, w
}

func (w *Watch) handle(s os.Signal, cancel context.CancelCauseFunc) {
	switch {
	case w.ignored[s], s == syscall.SIGPIPE: // the write that failed says so
	case s == syscall.SIGTSTP:
		w.say("not stopping in the middle of a change")
	default:
		w.mu.Lock()
		again := w.cancelled && w.held > 0 && !w.warned
		w.cancelled, w.warned = true, w.warned || again
		w.mu.Unlock()
		cancel(Interrupted{s})
		if again {
			w.say("what was begun is being put back already; that goes on to its end")
		}
	}
}

// Hold is called before a change begins, and release when it is finished or taken back.
// Meanwhile mail may be waiting for it, so neither Ctrl-Z (SIGTSTP) nor a write to the
// terminal by a background job (SIGTTOU, stty tostop) stops the program: such a write
// is carried out.
func (w *Watch) Hold() (release func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = true
	if w.held++; w.held == 1 {
		if !signal.Ignored(syscall.SIGTSTP) {
			signal.Notify(w.arrived, syscall.SIGTSTP)
		}
		// A handler is not enough: the kernel would send the signal for the same
		// write again and again.
		signal.Ignore(syscall.SIGTTOU)
	}
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.held--; w.held == 0 {
			signal.Reset(syscall.SIGTSTP, syscall.SIGTTOU)
		}
	})
}

// Began reports whether a change ever began.
func (w *Watch) Began() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.began
}
