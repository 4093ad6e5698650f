package machine_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 123456, time.FixedZone("CET", 3600))

// options are those of a command on a directory, and what it says.
func options(root string) (machine.Options, *strings.Builder) {
	said := &strings.Builder{}
	return machine.Options{
		Root: root, Command: "init", Clock: func() time.Time { return november },
		Logf: func(format string, a ...any) { fmt.Fprintf(said, format+"\n", a...) },
	}, said
}

// interrupt leaves a directory as a run does that was killed after it had
// written a file: the journal is open.
func interrupt(t *testing.T, root string) {
	t.Helper()
	o, _ := options(root)
	m, err := machine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Fatal("the run ended")
		}
		_ = m.Close()
	}()
	p := plan.Plan{Stages: []plan.StageChanges{{Name: "Some", Changes: []plan.Change{
		{Path: "/etc/new.conf", Op: plan.Create, After: state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte("new\n")}},
	}}}}
	_, _ = apply.Run(t.Context(), crashing{m.Sys}, p, m.Journal, m.ApplyOptions())
}

// crashing is a system on which the program dies once a file is in place.
type crashing struct{ system.System }

// Rename implements system.Writer.

func (c crashing) Rename(from, to state.Path) error {
	if err := c.System.Rename(from, to); err != nil {
		return err
	}
	panic("killed")
}

func tree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestAnInterruptedRunIsUndoneBeforeTheNext(t *testing.T) {
	root := tree(t)
	interrupt(t, root)
	if _, err := os.Stat(filepath.Join(root, "etc/new.conf")); err != nil {
		t.Fatalf("the run was killed too early: %v", err)
	}
	o, said := options(root)
	held := 0
	o.Hold = func() func() { held++; return func() { held-- } }
	m, err := machine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := os.Stat(filepath.Join(root, "etc/new.conf")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what it wrote is still there: %v", err)
	}
	if got := said.String(); !strings.Contains(got, "(init) was interrupted; putting the machine back first") || strings.Count(got, "\n") < 2 {
		t.Errorf("said %q", got)
	}
	if r := m.Recovered(); r == nil || r.Command != "init" {
		t.Errorf("recovered %v", r)
	}
	if held != 0 {
		t.Error("the program still holds signals back")
	}
	if open, err := m.Journal.Open(); open != nil || err != nil {
		t.Errorf("the journal is open: %v, %v", open, err)
	}
}

func TestADryRunLeavesAnInterruptedRunAndSaysSo(t *testing.T) {
	root := tree(t)
	interrupt(t, root)
	o, said := options(root)
	o.DryRun = true
	m, err := machine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := os.Stat(filepath.Join(root, "etc/new.conf")); err != nil {
		t.Errorf("a dry run took back what was there: %v", err)
	}
	if got := said.String(); !strings.Contains(got, "has to be put back first: what follows is not the whole truth\nhint: mailsetup recover\n") {
		t.Errorf("said %q", got)
	}
}

func TestADirectoryThatIsMissingHasAHint(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "none")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ root, command, want string }{
		{dir, "init", "mkdir -p " + dir},
		{dir, "list", "name the directory that mailsetup init --root wrote"},
		{file, "init", "name a directory"},
	} {
		o, _ := options(tt.root)
		o.Command = tt.command
		_, err := machine.Open(t.Context(), o)
		if err == nil || !strings.HasPrefix(err.Error(), "--root: ") {
			t.Fatalf("error %v", err)
		}
		if hints := hint.Of(err); len(hints) != 1 || hints[0] != tt.want {
			t.Errorf("hints %q, want %q", hints, tt.want)
		}
	}
}

func TestOwnersOfADirectoryAreWrittenDown(t *testing.T) {
	root := tree(t)
	o, _ := options(root)
	m, err := machine.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Kind() != "tree" {
		t.Errorf("a directory is a %q", m.Kind())
	}
	err = m.Sys.Create("/etc/key", state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Owner{User: "opendkim", Group: "opendkim"}})
	if err == nil {
		err = m.SaveOwners()
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, string(system.ManifestPath)))
	if err != nil || !strings.Contains(string(text), "opendkim") {
		t.Errorf("owners %s, %v", text, err)
	}
}

func TestTimesAreUTCAndWholeSeconds(t *testing.T) {
	o, _ := options("")
	m := machine.New(systemtest.NewMem(), nil, o)
	if want := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC); m.Now != want {
		t.Errorf("now is %v, want %v", m.Now, want)
	}
	if m.Kind() != "server" || m.SaveOwners() != nil {
		t.Error("a running system is no directory")
	}
}

