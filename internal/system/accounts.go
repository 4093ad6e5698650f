package system

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"mailsetup/internal/state"
)

// id is an owner in numbers.
type id struct{ uid, gid int }

// accounts reads passwd(5) and group(5) itself: the answer must not depend on cgo, and
// users appear while packages are being installed.
type accounts struct {
	tree tree

	mu     sync.Mutex
	users  table
	groups table
	looked time.Time // when both were last found to be up to date
}

// cacheTime is how long known names of numbers count as up to date: ten thousand files
// are read in less than that.
const cacheTime = 100 * time.Millisecond

// table is one parsed file, with its stamp.
type table struct {
	stamp  string
	number map[string]int
	name   map[int]string
}

// owner returns the names of a uid and a gid; an unknown number stays a number.
func (a *accounts) owner(uid, gid uint32) (state.Owner, error) {
	if o, ok := a.recentOwner(int(uid), int(gid)); ok {
		return o, nil
	}
	users, groups, err := a.load()
	if err != nil {
		return state.Owner{}, err
	}
	return state.Owner{User: users.nameOf(int(uid)), Group: groups.nameOf(int(gid))}, nil
}

// recentOwner returns the names if the tables were read within cacheTime.
func (a *accounts) recentOwner(uid, gid int) (state.Owner, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) > cacheTime {
		return state.Owner{}, false
	}
	user, isUser := a.users.name[uid]
	group, isGroup := a.groups.name[gid]
	return state.Owner{User: user, Group: group}, isUser && isGroup
}

// resolve returns the numbers of an owner. Digits that are not a name are taken as the
// number, as owner returns unknown ones.
func (a *accounts) resolve(o state.Owner) (id, error) {
	users, groups, err := a.load()
	if err != nil {
		return id{}, err
	}
	uid, ok := users.numberOf(o.User)
	if !ok {
		return id{}, &UnknownOwnerError{What: "user", Name: o.User}
	}
	gid, ok := groups.numberOf(o.Group)
	if !ok {
		return id{}, &UnknownOwnerError{What: "group", Name: o.Group}
	}
	return id{uid, gid}, nil
}

// UnknownOwnerError says that a user or group does not exist (yet: those of
// Debian's mail packages come with their packages).
type UnknownOwnerError struct{ What, Name string }

func (e *UnknownOwnerError) Error() string { return fmt.Sprintf("no such %s %q", e.What, e.Name) }

func (a *accounts) load() (users, groups table, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err = a.refresh("/etc/passwd", &a.users); err == nil {
		err = a.refresh("/etc/group", &a.groups)
	}
	if err == nil {
		a.looked = time.Now()
	}
	return a.users, a.groups, err
}

// refresh parses the file again if its stamp changed.
func (a *accounts) refresh(p state.Path, t *table) error {
	fi, err := a.tree.lstat(p)
	if errors.Is(err, fs.ErrNotExist) {
		*t = parseTable(nil)
		return nil
	}
	if err != nil {
		return err
	}
	stamp := fmt.Sprint(fi.ModTime().UnixNano(), fi.Size())
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		stamp += fmt.Sprint(" ", st.Ino)
	}
	if stamp == t.stamp && time.Since(fi.ModTime()) > time.Second {
		return nil
	}
	data, err := (&files{tree: a.tree}).content(p, 0)
	if err != nil {
		return fmt.Errorf("%s: %w", p, cause(err))
	}
	*t = parseTable(data)
	t.stamp = stamp
	return nil
}

// parseTable reads name:password:number:… lines. The first of several names
// for a number, and the first of several numbers for a name, count, as in the
// C library.
func parseTable(data []byte) table {
	t := table{number: map[string]int{"root": 0}, name: map[int]string{0: "root"}}
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 4)
		if len(fields) < 3 || fields[0] == "" {
			continue
		}
		n, err := strconv.ParseUint(fields[2], 10, 31)
		if err != nil {
			continue
		}
		if _, known := t.number[fields[0]]; !known {
			t.number[fields[0]] = int(n)
		}
		if _, known := t.name[int(n)]; !known {
			t.name[int(n)] = fields[0]
		}
	}
	return t
}

func (t table) nameOf(n int) string {
	if name, ok := t.name[n]; ok {
		return name
	}
	return strconv.Itoa(n)
}

func (t table) numberOf(name string) (int, bool) {
	if n, ok := t.number[name]; ok {
		return n, true
	}
	n, err := strconv.ParseUint(name, 10, 31)
	return int(n), err == nil
}

// hostOwners sets and returns owners on the machine itself.
type hostOwners struct{ accounts *accounts }

func (r hostOwners) of(_ state.Path, fi fs.FileInfo) (state.Owner, fs.FileMode, error) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return state.Owner{}, 0, errors.New("no owner")
	}
	o, err := r.accounts.owner(st.Uid, st.Gid)
	return o, fi.Mode() & modeBits, err
}

func (r hostOwners) resolve(o state.Owner) (id, error) { return r.accounts.resolve(o) }

// set changes the owner first: chown(2) clears the setgid bit.
func (r hostOwners) set(f *os.File, _ state.Path, o state.Object, who id) error {
	if err := f.Chown(who.uid, who.gid); err != nil {
		return fmt.Errorf("chown %s: %w", o.Owner, cause(err))
	}
	if err := f.Chmod(o.Mode & modeBits); err != nil {
		return fmt.Errorf("chmod %04o: %w", o.Mode.Perm(), cause(err))
	}
	return nil
}

func (hostOwners) moved(_, _ state.Path) {}
func (hostOwners) removed(state.Path)    {}
