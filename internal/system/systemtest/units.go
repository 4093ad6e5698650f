package systemtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"mailsetup/internal/edits"
	"mailsetup/internal/mastercf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// unit is a daemon that reads its files when it is told to, and not before.
type unit struct {
	status  system.UnitStatus
	reads   []state.Path
	loaded  map[state.Path]string
	defines []state.Path
	defined map[state.Path]string             // as systemd last read it
	reject  func(map[state.Path]string) error // fails Act
	unhappy func(map[state.Path]string) error // fails probes, Act reports success
	neverUp func(map[state.Path]string) error // fails Act, but the unit works
	log     []string
	starts  int
}

// Unit adds an active unit that reads the files named. A name that ends in a
// slash stands for every file below it.
func (m *Mem) Unit(name string, reads ...state.Path) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := &unit{reads: reads, starts: 1}
	u.status = system.UnitStatus{Load: "loaded", Active: "active", Sub: "running", Type: "forking", Invocation: "1"}
	u.loaded = m.snapshot(reads)
	m.units[name] = u
}

// Defines tells which files are the unit's own: systemd reads them at a
// daemon-reload, and the unit runs with what was read when it is started.
func (m *Mem) Defines(name string, files ...state.Path) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	u.defines, u.defined = files, m.snapshot(files)
	maps.Copy(u.loaded, u.defined)
}

// Inactive makes a unit one that does not run.
func (m *Mem) Inactive(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	u.status.Active, u.status.Sub, u.loaded = "inactive", "dead", nil
}

// Reject makes Act fail when the function does not like the unit's files; the
// unit is failed then, and runs with nothing.
func (m *Mem) Reject(name string, f func(files map[state.Path]string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[name].reject = f
}

// RejectProbe makes Act report success but keep what was loaded before, and
// probes of the unit fail, when the function does not like the unit's files:
// the way OpenDKIM and BIND reload.
func (m *Mem) RejectProbe(name string, f func(files map[state.Path]string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.units[name].unhappy = f
}

// NeverUp makes a unit that does its work, but goes on starting when the function does
// not like its files: Act fails, and so does a probe whether it is active.
func (m *Mem) NeverUp(name string, f func(files map[state.Path]string) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	u.neverUp = f
	if f(u.loaded) != nil {
		u.status.Active, u.status.Sub = "activating", "start"
	}
}

// Loaded returns what the unit read when it was last acted on, nil if it does
// not run.
func (m *Mem) Loaded(name string) map[state.Path]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.units[name]; u != nil {
		return maps.Clone(u.loaded)
	}
	return nil
}

func (m *Mem) snapshot(reads []state.Path) map[state.Path]string {
	files := map[state.Path]string{}
	for _, r := range reads {
		if !strings.HasSuffix(string(r), "/") {
			if o := m.files[r]; o.Kind == state.Regular {
				files[r] = string(o.Content)
			}
			continue
		}
		for p, o := range m.files {
			if o.Kind == state.Regular && strings.HasPrefix(string(p), string(r)) {
				files[p] = string(o.Content)
			}
		}
	}
	return files
}

// Status implements system.Units.
func (m *Mem) Status(_ context.Context, name string) (system.UnitStatus, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if u := m.units[name]; u != nil {
		st := u.status
		st.NeedsDaemonReload = !maps.Equal(u.defined, m.snapshot(u.defines))
		return st, nil
	}
	return system.UnitStatus{Load: "not-found", Active: "inactive", Sub: "dead"}, nil
}

// Act implements system.Units.
func (m *Mem) Act(ctx context.Context, name string, action state.UnitAction, _ state.Path) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("%s %s", action, name)
	u := m.units[name]
	if u == nil {
		return fmt.Errorf("%s %s: unit not found", action, name)
	}
	if action.AtBoot() {
		u.status.AtBoot = string(action) + "d"
		return nil
	}
	if action == state.Stop {
		u.status.Active, u.status.Sub, u.loaded = "inactive", "dead", nil
		return nil
	}
	if action == state.Reload && u.status.Active != "active" {
		return fmt.Errorf("reload %s: unit is %s", name, u.status.Active)
	}
	files := m.snapshot(u.reads)
	for _, p := range u.defines { // a reload is sent to what runs
		if text, ok := u.runsWith(action)[p]; ok {
			files[p] = text
		}
	}
	if err := call(u.reject, files); err != nil {
		u.log = append(u.log, err.Error())
		u.status.Active, u.status.Sub, u.loaded = "failed", "failed", nil
		return fmt.Errorf("%s %s: job failed", action, name)
	}
	if action == state.Restart || action == state.Start {
		u.starts++
		u.status.Active, u.status.Sub = "active", "running"
		u.status.Invocation = fmt.Sprint(u.starts)
	}
	if err := call(u.unhappy, files); err != nil {
		u.log = append(u.log, err.Error())
		return nil
	}
	u.loaded = files
	if err := call(u.neverUp, files); err != nil {
		u.status.Active, u.status.Sub = "activating", "start"
		return fmt.Errorf("%s %s: %w", action, name, err)
	}
	return nil
}

