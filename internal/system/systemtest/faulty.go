package systemtest

import (
	"context"
	"errors"
	"time"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// ErrInjected is what a Faulty answers where it fails.
var ErrInjected = errors.New("injected fault")

// Fault is what goes wrong at one operation.
type Fault int

// The faults. After means that the operation took effect first.
const (
	NoFault Fault = iota
	ErrorBefore
	ErrorAfter
	CrashBefore
	CrashAfter
)

// String names the fault.
func (f Fault) String() string {
	return [...]string{"none", "error before", "error after", "crash before", "crash after"}[f]
}

// Crash is what a Faulty panics with: the process is dead. Survive recovers it.
type Crash struct{}

// Survive runs f and reports whether it crashed. Other panics go on.
func Survive(f func()) (crashed bool) {
	defer func() {
		r := recover()
		if _, ok := r.(Crash); ok {
			crashed = true
		} else if r != nil {
			panic(r)
		}
	}()
	f()
	return false
}

// Faulty wraps a machine, counts what is asked of it, and lets operation At
// (from 1), or each of the name On ("reload named.service", "rename /etc/x"),
// go wrong. After a crash every further call crashes, too.
type Faulty struct {
	System system.System
	At     int
	On     string
	Fault  Fault
	// Hook, if set, is called before each operation with its number.
	Hook func(n int)
	// Ops counts the operations so far; Last names the latest.
	Ops  int
	Last string

	dead bool
}

var _ system.System = (*Faulty)(nil)

// do runs one operation, or the fault in its place.
func (f *Faulty) do(name string, op func() error) error {
	if f.dead {
		panic(Crash{})
	}
	f.Ops++
	f.Last = name
	if f.Hook != nil {
		f.Hook(f.Ops)
	}
	if f.Ops != f.At && (f.On == "" || f.On != name) {
		return op()
	}
	switch f.Fault {
	case ErrorBefore:
		return ErrInjected
	case ErrorAfter:
		return errors.Join(op(), ErrInjected)
	case CrashBefore:
		f.crash()
	case CrashAfter:
		_ = op()
		f.crash()
	}
	return op()
}

func (f *Faulty) crash() {
	f.dead = true
	panic(Crash{})
}

// ask is do for operations with an answer, which an error takes away.
func ask[T any](f *Faulty, name string, op func() (T, error)) (T, error) {
	var got, zero T
	err := f.do(name, func() (err error) {
		got, err = op()
		return err
	})
	if err != nil {
		return zero, err
	}
	return got, nil
}

// Read implements system.Reader.
func (f *Faulty) Read(p state.Path) (state.Object, error) {
	return ask(f, "read "+string(p), func() (state.Object, error) { return f.System.Read(p) })
}

// Stat implements system.Reader.
func (f *Faulty) Stat(p state.Path) (state.Object, error) {
	return ask(f, "stat "+string(p), func() (state.Object, error) { return f.System.Stat(p) })
}

// List implements system.Reader.
func (f *Faulty) List(p state.Path) ([]string, error) {
	return ask(f, "list "+string(p), func() ([]string, error) { return f.System.List(p) })
}

// Evaluate implements system.Reader.
func (f *Faulty) Evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	return ask(f, "evaluate "+string(e.Target()), func() ([]byte, error) { return f.System.Evaluate(ctx, e, current) })
}

// Create implements system.Writer.
func (f *Faulty) Create(p state.Path, o state.Object) error {
	return f.do("create "+string(p), func() error { return f.System.Create(p, o) })
}

// Rename implements system.Writer.
func (f *Faulty) Rename(from, to state.Path) error {
	return f.do("rename "+string(to), func() error { return f.System.Rename(from, to) })
}

// Remove implements system.Writer.
func (f *Faulty) Remove(p state.Path) error {
	return f.do("remove "+string(p), func() error { return f.System.Remove(p) })
}

// Mkdir implements system.Writer.
func (f *Faulty) Mkdir(p state.Path, o state.Object) error {
	return f.do("mkdir "+string(p), func() error { return f.System.Mkdir(p, o) })
}

// SetMeta implements system.Writer.
func (f *Faulty) SetMeta(p state.Path, o state.Object) error {
	return f.do("setmeta "+string(p), func() error { return f.System.SetMeta(p, o) })
}

// Append implements system.Writer.
func (f *Faulty) Append(p state.Path, line []byte) error {
	return f.do("append "+string(p), func() error { return f.System.Append(p, line) })
}

// Sync implements system.Writer.
func (f *Faulty) Sync(paths ...state.Path) error {
	return f.do("sync", func() error { return f.System.Sync(paths...) })
}

// Status implements system.Units.
func (f *Faulty) Status(ctx context.Context, unit string) (system.UnitStatus, error) {
	return ask(f, "status "+unit, func() (system.UnitStatus, error) { return f.System.Status(ctx, unit) })
}

// Act implements system.Units.
func (f *Faulty) Act(ctx context.Context, unit string, action state.UnitAction, wake state.Path) error {
	return f.do(string(action)+" "+unit, func() error { return f.System.Act(ctx, unit, action, wake) })
}

// Stop implements system.Units.
func (f *Faulty) Stop(ctx context.Context, unit string) error {
	return f.do("stop "+unit, func() error { return f.System.Stop(ctx, unit) })
}

// DaemonReload implements system.Units.
func (f *Faulty) DaemonReload(ctx context.Context) error {
	return f.do("daemon-reload", func() error { return f.System.DaemonReload(ctx) })
}

// Log implements system.Units.
func (f *Faulty) Log(ctx context.Context, unit string, since time.Time, lines int) ([]string, error) {
	return ask(f, "log "+unit, func() ([]string, error) { return f.System.Log(ctx, unit, since, lines) })
}

// Run implements system.Runner.
func (f *Faulty) Run(ctx context.Context, c system.Command) (system.Result, error) {
	return ask(f, "run "+c.Argv[0], func() (system.Result, error) { return f.System.Run(ctx, c) })
}

// Check implements system.Checker.
func (f *Faulty) Check(ctx context.Context, vs []state.Validator, files map[state.Path]state.Object) error {
	return f.do("check", func() error { return f.System.Check(ctx, vs, files) })
}

// Probe implements system.Prober.
func (f *Faulty) Probe(ctx context.Context, p state.Probe) error {
	return f.do("probe "+string(p.Kind), func() error { return f.System.Probe(ctx, p) })
}

// Update implements system.Updater.
func (f *Faulty) Update(ctx context.Context, u state.Update) error {
	return f.do("update "+u.Origin, func() error { return f.System.Update(ctx, u) })
}
