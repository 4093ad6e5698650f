package apply

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/zonefile"
)

// pathHistory is the history of one path within a run: its state before the run, and
// after each change. An interrupted undo may have stopped at any of them.
type pathHistory struct {
	states []object
	serial bool
	// base is the oldest state that an undo returns to: earlier ones belong to a stage
	// that is kept.
	base int

	dir state.Path // of the run, for saved contents
	r   system.Reader
}

type histories map[state.Path]*pathHistory

// newHistories returns the history of every path, for an undo, which goes back to the
// last kept stage only.
func newHistories(e *Entry, r system.Reader) histories {
	all := allHistories(e, r)
	for _, st := range e.stages {
		for _, c := range st.Changes {
			if st.isKept() {
				all[c.Path].base = c.pos + 1
			}
		}
	}
	return all
}

// allHistories returns the history of every path, for a rollback. It numbers the
// changes of each.
func allHistories(e *Entry, r system.Reader) histories {
	all := histories{}
	for _, st := range e.stages {
		for i := range st.Changes {
			c := &st.Changes[i]
			ch := all[c.Path]
			if ch == nil {
				ch = &pathHistory{states: []object{c.Before}, dir: e.dir, r: r}
				all[c.Path] = ch
			}
			c.pos = len(ch.states) - 1
			ch.states[c.pos] = c.Before // which was saved, unlike what the change before it left
			ch.states = append(ch.states, c.After)
			ch.serial = ch.serial || c.Serial
		}
	}
	return all
}

// isKept reports whether an undo leaves the change at pos: it belongs to a kept stage,
// or such a stage changed the path again.
func (c *pathHistory) isKept(pos int) bool { return pos < c.base }

// wasThere reports whether the path exists in the state that is gone back to: a run
// that takes back others may remove a directory and make it again.
func (c *pathHistory) wasThere() bool { return c.states[c.base].Kind != state.Absent }

// current returns the index of the state that the path has now. Content decides; owner
// and mode only between states of equal content. Among equal states it is the latest,
// so that an undo takes every step between them: if mail was deferred and is delivered
// again, it has to be deferred once more before the signer goes back.
func (c *pathHistory) current(cur state.Object) (int, error) {
	found := -1
	for i := len(c.states) - 1; i >= c.base; i-- {
		if !c.matches(i, cur) {
			continue
		}
		if c.states[i].sameMeta(cur) {
			return i, nil
		}
		found = max(found, i)
	}
	if found < 0 {
		return 0, errors.New("it was changed by somebody else meanwhile, and is left as it is")
	}
	return found, nil
}

func (c *pathHistory) matches(i int, cur state.Object) bool {
	st := c.states[i]
	if st.sameContent(cur) {
		return true
	}
	if !c.serial || st.Kind != state.Regular || cur.Kind != state.Regular {
		return false
	}
	b, err := readBlob(c.r, c.dir, st)
	return err == nil && zonefile.SameButSerial(b, cur.Content)
}

// contentAt returns the state at pos as an undo writes it over cur.
func (c *pathHistory) contentAt(pos int, cur state.Object) (state.Object, error) {
	saved := c.states[pos]
	to := saved.withoutContent()
	b, err := readBlob(c.r, c.dir, saved)
	if err != nil {
		return to, err
	}
	to.Content = b
	if c.serial && cur.Kind == state.Regular {
		to.Content, err = zonefile.Restore(b, cur.Content)
	}
	return to, err
}

// zoneWithout returns the current text of a zone without the change at pos, and with
// the changes that others made since.
func (c *pathHistory) zoneWithout(pos int, cur state.Object) ([]byte, error) {
	before, after := c.states[pos], c.states[pos+1]
	if !c.serial || before.Kind != state.Regular || cur.Kind != state.Regular || !after.sameMeta(cur) {
		return nil, errors.New("it was changed since")
	}
	was, err := readBlob(c.r, c.dir, before)
	if err != nil {
		return nil, err
	}
	is, err := readBlob(c.r, c.dir, after)
	if err != nil {
		return nil, err
	}
	return zonefile.Revert(was, is, cur.Content)
}

