package signer

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/keygen"
)

// signerUser is the user that Debian's OpenDKIM runs as.
const signerUser = "opendkim"

// KeyFile is an existing private key: its public half, and whether an OpenDKIM that
// runs as a certain user can use it.
type KeyFile struct {
	Path        state.Path // behind symbolic links
	Bits        int
	Public      string // p= of the record
	Fingerprint string
	// Unreadable says why OpenDKIM cannot read it, and Unsafe why it would refuse to
	// use it.
	Unreadable, Unsafe string
	// Directory is the directory that causes either, "" if it is the file itself.
	Directory state.Path
}

// KeyText returns the text of a private key, for a copy.
func KeyText(r system.Reader, p state.Path) ([]byte, error) {
	_, nodes, err := resolve(r, p)
	if err != nil {
		return nil, err
	}
	return nodes[len(nodes)-1].Content, nil
}

// Key examines a private key as a user would use it. The text of the key is not
// returned.
func Key(r system.Reader, p state.Path, user string) (KeyFile, error) {
	real, nodes, err := resolve(r, p)
	if err != nil {
		return KeyFile{}, err
	}
	file := nodes[len(nodes)-1].Object
	if file.Kind != state.Regular {
		return KeyFile{}, fmt.Errorf("read %s: %s", real, missing(file.Kind))
	}
	key, err := keygen.Parse(file.Content)
	if err != nil {
		return KeyFile{}, fmt.Errorf("read %s: %w", real, err)
	}
	groups, err := memberships(r)
	if err != nil {
		return KeyFile{}, err
	}
	k := KeyFile{Path: real, Bits: key.Bits(), Public: key.Public(), Fingerprint: key.Fingerprint()}
	for _, n := range nodes {
		above := n.path
		if n.Kind == state.Regular {
			above = ""
		}
		if why := groups.whyUnreadable(n, user); why != "" && k.Unreadable == "" {
			k.Unreadable, k.Directory = why, above
		}
		if why := groups.whyUnsafe(n, user); why != "" && k.Unsafe == "" && k.Unreadable == "" {
			k.Unsafe, k.Directory = why, above
		}
	}
	return k, nil
}

func missing(k state.Kind) string {
	if k == state.Absent {
		return "no such file"
	}
	return "a " + string(k) + ", not a file"
}

// pathPart is a directory or file on a path.
type pathPart struct {
	path state.Path
	state.Object
}

// resolve follows symbolic links and returns the real path, with all its parts.
func resolve(r system.Reader, p state.Path) (state.Path, []pathPart, error) {
	for range 10 {
		nodes, link, err := walkPath(r, p)
		if err != nil || link == "" {
			return p, nodes, err
		}
		p = link
	}
	return p, nil, fmt.Errorf("read %s: too many symbolic links", p)
}

// walkPath reads the parts of a path down to the first link, and returns the path with
// that link followed.
func walkPath(r system.Reader, p state.Path) (nodes []pathPart, link state.Path, err error) {
	parts := strings.Split(strings.Trim(string(p), "/"), "/")
	at := state.Path("/")
	for i, part := range parts {
		at = at.Join(part)
		o, err := r.Read(at)
		if err != nil {
			return nil, "", err
		}
		if o.Kind == state.Symlink {
			target := string(o.Content)
			if !path.IsAbs(target) {
				target = path.Join(string(at.Dir()), target)
			}
			return nil, state.Path(path.Join(append([]string{target}, parts[i+1:]...)...)), nil
		}
		nodes = append(nodes, pathPart{at, o})
		if o.Kind == state.Absent {
			return nodes, "", nil
		}
	}
	return nodes, "", nil
}

// groups are the users of each group.
type groups map[string][]string

// memberships reads group(5), and the groups of passwd(5).
func memberships(r system.Reader) (groups, error) {
	names, all := map[string]string{}, groups{}
	for _, file := range []struct {
		path   state.Path
		fields int
		take   func(f []string)
	}{
		{"/etc/group", 4, func(f []string) {
			names[f[2]] = f[0]
			all[f[0]] = append(all[f[0]], strings.FieldsFunc(f[3], func(r rune) bool { return r == ',' })...)
		}},
		{"/etc/passwd", 7, func(f []string) { all[names[f[3]]] = append(all[names[f[3]]], f[0]) }},
	} {
		text, err := source.Text(r, file.path)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == file.fields {
				file.take(f)
			}
		}
	}
	return all, nil
}

// whyUnreadable says why a user cannot read a file or enter a directory, "" if it can.
func (g groups) whyUnreadable(n pathPart, user string) string {
	need, what := n.Mode.Perm()&0o444, "read"
	if n.Kind == state.Directory {
		need, what = n.Mode.Perm()&0o111<<2, "enter"
	}
	may := need & 0o004
	switch {
	case user == state.Root.User:
		may = 1
	case n.Owner.User == user:
		may = need & 0o400
	case slices.Contains(g[n.Owner.Group], user):
		may = need & 0o040
	}
	if may != 0 {
		return ""
	}
	return fmt.Sprintf("the user %s cannot %s %s (%s, mode %04o)", user, what, n.path, n.Owner, n.Mode.Perm())
}

// whyUnsafe says why OpenDKIM, running as user, refuses a part of the path because of
// RequireSafeKeys (dkimf_checkfsnode), "" if it does not.
func (g groups) whyUnsafe(n pathPart, user string) string {
	ours := func(u string) bool { return u == state.Root.User || u == user }
	perm := n.Mode.Perm()
	shared := slices.ContainsFunc(g[n.Owner.Group], func(user string) bool { return !ours(user) })
	read := n.Kind == state.Regular
	switch {
	case read && !ours(n.Owner.User), !read && perm&0o200 != 0 && !ours(n.Owner.User):
		return fmt.Sprintf("%s belongs to %s", n.path, n.Owner.User)
	case read && perm&0o006 != 0, !read && perm&0o002 != 0:
		return fmt.Sprintf("%s (mode %04o) is open to everybody", n.path, perm)
	case shared && (read && perm&0o060 != 0 || !read && perm&0o020 != 0):
		return fmt.Sprintf("%s (%s, mode %04o) is open to all of the group %s", n.path, n.Owner, perm, n.Owner.Group)
	}
	return ""
}
