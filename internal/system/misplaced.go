package system

import (
	"fmt"
	"path"

	"mailsetup/internal/state"
)

// Misplaced is the error for something at a path where a file or a directory is expected.
func Misplaced(p state.Path, o state.Object, want state.Kind) error {
	hint := fmt.Sprintf("move it away: mv %s %s.old", p, p)
	what := string(o.Kind)
	switch {
	case o.Kind == state.Symlink && want == state.Directory:
		what = fmt.Sprintf("symbolic link to %s", o.Content)
		hint = "put a directory of the same owner and mode in the link's place, with what is in it"
	case o.Kind == state.Symlink:
		what = fmt.Sprintf("symbolic link to %s", o.Content)
		// With owner and mode (-p): a key that becomes root's locks OpenDKIM out.
		hint = fmt.Sprintf("replace the link by what it points to: cp -p --remove-destination \"$(readlink -f %s)\" %s", p, p)
	case o.Kind == state.Special:
		what = "device, pipe or socket"
	}
	return &UnusableError{Path: p, Text: fmt.Sprintf("is a %s, expected a %s", what, want), Hint: hint}
}

// ReadFile returns what a regular file says, no content where there is none. Anything
// else in its place is an error: the target of a link is no content.
func ReadFile(r Reader, p state.Path) ([]byte, error) {
	o, err := r.Read(p)
	if err != nil || o.Kind == state.Absent {
		return nil, err
	}
	if o.Kind != state.Regular {
		return nil, Misplaced(p, o, state.Regular)
	}
	return o.Content, nil
}

// Follow returns where symbolic links lead that are at a path, and which links these are.
// After eight of them it is one still.
func Follow(r Reader, p state.Path) (at state.Path, links []state.Path, err error) {
	for range 8 {
		o, err := r.Stat(p)
		if err != nil || o.Kind != state.Symlink {
			return p, links, err
		}
		if o, err = r.Read(p); err != nil {
			return p, links, err
		}
		to := string(o.Content)
		if !path.IsAbs(to) {
			to = path.Join(string(p.Dir()), to)
		}
		links, p = append(links, p), state.Path(path.Clean(to))
	}
	return p, links, nil
}