// sameContent reports whether cur has the same kind and content.
func (o object) sameContent(cur state.Object) bool {
	return o.Kind == cur.Kind && (o.Kind != state.Regular || o.Hash == plan.Hash(cur.Content))
}

// sameMeta reports whether cur has the same owner and mode.
func (o object) sameMeta(cur state.Object) bool { return o.Mode == cur.Mode && o.Owner == cur.Owner }

// withoutContent returns the object without its content.
func (o object) withoutContent() state.Object {
	return state.Object{Kind: o.Kind, Mode: o.Mode, Owner: o.Owner, Secret: o.Secret}
}

// readBlob returns a saved content after checking its hash.
func readBlob(r system.Reader, dir state.Path, o object) ([]byte, error) {
	if o.Blob == "" {
		return nil, errors.New("its content was not saved")
	}
	p := dir.Join(o.Blob)
	saved, err := r.Read(p)
	if err != nil {
		return nil, err
	}
	if !o.sameContent(saved) {
		return nil, fmt.Errorf("the copy in %s is damaged", p)
	}
	return saved.Content, nil
}

// verify reads every path of the run again and compares it with its state before the
// run.
func (u *undo) verify() {
	for _, p := range u.entry.paths() {
		ch := u.history[p]
		if ch == nil || u.j.liesBelow(p) || slices.Contains(u.leftAlone, p) {
			continue
		}
		cur, err := u.s.Read(p)
		if err != nil {
			u.addError(err)
			continue
		}
		if want := ch.states[ch.base]; !ch.matches(ch.base, cur) || !want.sameMeta(cur) {
			u.addError(fmt.Errorf("%s is not as it was", p), u.restoreCommand(p, want, ch.serial)...)
		}
	}
	u.verifyDerived()
}

func (u *undo) verifyDerived() {
	seen := map[state.Path]bool{}
	for _, st := range u.entry.stages {
		for _, d := range st.Derived {
			if st.isKept() || seen[d.Path] {
				continue
			}
			seen[d.Path] = true
			cur, err := u.s.Read(d.Path)
			if err == nil && !(d.Before.sameContent(cur) && d.Before.sameMeta(cur)) {
				err = fmt.Errorf("%s is not as it was", d.Path)
			}
			u.addError(err, u.restoreCommand(d.Path, d.Before, false)...)
		}
	}
}

// restoreCommand returns the command that restores a path by hand. There is none for a
// zone file: its old text needs a new serial, which recover sets.
func (u *undo) restoreCommand(p state.Path, o object, zone bool) []string {
	mode := fmt.Sprintf("%04o", octal(o.Mode))
	switch {
	case o.Kind == state.Absent:
		return []string{"rm " + shellQuote(p)}
	case o.Kind == state.Directory:
		return []string{"chown " + o.Owner.String() + " " + shellQuote(p), "chmod " + mode + " " + shellQuote(p)}
	case zone || o.Blob == "":
		return nil
	}
	return []string{fmt.Sprintf("install -o %s -g %s -m %s %s %s",
		o.Owner.User, o.Owner.Group, mode, shellQuote(u.entry.dir.Join(o.Blob)), shellQuote(p))}
}

// shellQuote quotes a path for a shell.
func shellQuote(p state.Path) string {
	if strings.IndexFunc(string(p), func(r rune) bool {
		return !strings.ContainsRune("/._-+@~:", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 {
		return string(p)
	}
	return "'" + strings.ReplaceAll(string(p), "'", `'\''`) + "'"
}

// octal returns a mode's bits as chmod(1) writes them.
func octal(m fs.FileMode) uint32 {
	n := uint32(m.Perm())
	if m&fs.ModeSetgid != 0 {
		n |= 0o2000
	}
	return n
}
