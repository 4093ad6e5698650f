// Package machine opens what a command works on, the running system or a
// directory: permissions, lock, journal, recovery of an interrupted run.
package machine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/clock"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnshook"
	"mailsetup/internal/gclimit"
	"mailsetup/internal/hint"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/probe"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Options say which machine to open, and for what.
type Options struct {
	Root   string // a directory; "" for the running system
	DryRun bool   // nothing is changed: no lock, no recovery, and root is not needed
	// Private is what only root may see, and the command tells: to others there would
	// seem to be none. "" for nothing.
	Private string
	// Previews: root is not needed to see what the command would do.
	Previews bool
	// Command is the name of the command, for the journal and for hints.
	Command string
	// Unattended waits long for another run to end. Interactive says so.
	Unattended, Interactive bool
	Clock                   func() time.Time // nil: clock.Now

	Logf func(format string, a ...any) // nil for none
	Hold func() (release func())       // see signals.Watch.Hold; nil for none
	// Bar begins to show how far a long piece of work is; nil for nobody.
	Bar func(what string, total int) (step, end func())
}

// Machine is what a command works on.
type Machine struct {
	Sys      system.System
	Image    *system.Image // nil for the running system
	Root     string        // the directory of Image
	Resolver *dnsclient.Client
	Journal  *apply.Journal
	Now      time.Time // when the run, or its present round, began

	options  Options
	progress ProgressPrinter
	release  func() error
	killed   killed // what a run that was killed left
	firstRun string // ID of the first run of the command
	runs     int    // how many there were
}

// killed is what a run that was killed left behind.
type killed struct {
	run   *apply.Entry // that was taken back
	waits string       // see Waited
}

// Open opens the machine. If it is opened for a change, it is locked, and an
// interrupted run is undone. The caller closes it.
func Open(ctx context.Context, o Options) (*Machine, error) {
	gclimit.Start()
	var m *Machine
	if err := o.Allowed(); err != nil {
		return nil, err
	}
	if o.Root != "" {
		if fi, err := os.Stat(o.Root); err == nil && !fi.IsDir() { // to open a pipe would wait for a writer
			return nil, hint.NewUsage("name a directory", "--root: open root %s: not a directory", o.Root)
		}
		image, err := system.NewRoot(o.Root)
		if err != nil && len(hint.Of(err)) > 0 {
			return nil, fmt.Errorf("--root %s: %w", o.Root, err)
		}
		if err != nil {
			return nil, hint.New(rootHint(o, err), "--root: %w", err)
		}
		m = New(image, dnsclient.New(nameServers(image)...), o)
		m.Image = image
	} else {
		host := system.NewHost(system.Options{})
		m = New(host, dnsclient.New(nameServers(host)...), o)
		prober := probe.NewProber(host, host)
		prober.Bar = o.Bar
		host.Prober = prober
		host.Updater = dnshook.Client{Sys: host, Primaries: nsupdate.Client{Files: host, Resolver: m.Resolver}}
		if o.DryRun && os.Geteuid() != 0 {
			o.Logf("not root: what only root may read is taken for missing")
			m.Sys = Unprivileged{host}
		}
	}
	if err := m.lockAndRecover(ctx); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

// Allowed returns the error of a command that only root may type.
func (o Options) Allowed() error {
	if o.Private != "" && o.Root == "" && os.Geteuid() != 0 {
		return hint.New(hint.AsRoot, "only root may see %s", o.Private)
	}
	return nil
}

// rootHint returns what to do about a directory that cannot be opened.
func rootHint(o Options, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Command == "init":
		return "mkdir -p " + hint.Quote(o.Root)
	case errors.Is(err, fs.ErrNotExist):
		return "name the directory that mailsetup init --root wrote"
	case errors.Is(err, fs.ErrPermission):
		return hint.AsRoot
	}
	return "name a directory"
}

// New returns a Machine on an open system, without lock and recovery.
func New(sys system.System, resolver *dnsclient.Client, o Options) *Machine {
	if o.Clock == nil {
		o.Clock = clock.Now
	}
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	m := &Machine{
		Sys: sys, Root: o.Root, Resolver: resolver, Journal: apply.NewJournal(sys, apply.JournalDir), options: o,
		progress: ProgressPrinter{Logf: o.Logf},
	}
	m.SetNow()
	return m
}