// runsWith returns the definition of the unit after an action.
func (u *unit) runsWith(action state.UnitAction) map[state.Path]string {
	if action == state.Restart {
		return u.defined
	}
	return u.loaded
}

func call(f func(map[state.Path]string) error, files map[state.Path]string) error {
	if f == nil {
		return nil
	}
	return f(files)
}

// Stop implements system.Units.
func (m *Mem) Stop(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("stop %s", name)
	u := m.units[name]
	if u == nil {
		return fmt.Errorf("stop %s: unit not found", name)
	}
	u.status.Active, u.status.Sub, u.loaded = "inactive", "dead", nil
	return nil
}

// DaemonReload implements system.Units.
func (m *Mem) DaemonReload(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("daemon-reload")
	for _, u := range m.units {
		u.defined = m.snapshot(u.defines)
	}
	return nil
}

// Log implements system.Units.
func (m *Mem) Log(_ context.Context, name string, _ time.Time, lines int) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units[name]
	if u == nil {
		return nil, nil
	}
	return u.log[max(0, len(u.log)-lines):], nil
}

// Run implements system.Runner.
func (m *Mem) Run(ctx context.Context, c system.Command) (system.Result, error) {
	if err := ctx.Err(); err != nil {
		return system.Result{}, err
	}
	m.mu.Lock()
	m.note("run %s", strings.Join(c.Argv, " "))
	m.mu.Unlock()
	var res system.Result
	var err error
	if m.OnRun != nil {
		res, err = m.OnRun(c)
	}
	if c.Argv[0] == "rndc" && err == nil && res.Code == 0 {
		return m.rndc(), nil
	}
	return res, err
}

// rndc has BIND read its files again.
func (m *Mem) rndc() system.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.units["named.service"]
	if u == nil || u.status.Active != "active" {
		return system.Result{Code: 1, Stderr: []byte("rndc: connect failed: connection refused")}
	}
	if files := m.snapshot(u.reads); call(u.reject, files) == nil && call(u.unhappy, files) == nil {
		u.loaded = files
	}
	return system.Result{}
}

// Check implements system.Checker.
func (m *Mem) Check(ctx context.Context, vs []state.Validator, files map[state.Path]state.Object) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	for _, v := range vs {
		m.note("check %s", v.Name)
	}
	m.mu.Unlock()
	if m.OnCheck == nil {
		return nil
	}
	return m.OnCheck(vs, files)
}

// Probe implements system.Prober.
func (m *Mem) Probe(ctx context.Context, p state.Probe) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	m.note("probe %s %s", p.Kind, p.Unit+p.Address+p.Origin)
	err := m.unitProbe(p)
	m.mu.Unlock()
	if err != nil || m.OnProbe == nil {
		return err
	}
	return m.OnProbe(p)
}

func (m *Mem) unitProbe(p state.Probe) error {
	u := m.units[p.Unit]
	switch {
	case p.Unit == "":
		return nil
	case u == nil || u.status.Active != "active":
		return fmt.Errorf("probe %s: not active", p.Unit)
	}
	return call(u.unhappy, m.snapshot(u.reads))
}

// Evaluate implements system.Reader.
func (m *Mem) Evaluate(_ context.Context, e state.Edit, current state.Object) ([]byte, error) {
	if m.OnEvaluate != nil {
		if out, handled, err := m.OnEvaluate(e, current); handled {
			return out, about(e, err)
		}
	}
	if pe, ok := e.(state.PostfixEdit); ok {
		out, err := setParameters(pe, current)
		return out, about(e, err)
	}
	if _, ok := e.(state.MasterEdit); ok && current.Kind != state.Regular {
		return nil, about(e, errors.New("it does not exist; is postfix installed?"))
	}
	out, handled, err := edits.Evaluate(e, current.Content)
	if !handled {
		err = fmt.Errorf("%T is not known here", e)
	}
	return out, about(e, err)
}

// about names the file in the error, as the real machine does, and the line
// if there is one.
func about(e state.Edit, err error) error {
	if err == nil {
		return nil
	}
	var at *mastercf.Error
	if errors.As(err, &at) {
		return &system.UnusableError{Path: e.Target(), Line: at.Line, Text: at.Text}
	}
	return fmt.Errorf("edit %s: %w", e.Target(), err)
}

// setParameters simulates postconf -e: the last line of a parameter is
// replaced, a new one is added at the end. Continuation lines, which the real
// one joins, are not understood.
func setParameters(e state.PostfixEdit, current state.Object) ([]byte, error) {
	if current.Kind != state.Regular {
		return nil, errors.New("main.cf does not exist")
	}
	lines := strings.Split(strings.TrimSuffix(string(current.Content), "\n"), "\n")
	for _, s := range e.Set {
		at := -1
		for i, l := range lines {
			if name, _, ok := strings.Cut(l, "="); ok && strings.TrimSpace(name) == s.Name {
				at = i
			}
		}
		if at < 0 {
			at = len(lines)
			lines = append(lines, "")
		}
		lines[at] = s.Name + " = " + s.Value
	}
	return []byte(strings.Join(lines, "\n") + "\n"), nil
}
