package plan

import (
	"bytes"
	"fmt"
	"slices"

	"mailsetup/internal/state"
)

// none is the operation of a change that turned out to change nothing.
const none Op = ""

// OpOf returns the operation between two objects, "" if they are equal.
func OpOf(before, after state.Object) Op {
	switch {
	case before.Kind == state.Absent && after.Kind == state.Absent:
		return none
	case before.Kind == state.Absent && after.Kind == state.Directory:
		return Mkdir
	case before.Kind == state.Absent:
		return Create
	case after.Kind == state.Absent:
		return Remove
	case !before.SameContent(after):
		return Modify
	case before.Mode != after.Mode || before.Owner != after.Owner:
		return Meta
	}
	return none
}

// effective drops changes that later ones of the same stage reverse.
func effective(cs []Change) []Change {
	return slices.DeleteFunc(cs, func(c Change) bool { return c.Op == none })
}

// parent returns an error if the directory of p does not exist. It follows a symbolic
// link, since other people's directories may be one.
func (m *maker) parent(p state.Path) error {
	dir := p.Dir()
	for range 8 {
		if dir == "/" {
			return nil
		}
		o, err := m.overlay.Read(dir)
		if err != nil {
			return err
		}
		switch o.Kind {
		case state.Directory:
			return nil
		case state.Symlink:
			to := state.Path(o.Content)
			if len(to) == 0 || to[0] != '/' {
				to = dir.Dir().Join(string(to))
			}
			dir = to
		default:
			return fmt.Errorf("create %s: directory %s does not exist", p, dir)
		}
	}
	return fmt.Errorf("create %s: too many symbolic links", p)
}

// secret reports whether content must not be shown: if it is marked, or looks like a
// private key, whoever wrote it.
func secret(o state.Object) bool {
	return o.Secret || o.Kind == state.Regular && bytes.Contains(o.Content, []byte("PRIVATE KEY-----"))
}