// Close starts a mail server that waits since a run was killed, and releases the lock.
func (m *Machine) Close() error {
	var err error
	if m.Image != nil {
		err = m.Image.Close()
	}
	if m.release != nil {
		m.endWait()
		err = errors.Join(err, m.release())
	}
	return err
}

// DryRun reports whether nothing may be changed.
func (m *Machine) DryRun() bool { return m.options.DryRun }

// ReadOnly reports whether observations are not to be written down.
func (m *Machine) ReadOnly() bool { return m.options.DryRun || os.Geteuid() != 0 }

// Logf says a line to whoever runs the command.
func (m *Machine) Logf(format string, a ...any) { m.options.Logf(format, a...) }

// Unprivileged reports whether what only root may read is taken for missing.
func (m *Machine) Unprivileged() bool {
	_, unprivileged := m.Sys.(Unprivileged)
	return unprivileged
}

// SetNow sets Now to the present: UTC and whole seconds, as times are written down.
func (m *Machine) SetNow() { m.Now = m.options.Clock().UTC().Truncate(time.Second) }

// Kind returns the word for the machine in messages: "server" or, for a directory,
// "tree".
func (m *Machine) Kind() string {
	if m.Image != nil {
		return "tree"
	}
	return "server"
}

// OwnersFile is where SaveOwners writes, as the caller of the command sees it.
func (m *Machine) OwnersFile() string {
	return strings.TrimRight(m.Root, "/") + "/" + strings.TrimLeft(string(system.ManifestPath), "/")
}

// SaveOwners saves the owners that files in a directory should have, if they cannot be
// set.
func (m *Machine) SaveOwners() error {
	if m.Image == nil {
		return nil
	}
	return m.Image.SaveManifest()
}

// nameServers returns the resolvers that the machine is configured with.
func nameServers(r system.Reader) []string {
	o, err := r.Read("/etc/resolv.conf")
	if err != nil {
		return nil
	}
	if o.Kind == state.Symlink { // as systemd-resolved and resolvconf leave it
		if fi, err := os.Stat("/etc/resolv.conf"); err == nil && fi.Mode().IsRegular() {
			if text, err := os.ReadFile("/etc/resolv.conf"); err == nil {
				return dnsclient.Servers(text)
			}
		}
	}
	return dnsclient.Servers(o.Content)
}

// NextRun returns the ID of the next run of this command: sortable by time,
// unique, and so that all runs of a command can be told.
func (m *Machine) NextRun() string {
	if m.runs++; m.runs == 1 {
		m.firstRun = apply.NewID(m.runTime(), Random(4))
	}
	return apply.NextID(m.firstRun, m.runs)
}

// runTime returns the time to name a run after: the present, or a second after the last
// run if the clock was set back since. Names have to sort in the order of runs.
func (m *Machine) runTime() time.Time {
	ids, _ := m.Sys.List(apply.JournalDir) // what is wrong with it, the run will tell
	for _, id := range slices.Backward(ids) {
		at, _, _ := strings.Cut(id, "-")
		if last, err := time.Parse("20060102T150405", at); err == nil { // see apply.NewID
			if !m.Now.After(last) {
				return last.Add(time.Second)
			}
			break
		}
	}
	return m.Now
}

const letters = "abcdefghijkmnpqrstuvwxyz23456789"

// Random returns n letters and digits that cannot be mistaken for each other.
func Random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

// ApplyOptions are those of the next run of this command.
func (m *Machine) ApplyOptions() apply.Options {
	return apply.Options{Command: m.options.Command, Now: m.options.Clock, ID: m.NextRun(), Progress: m.progress.Print, Bar: m.options.Bar}
}

// LeftChanged reports whether an error says that a run failed and that the machine
// could not be put back completely.
func LeftChanged(err error) bool {
	var notUndone *apply.NotUndoneError
	return errors.As(err, &notUndone)
}

// Hints returns what to type about an error of a command.
func Hints(err error) []string { return system.Hints(err) }
