package system

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"mailsetup/internal/state"
)

// ManifestPath is where an image keeps the owners that its files should have.
const ManifestPath = state.OwnersFile

// ErrImage says that something cannot be done below a directory that is not
// the running system: programs of this machine must not work on it.
var ErrImage = errors.New("not done below a root directory")

// Image is a directory that will be the root of some machine. It can be
// written without being root: owners are not set but recorded, and modes are
// set. Missing directories on the way to a file are made. There are no units
// to drive, no probes, and validators do not run (their programs would read
// the configuration of this machine); Check and Act do nothing and succeed.
type Image struct {
	files
	manifest *ownerManifest
	root     *os.Root
}

var _ System = (*Image)(nil)

// NewRoot opens a directory as an Image. The manifest of an earlier run is
// read from ManifestPath, so that a second run finds the owners it asked for.
func NewRoot(dir string) (*Image, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open root %s: %w", dir, cause(err))
	}
	in := rootTree{root}
	b := &ownerManifest{accounts: &accounts{tree: in}, entries: map[state.Path]entry{}}
	m := &Image{files: files{tree: in, owners: b, parents: true}, manifest: b, root: root}
	if err := m.load(); err != nil {
		root.Close()
		return nil, err
	}
	return m, nil
}

// Close closes the directory.
func (m *Image) Close() error { return m.root.Close() }

// entry is one object of the manifest.
type entry struct {
	Path  state.Path `json:"path"`
	User  string     `json:"user"`
	Group string     `json:"group"`
	Mode  string     `json:"mode"` // octal, as chmod(1) takes it
}

func (m *Image) load() error {
	text, err := ReadFile(m, ManifestPath)
	if err != nil || text == nil {
		return err
	}
	var list []entry
	if err := json.Unmarshal(text, &list); err != nil {
		return failure("read", ManifestPath, err)
	}
	for _, e := range list {
		if _, err := parseMode(e.Mode); err != nil {
			return failure("read", ManifestPath, fmt.Errorf("%s: mode %q", e.Path, e.Mode))
		}
		m.manifest.entries[e.Path] = e
	}
	return nil
}

// Manifest returns, as JSON and sorted by path, the owners and modes of what was made
// below the root in this run and in earlier ones.
func (m *Image) Manifest() []byte {
	m.manifest.mu.Lock()
	defer m.manifest.mu.Unlock()
	list := slices.SortedFunc(maps.Values(m.manifest.entries), func(a, b entry) int { return cmp.Compare(a.Path, b.Path) })
	if list == nil {
		list = []entry{}
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		panic(err) // strings only
	}
	return append(text, '\n')
}

// SaveManifest writes the manifest below the root, if it changed.
func (m *Image) SaveManifest() error {
	text := m.Manifest()
	now, err := m.Read(ManifestPath)
	if err != nil {
		return err
	}
	if string(now.Content) == string(text) || now.Kind == state.Absent && len(m.manifest.entries) == 0 {
		return nil
	}
	if err := m.makeParents(ManifestPath); err != nil {
		return err
	}
	next := ManifestPath + "~"
	if err := m.tree.remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure("remove", next, err)
	}
	f, err := m.tree.openToChange(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return failure("create", next, err)
	}
	_, err = f.Write(m.Manifest()) // again: makeParents may have added to it
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = m.tree.rename(next, ManifestPath)
	}
	return failure("write", ManifestPath, err)
}

// Evaluate implements Reader. Changes of main.cf run this machine's postconf
// on a copy; without one installed the error names it.
func (m *Image) Evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	ed := editor{files: &m.files, run: runner{path: programs()}}
	return ed.evaluate(ctx, e, current)
}

// Status implements Units: nothing runs here.
func (m *Image) Status(context.Context, string) (UnitStatus, error) {
	return UnitStatus{Load: "not-found", Active: "inactive", Sub: "dead"}, nil
}

// Act implements Units.
func (m *Image) Act(context.Context, string, state.UnitAction, state.Path) error { return nil }

// Stop implements Units.
func (m *Image) Stop(context.Context, string) error { return nil }

