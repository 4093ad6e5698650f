package signer

import (
	"fmt"
	"slices"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// canEnter reports whether opendkim can enter a directory.
func canEnter(d state.Dir) bool {
	return d.Mode&0o001 != 0 || d.Owner.Group == userOpenDKIM && d.Mode&0o010 != 0 || d.Owner.User == userOpenDKIM && d.Mode&0o100 != 0
}

// openToBoth opens a directory to two users while one of them takes over from the
// other: each has keys or tables in it, with modes that keep the other out. It refuses
// if files in it are protected by the directory alone.
func openToBoth(in step.Input, d state.Dir, why string) (state.Dir, error) {
	o := in.Facts.OpenDKIM
	for _, p := range o.Exposed {
		if p.Dir() == d.Path || len(p) > len(d.Path) && p[:len(d.Path)+1] == d.Path+"/" {
			return d, step.Refuse(fmt.Sprintf("if nothing else reads it: chown %s: %s && chmod 600 %s", o.User, p, p),
				"everybody could read the private key %s, were it not for the mode %04o of %s, which changes", p, d.Mode.Perm(), d.Path)
		}
	}
	return state.Dir{Path: d.Path, Mode: 0o711, Owner: state.Root, Why: why}, nil
}

// runsAsOther reports whether OpenDKIM runs as a user other than root and opendkim, who
// will be locked out of opendkim's directories.
func runsAsOther(o *state.OpenDKIM) bool {
	return o != nil && !slices.Contains([]string{"", state.Root.User, userOpenDKIM}, o.User)
}

// KeyDirectory returns the directory of private keys. While OpenDKIM still runs as
// somebody else, its keys may be in it as well.
func KeyDirectory(in step.Input) (state.Dir, error) {
	dir := state.Dir{Path: KeyDir, Mode: 0o700, Owner: KeyOwner}
	o := in.Facts.OpenDKIM
	switch {
	case o == nil || o.Keys == nil:
	case o.Keys.Owner.User == state.Root.User && o.Keys.Mode.Perm()&0o077 == 0o011: // as bothEnter left it
		dir.Mode, dir.Owner = o.Keys.Mode, o.Keys.Owner
	case runsAsOther(o) && (o.Keys.Owner.User != userOpenDKIM || o.Keys.Mode.Perm()&0o077 != 0):
		return openToBoth(in, *o.Keys, fmt.Sprintf("OpenDKIM finds its keys in it as %s, whom it runs as now, and as opendkim", o.User))
	}
	return dir, nil
}

// tablesDir returns the directory of the tables. It is root's: a user who can write to
// it could make OpenDKIM read other tables. An existing one keeps its mode as long as
// OpenDKIM can enter it: there may be keys, too.
func tablesDir(in step.Input) (state.Dir, error) {
	dir := state.Dir{Path: KeyTable.Dir(), Mode: 0o755, Owner: state.Root}
	o := in.Facts.OpenDKIM
	if o == nil || o.Tables == nil {
		return dir, nil
	}
	is := *o.Tables
	switch {
	case is.Mode&0o001 != 0:
		dir.Mode = is.Mode&^0o022 | 0o700
		if is.Owner.Group == userOpenDKIM {
			dir.Owner.Group = userOpenDKIM
		}
	case runsAsOther(o):
		return openToBoth(in, is, fmt.Sprintf("OpenDKIM reads its tables in it as %s, whom it runs as now, and as opendkim", o.User))
	case canEnter(is) || is.Owner.User == userOpenDKIM:
		dir.Mode, dir.Owner.Group = is.Mode&^0o027|0o710, userOpenDKIM
	}
	if is.Mode != dir.Mode || is.Owner != dir.Owner {
		dir.Why = "root's, so that OpenDKIM cannot be made to write its own tables"
	}
	return dir, nil
}
