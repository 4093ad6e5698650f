package systemtest

import (
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

// pure evaluates the edits that need no tool of a daemon.
func pure(e state.Edit, current []byte) (out []byte, handled bool, err error) {
	if z, ok := e.(state.ZoneEdit); ok {
		out, err = zonefile.Apply(z, current)
		return out, true, err
	}
	return nil, false, nil
}