func TestRunsOfACommandHaveOneFirstID(t *testing.T) {
	o, _ := options("")
	m := machine.New(systemtest.NewMem(), nil, o)
	first, second := m.NextRun(), m.ApplyOptions().ID
	if first == second || apply.FirstID(second) != first || !strings.HasPrefix(first, "20261122T090000-") {
		t.Errorf("runs %q and %q", first, second)
	}
	if other := machine.New(systemtest.NewMem(), nil, o).NextRun(); other == first {
		t.Errorf("two commands in a second have the same ID %q", other)
	}
}

func TestRandomLeavesOutWhatIsMistaken(t *testing.T) {
	for range 200 {
		if tail := machine.Random(4); len(tail) != 4 || strings.ContainsAny(tail, "lo01") || strings.ToLower(tail) != tail {
			t.Fatalf("%q", tail)
		}
	}
}

// forbidden is a system on which nothing may be read.
type forbidden struct{ system.System }

var errForbidden = &fs.PathError{Op: "open", Path: "/etc/dkimkeys", Err: fs.ErrPermission}

func (forbidden) Read(state.Path) (state.Object, error) { return state.Object{}, errForbidden }
func (forbidden) Stat(state.Path) (state.Object, error) { return state.Object{}, errForbidden }
func (forbidden) List(state.Path) ([]string, error)     { return nil, errForbidden }

// broken is a system whose disk fails.
type broken struct{ system.System }

var errDisk = errors.New("input/output error")

func (broken) Read(state.Path) (state.Object, error) { return state.Object{}, errDisk }
func (broken) Stat(state.Path) (state.Object, error) { return state.Object{}, errDisk }
func (broken) List(state.Path) ([]string, error)     { return nil, errDisk }

func TestUnprivilegedTakesWhatItMayNotReadForAbsent(t *testing.T) {
	u := machine.Unprivileged{System: forbidden{}}
	if o, err := u.Read("/etc/dkimkeys/key"); err != nil || o.Kind != state.Absent {
		t.Errorf("read: %v, %v", o, err)
	}
	if o, err := u.Stat("/etc/dkimkeys/key"); err != nil || o.Kind != state.Absent {
		t.Errorf("stat: %v, %v", o, err)
	}
	if names, err := u.List("/etc/dkimkeys"); err != nil || names != nil {
		t.Errorf("list: %v, %v", names, err)
	}
	u = machine.Unprivileged{System: broken{}}
	_, read := u.Read("/x")
	_, stat := u.Stat("/x")
	_, list := u.List("/x")
	for _, err := range []error{read, stat, list} {
		if !errors.Is(err, errDisk) {
			t.Errorf("another error became %v", err)
		}
	}
}

// What is below a directory is named as whoever runs the command would.
func TestOwnersFile(t *testing.T) {
	for _, root := range []string{"/srv/image", "/srv/image/"} {
		o, _ := options(root)
		if got := machine.New(systemtest.NewMem(), nil, o).OwnersFile(); got != "/srv/image/var/lib/mailsetup/owners.json" {
			t.Errorf("%s: %s", root, got)
		}
	}
}

func TestLeftChanged(t *testing.T) {
	failed := errors.New("rename: no space")
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{failed, false},
		{&apply.FailedError{Cause: failed}, false},
		{fmt.Errorf("init: %w", &apply.NotUndoneError{Cause: &apply.FailedError{Cause: failed}, Undo: []error{failed}}), true},
	} {
		if got := machine.LeftChanged(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}

// A dry run writes nothing down, and says nothing where nobody listens.
func TestADryRunIsReadOnly(t *testing.T) {
	m := machine.New(systemtest.NewMem(), nil, machine.Options{DryRun: true})
	m.Logf("to %s", "nobody")
	if !m.DryRun() || !m.ReadOnly() || m.Unprivileged() || m.Now.IsZero() {
		t.Errorf("%v, %v, %v, now %v", m.DryRun(), m.ReadOnly(), m.Unprivileged(), m.Now)
	}
	m = machine.New(machine.Unprivileged{System: systemtest.NewMem()}, nil, machine.Options{})
	if m.DryRun() || !m.Unprivileged() {
		t.Errorf("%v, %v", m.DryRun(), m.Unprivileged())
	}
}
