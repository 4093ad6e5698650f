package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/zonefile"
)

// pathHistory is the history of one path within a run: what was found there, and
// what each change left. An interrupted undo may have stopped anywhere in it.
type pathHistory struct {
	states []object
	serial bool
	base   int // states before this one are not gone back to: a kept stage came after

	dir state.Path // of the run, for saved contents
	r   system.Reader
}

type histories map[state.Path]*pathHistory

// newHistories gives every change its position. A failure goes back to the last
// kept stage only.
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

// isKept tells whether the change at pos stays, since a kept stage changed
// the path again, or is that stage's own.
func (c *pathHistory) isKept(pos int) bool { return pos < c.base }

// current tells which state stands at the path. Owner and mode decide only between
// equal contents: nothing of value is lost when they are put back. Of states
// that are all alike it is the latest, so that an undo takes every step between
// them: a guard that came and went has to stand again before what it covers.
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
	return err == nil && sameZone(b, cur.Content)
}

// contentAt returns the state at pos as it is to be put back over cur.
func (c *pathHistory) contentAt(pos int, cur state.Object) (state.Object, error) {
	saved := c.states[pos]
	to := saved.withoutContent()
	b, err := readBlob(c.r, c.dir, saved)
	if err != nil {
		return to, err
	}
	to.Content = b
	if c.serial && cur.Kind == state.Regular {
		to.Content, err = restoreZone(b, cur.Content)
	}
	return to, err
}

// zoneWithout is a zone without what the change at pos did to it, and with what
// others changed since.
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

// sameContent tells whether the content is that of cur.
func (o object) sameContent(cur state.Object) bool {
	return o.Kind == cur.Kind && (o.Kind != state.Regular || o.Hash == plan.Hash(cur.Content))
}

// sameMeta tells whether owner and mode are those of cur.
func (o object) sameMeta(cur state.Object) bool { return o.Mode == cur.Mode && o.Owner == cur.Owner }

// withoutContent returns the object without its content.
func (o object) withoutContent() state.Object {
	return state.Object{Kind: o.Kind, Mode: o.Mode, Owner: o.Owner, Secret: o.Secret}
}

// readBlob returns a saved content and makes sure that it is the one.
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

// verify re-reads everything that the run may have touched.
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

// restoreCommand is what puts a path back by hand. A zone file has none: its old text
// needs a new serial, which recover gives it.
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

// shellQuote makes a path safe for a shell.
func shellQuote(p state.Path) string {
	if strings.IndexFunc(string(p), func(r rune) bool {
		return !strings.ContainsRune("/._-+@~:", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 {
		return string(p)
	}
	return "'" + strings.ReplaceAll(string(p), "'", `'\''`) + "'"
}
