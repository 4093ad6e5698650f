package systemtest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Mem is a machine in memory. Files are kept as objects, units load snapshots
// of files when they are acted on, and everything else answers what a test
// tells it to. The On… functions are called without any lock held, so that
// they may use the Mem themselves.
type Mem struct {
	// OnRun answers Run; without it every program exits with 0.
	OnRun func(c system.Command) (system.Result, error)
	// OnCheck answers Check; without it everything is accepted.
	OnCheck func(vs []state.Validator, files map[state.Path]state.Object) error
	// OnProbe answers a probe after the units' own word on it; without it every
	// answer is right.
	OnProbe func(p state.Probe) error
	// OnUpdate is asked before an update is carried out; an error is its answer.
	OnUpdate func(u state.Update) error
	// OnEvaluate answers Evaluate where it is set, for edits of a test's own.
	OnEvaluate func(e state.Edit, current state.Object) (out []byte, handled bool, err error)

	mu    sync.Mutex
	files map[state.Path]state.Object
	units map[string]*unit
	zones map[string][]state.Record
	trace []string
}

var _ system.System = (*Mem)(nil)

// NewMem returns an empty machine: nothing but the root directory.
func NewMem() *Mem {
	return &Mem{
		files: map[state.Path]state.Object{"/": {Kind: state.Directory, Mode: 0o755, Owner: state.Root}},
		units: map[string]*unit{},
		zones: map[string][]state.Record{},
	}
}

// Put places an object without a trace, making missing directories.
func (m *Mem) Put(p state.Path, o state.Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for dir := p.Dir(); m.files[dir].Kind == state.Absent; dir = dir.Dir() {
		m.files[dir] = state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root}
	}
	m.files[p] = clone(o)
}

// PutFile places a regular file of root's with mode 0644.
func (m *Mem) PutFile(p state.Path, content string) {
	m.Put(p, state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte(content)})
}

// Delete takes an object away without a trace.
func (m *Mem) Delete(p state.Path) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, p)
}

// Files returns a copy of everything there is.
func (m *Mem) Files() map[state.Path]state.Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[state.Path]state.Object, len(m.files))
	for p, o := range m.files {
		all[p] = clone(o)
	}
	return all
}

// Trace returns what changed the machine so far, one line for each step.
func (m *Mem) Trace() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.trace)
}

// ClearTrace forgets the trace.
func (m *Mem) ClearTrace() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trace = nil
}

// note adds a line to the trace; the lock is held.
func (m *Mem) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

// Read implements system.Reader.
func (m *Mem) Read(p state.Path) (state.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clone(m.files[p]), nil
}

// Stat implements system.Reader.
func (m *Mem) Stat(p state.Path) (state.Object, error) {
	o, err := m.Read(p)
	o.Content = nil
	return o, err
}

// List implements system.Reader.
func (m *Mem) List(p state.Path) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.files[p].Kind; k != state.Directory && k != state.Absent {
		return nil, failure("list", p, errors.New("not a directory"))
	}
	return m.names(p), nil
}

func (m *Mem) names(dir state.Path) []string {
	var names []string
	for p := range m.files {
		if p != "/" && p.Dir() == dir {
			names = append(names, p.Base())
		}
	}
	slices.Sort(names)
	return names
}

// Create implements system.Writer.
func (m *Mem) Create(p state.Path, o state.Object) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.Kind != state.Regular {
		return failure("create", p, fmt.Errorf("an object of kind %q is not a regular file", o.Kind))
	}
	if err := m.vacant(p); err != nil {
		return failure("create", p, err)
	}
	m.files[p] = clone(o)
	m.note("create %s %s %s", p, o.Owner, modeString(o.Mode))
	return nil
}

// vacant tells why nothing can be made at p.
func (m *Mem) vacant(p state.Path) error {
	switch m.files[p.Dir()].Kind {
	case state.Directory:
	case state.Absent:
		return fs.ErrNotExist
	default:
		return errors.New("not a directory")
	}
	if m.files[p].Kind != state.Absent {
		return fs.ErrExist
	}
	return nil
}

