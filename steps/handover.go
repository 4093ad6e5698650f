package steps

import (
	"fmt"
	"slices"

	"mailsetup/internal/edits"
	conf "mailsetup/internal/opendkim"
	"mailsetup/internal/state"
)

// Signer is whom a process of OpenDKIM is, and was when it began: it reads a
// KeyFile of its configuration then, and the keys of a KeyTable at each message.
type Signer struct{ User, Began string }

// RunningSigner is what OpenDKIM runs as, or would: its process tells, else -u,
// which counts for more than UserID (opendkim(8)), else what its unit says.
func RunningSigner(f state.Facts, c conf.Conf) Signer {
	s := Signer{Began: state.Root.User}
	o := f.OpenDKIM
	if o == nil {
		return s
	}
	texts := [][]byte{f.Files[o.Unit]}
	for _, p := range o.DropIns {
		texts = append(texts, f.Files[p])
	}
	if u := edits.Service("User", texts...); u != "" {
		s.Began = u
	}
	s.User = s.Began
	if id, ok := c.Get("UserID"); ok {
		s.User = account(id.Value)
	}
	for i, a := range o.Args {
		switch {
		case a == "-u" && i+1 < len(o.Args):
			s.User = account(o.Args[i+1])
		case len(a) > 2 && a[:2] == "-u":
			s.User = account(a[2:])
		}
	}
	if o.User != "" {
		s.User = o.User
	}
	return s
}

// account is the user of user:group.
func account(word string) string {
	for i, r := range word {
		if r == ':' || r == '.' {
			return word[:i]
		}
	}
	return word
}

// Access is how an OpenDKIM that runs as a user gets at a key: what keeps it from
// reading it, why RequireSafeKeys of opendkim.conf(5) refuses it, and the
// directory that either is about, "" for the file itself.
type Access struct {
	Hidden, Unsafe string
	Above          state.Path
}

func (a Access) bars(safe bool) bool { return a.Hidden != "" || safe && a.Unsafe != "" }

// Handover is what becomes of the file of a key that is taken over.
type Handover int

const (
	// Stays as it is: whom OpenDKIM runs as now and whom it will can use it.
	Stays Handover = iota
	// Given to opendkim, which signs with it already, with a mode that suits.
	Given
	// Copied to a place of ours. The file stays, so that the OpenDKIM that runs
	// can use it until the other one does, and again after a rollback.
	Copied
)

// HandOver decides about a key that signer uses now and opendkim will. A key that
// cannot be used is refused: nobody signs with it, and who writes a table must
// not be given a file of root's by naming it there.
func HandOver(key state.Path, signer Signer, loaded, safe bool, now, then Access) (Handover, error) {
	wrong := func(hint, why string) error {
		return refuse(hint, "OpenDKIM runs as %s and cannot use it: %s", signer.User, why)
	}
	own := fmt.Sprintf("chown %s: %s", signer.User, key)
	elsewhere := fmt.Sprintf("put it into a directory of root's or of %s where nobody else can write, as %s and with mode 600, and name that", signer.User, signer.User)
	loaded = loaded && signer.Began == state.Root.User
	switch {
	case now.Hidden != "" && !loaded && now.Above != "":
		return Stays, wrong(elsewhere, now.Hidden)
	case now.Hidden != "" && !loaded:
		return Stays, wrong("name another file, or if this is its key: "+own, now.Hidden)
	case now.Hidden == "" && safe && now.Unsafe != "" && now.Above != "":
		return Stays, wrong(elsewhere, now.Unsafe)
	case now.Hidden == "" && safe && now.Unsafe != "" && signer.User != userOpenDKIM:
		return Stays, wrong("if nothing else reads it: "+own+" && chmod 600 "+string(key), now.Unsafe)
	case !then.bars(safe):
		return Stays, nil
	case signer.User == userOpenDKIM && then.Above == "":
		return Given, nil
	}
	return Copied, nil
}

// KeyCopy is where a copy of a key goes that opendkim could not use where it is:
// a directory of its own, since those of the domains may be somebody else's still.
func KeyCopy(domain, selector string) state.Path {
	return KeyDir.Join("adopted", selector+"._domainkey."+domain+".private")
}

// enters reports whether opendkim gets at what is in a directory.
func enters(d state.Dir) bool {
	return d.Mode&0o001 != 0 || d.Owner.Group == userOpenDKIM && d.Mode&0o010 != 0 || d.Owner.User == userOpenDKIM && d.Mode&0o100 != 0
}

// bothEnter opens a directory to two users at the same time, for the time in
// which one of them takes over from the other: each has keys or tables in it, with
// modes that keep the other out. What only the directory kept shut stands against
// that.
func bothEnter(in Input, d state.Dir, why string) (state.Dir, error) {
	o := in.Facts.OpenDKIM
	for _, p := range o.Exposed {
		if p.Dir() == d.Path || len(p) > len(d.Path) && p[:len(d.Path)+1] == d.Path+"/" {
			return d, refuse(fmt.Sprintf("if nothing else reads it: chown %s: %s && chmod 600 %s", o.User, p, p),
				"everybody could read the private key %s, were it not for the mode %04o of %s, which changes", p, d.Mode.Perm(), d.Path)
		}
	}
	return state.Dir{Path: d.Path, Mode: 0o711, Owner: state.Root, Why: why}, nil
}

// stranger reports whether OpenDKIM runs as somebody who is neither root nor
// opendkim, and will be locked out of what is opendkim's alone.
func stranger(o *state.OpenDKIM) bool {
	return o != nil && !slices.Contains([]string{"", state.Root.User, userOpenDKIM}, o.User)
}

// keyDir is the directory of private keys. While OpenDKIM still runs as somebody
// else, its keys may be in it as well.
func keyDir(in Input) (state.Dir, error) {
	dir := state.Dir{Path: KeyDir, Mode: 0o700, Owner: opendkim}
	o := in.Facts.OpenDKIM
	switch {
	case o == nil || o.Keys == nil:
	case o.Keys.Owner.User == state.Root.User && o.Keys.Mode.Perm()&0o077 == 0o011: // as bothEnter left it
		dir.Mode, dir.Owner = o.Keys.Mode, o.Keys.Owner
	case stranger(o) && (o.Keys.Owner.User != userOpenDKIM || o.Keys.Mode.Perm()&0o077 != 0):
		return bothEnter(in, *o.Keys, fmt.Sprintf("OpenDKIM finds its keys in it as %s, whom it runs as now, and as opendkim", o.User))
	}
	return dir, nil
}

// tablesDir is the directory of the tables. It is root's: who may write to it can
// have other tables read. One that is there stays as open as it is, as long as
// OpenDKIM can reach what is in it: there may be keys, too.
func tablesDir(in Input) (state.Dir, error) {
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
	case stranger(o):
		return bothEnter(in, is, fmt.Sprintf("OpenDKIM reads its tables in it as %s, whom it runs as now, and as opendkim", o.User))
	case enters(is) || is.Owner.User == userOpenDKIM:
		dir.Mode, dir.Owner.Group = is.Mode&^0o027|0o710, userOpenDKIM
	}
	if is.Mode != dir.Mode || is.Owner != dir.Owner {
		dir.Why = "root's, so that OpenDKIM cannot be made to write its own tables"
	}
	return dir, nil
}