// DaemonReload implements Units.
func (m *Image) DaemonReload(context.Context) error { return nil }

// Log implements Units.
func (m *Image) Log(context.Context, string, time.Time, int) ([]string, error) { return nil, nil }

// Run implements Runner: it refuses, with ErrImage.
func (m *Image) Run(_ context.Context, c Command) (Result, error) {
	if len(c.Argv) == 0 {
		return Result{}, errors.New("run: no program named")
	}
	return Result{}, fmt.Errorf("run %s: %w", c.Argv[0], ErrImage)
}

// Check implements Checker.
func (m *Image) Check(context.Context, []state.Validator, map[state.Path]state.Object) error {
	return nil
}

// Probe implements Prober: nothing runs here that could answer wrongly.
func (m *Image) Probe(context.Context, state.Probe) error { return nil }

// Update implements Updater: it refuses, with ErrImage.
func (m *Image) Update(_ context.Context, u state.Update) error {
	return fmt.Errorf("update %s: %w: %w", u.Origin, ErrImage, ErrUntouched)
}

// ownerManifest keeps the owners of an image.
type ownerManifest struct {
	accounts *accounts

	mu      sync.Mutex
	entries map[state.Path]entry
}

// of returns the recorded owner. Without one, a file of the current user counts as
// root's, which it becomes when the image is packed.
func (b *ownerManifest) of(p state.Path, fi fs.FileInfo) (state.Owner, fs.FileMode, error) {
	mode := fi.Mode() & modeBits
	b.mu.Lock()
	e, known := b.entries[p]
	b.mu.Unlock()
	if known {
		// A setgid bit is lost where the group is not one of ours.
		if want, err := parseMode(e.Mode); err == nil && want&^fs.ModeSetgid == mode {
			mode = want
		}
		return state.Owner{User: e.User, Group: e.Group}, mode, nil
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() && st.Uid != 0 {
		return state.Root, mode, nil
	}
	o, err := b.accounts.owner(st.Uid, st.Gid)
	return o, mode, err
}

// resolve accepts every name: packages of the image may create the user later.
func (b *ownerManifest) resolve(o state.Owner) (id, error) {
	if o.User == "" || o.Group == "" {
		return id{}, fmt.Errorf("owner %q: a user and a group are needed", o)
	}
	return id{}, nil
}

func (b *ownerManifest) set(f *os.File, p state.Path, o state.Object, _ id) error {
	if err := f.Chmod(o.Mode & modeBits); err != nil {
		return fmt.Errorf("chmod %04o: %w", o.Mode.Perm(), cause(err))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.entries[p] = entry{Path: p, User: o.Owner.User, Group: o.Owner.Group, Mode: formatMode(o.Mode)}
	return nil
}

func (b *ownerManifest) moved(from, to state.Path) {
	b.mu.Lock()
	defer b.mu.Unlock()
	moved := map[state.Path]entry{}
	for p, e := range b.entries {
		if p == to || isBelow(p, to) {
			delete(b.entries, p)
		}
		if p == from || isBelow(p, from) {
			delete(b.entries, p)
			e.Path = to + p[len(from):]
			moved[e.Path] = e
		}
	}
	maps.Copy(b.entries, moved)
}

// isBelow reports whether p is in the directory dir.
func isBelow(p, dir state.Path) bool {
	return len(p) > len(dir) && p[:len(dir)] == dir && p[len(dir)] == '/'
}

func (b *ownerManifest) removed(p state.Path) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, p)
}

// formatMode writes a mode as chmod(1) takes it.
func formatMode(m fs.FileMode) string {
	n := uint32(m.Perm())
	if m&fs.ModeSetuid != 0 {
		n |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		n |= 0o1000
	}
	return fmt.Sprintf("%04o", n)
}

func parseMode(s string) (fs.FileMode, error) {
	n, err := strconv.ParseUint(s, 8, 12)
	if err != nil {
		return 0, err
	}
	return modeOf(uint32(n)), nil
}

// modeOf converts a mode of chmod(2) to Go's.
func modeOf(n uint32) fs.FileMode {
	m := fs.FileMode(n & 0o777)
	if n&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if n&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if n&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	return m
}
