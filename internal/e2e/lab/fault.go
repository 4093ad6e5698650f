package lab

import (
	"encoding/json"
	"strings"
	"syscall"
	"time"
)

// FaultKind is what befalls a program while it runs.
type FaultKind string

// The faults. Unless said otherwise, the program's output is read from pipes.
const (
	FaultNone   FaultKind = ""       // it runs in peace
	FaultSignal FaultKind = "signal" // a signal to the program alone
	// FaultGroup is Ctrl-C on a pipeline: the signal goes to all of it, and the
	// reader ends as well.
	FaultGroup  FaultKind = "group"
	FaultReader FaultKind = "reader" // the reader of both streams goes away
	FaultStdout FaultKind = "stdout" // that of standard output alone
	FaultFull   FaultKind = "full"   // both streams are a full disk, from the start
	FaultClosed FaultKind = "closed" // the program starts without standard streams
	// FaultStall: the reader reads nothing for five seconds, and then goes on.
	FaultStall  FaultKind = "stall"
	FaultHangup FaultKind = "hangup" // the program has a terminal, which goes away
	FaultKey    FaultKind = "key"    // a key is pressed on the program's terminal
	// FaultScript runs a shell script beside the program.
	FaultScript FaultKind = "script"
)

// Fault is a program and what befalls it.
type Fault struct {
	Argv  []string
	Kind  FaultKind
	After time.Duration // since the program was started
	// Signal is sent so often, a tenth of a second apart: once for 0.
	Signal syscall.Signal
	Times  int
	Key    string
	Script string
}

// Suffered is how a program with a Fault ended.
type Suffered struct {
	Code   int // exit code, or 128 and the signal that killed it
	Out    string
	Script string // what the script printed
	Took   time.Duration
}

// Suffer runs a program in the box with a fault.
func (b *Box) Suffer(t T, f Fault) Suffered {
	t.Helper()
	b.probe(t)
	text, err := json.Marshal(f)
	if err != nil {
		t.Fatalf("%v", err)
	}
	stdout, stderr, code := b.Exec(t.Context(), strings.NewReader(string(text)), probePath, "fault")
	var s Suffered
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != 0 {
		t.Fatalf("%s: fault %s: exit status %d, %v\n%s%s", b.Name, text, code, err, stdout, stderr)
	}
	return s
}