// Mkdir implements system.Writer.
func (m *Mem) Mkdir(p state.Path, o state.Object) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if o.Kind != state.Directory {
		return failure("mkdir", p, fmt.Errorf("an object of kind %q is not a directory", o.Kind))
	}
	if err := m.vacant(p); err != nil {
		return failure("mkdir", p, err)
	}
	m.files[p] = clone(o)
	m.note("mkdir %s %s %s", p, o.Owner, modeString(o.Mode))
	return nil
}

// Rename implements system.Writer.
func (m *Mem) Rename(from, to state.Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	src, dst := m.files[from], m.files[to]
	switch {
	case src.Kind == state.Absent || m.files[to.Dir()].Kind == state.Absent:
		return failure("rename", from, fs.ErrNotExist)
	case src.Kind == state.Directory && dst.Kind != state.Absent:
		return failure("rename", from, fs.ErrExist)
	case dst.Kind == state.Directory:
		return failure("rename", from, fs.ErrExist)
	}
	delete(m.files, from)
	m.files[to] = src
	if src.Kind == state.Directory {
		m.move(string(from)+"/", string(to)+"/")
	}
	m.note("rename %s %s", from, to)
	return nil
}

// move takes along what a renamed directory holds.
func (m *Mem) move(from, to string) {
	for p, o := range maps.Clone(m.files) {
		if rest, below := strings.CutPrefix(string(p), from); below {
			delete(m.files, p)
			m.files[state.Path(to+rest)] = o
		}
	}
}

// Remove implements system.Writer.
func (m *Mem) Remove(p state.Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch m.files[p].Kind {
	case state.Absent:
		return failure("remove", p, fs.ErrNotExist)
	case state.Directory:
		if len(m.names(p)) > 0 {
			return failure("remove", p, errors.New("directory not empty"))
		}
	}
	delete(m.files, p)
	m.note("remove %s", p)
	return nil
}

// SetMeta implements system.Writer.
func (m *Mem) SetMeta(p state.Path, o state.Object) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	cur := m.files[p]
	if cur.Kind == state.Absent {
		return failure("set owner and mode of", p, fs.ErrNotExist)
	}
	cur.Mode, cur.Owner = o.Mode, o.Owner
	m.files[p] = cur
	m.note("setmeta %s %s %s", p, o.Owner, modeString(o.Mode))
	return nil
}

// Append implements system.Writer. An unfinished line before it is ended
// first, as the host does it.
func (m *Mem) Append(p state.Path, line []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o := m.files[p]
	if o.Kind == state.Absent {
		if err := m.vacant(p); err != nil {
			return failure("append to", p, err)
		}
		o = state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root}
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	if o.Kind != state.Regular || bytes.IndexByte(line, '\n') >= 0 {
		return failure("append to", p, errors.New("not one line to a regular file"))
	}
	if n := len(o.Content); n > 0 && o.Content[n-1] != '\n' {
		o.Content = append(o.Content, '\n')
	}
	o.Content = append(slices.Clone(o.Content), append(slices.Clone(line), '\n')...)
	m.files[p] = o
	m.note("append %s", p)
	return nil
}

// Sync implements system.Writer.
func (m *Mem) Sync(paths ...state.Path) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("sync %d", len(paths))
	return nil
}

func failure(op string, p state.Path, err error) error {
	return &fs.PathError{Op: op, Path: string(p), Err: err}
}

func clone(o state.Object) state.Object {
	o.Content = bytes.Clone(o.Content)
	return o
}

// modeString writes a mode as chmod(1) takes it.
func modeString(m fs.FileMode) string {
	n := uint32(m.Perm())
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	return fmt.Sprintf("%04o", n)
}

// Tree prints files as lines of path, owner, mode and content, sorted, leaving
// out what skip accepts: for comparing machines.
func Tree(files map[state.Path]state.Object, skip func(state.Path) bool) string {
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(files)) {
		if skip != nil && skip(p) {
			continue
		}
		o := files[p]
		fmt.Fprintf(&b, "%s %s %s %s %q\n", p, o.Kind, o.Owner, modeString(o.Mode), o.Content)
	}
	return b.String()
}
