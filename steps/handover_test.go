package steps

import (
	"errors"
	"io/fs"
	"testing"

	"mailsetup/internal/state"
)

// The directories are such that the running signer gets at what is in them until
// another one runs, whom nothing but root's directories is between it and its
// tables.
func TestDirectoriesAtTheSwitch(t *testing.T) {
	group := func(user, group string) state.Owner { return state.Owner{User: user, Group: group} }
	theirs := group("dkimsign", "dkimsign")
	for name, c := range map[string]struct {
		user         string
		mode         fs.FileMode
		owner        state.Owner
		tables, keys state.Dir
	}{
		"none runs":                 {"", 0o700, opendkim, state.Dir{Mode: 0o710, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"ours":                      {"opendkim", 0o700, opendkim, state.Dir{Mode: 0o710, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"of the tutorials":          {"opendkim", 0o755, opendkim, state.Dir{Mode: 0o755, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"by the group":              {"opendkim", 0o750, group("root", "opendkim"), state.Dir{Mode: 0o750, Owner: group("root", "opendkim")}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"root's alone":              {"opendkim", 0o700, state.Root, state.Dir{Mode: 0o755, Owner: state.Root}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"everybody's":               {"opendkim", 0o777, state.Root, state.Dir{Mode: 0o755, Owner: state.Root}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"a stranger's":              {"dkimsign", 0o700, theirs, state.Dir{Mode: 0o711, Owner: state.Root}, state.Dir{Mode: 0o711, Owner: state.Root}},
		"open, a stranger's":        {"dkimsign", 0o755, theirs, state.Dir{Mode: 0o755, Owner: state.Root}, state.Dir{Mode: 0o711, Owner: state.Root}},
		"Debian's, with a stranger": {"dkimsign", 0o700, opendkim, state.Dir{Mode: 0o711, Owner: state.Root}, state.Dir{Mode: 0o700, Owner: opendkim}},
		"after the switch":          {"opendkim", 0o711, state.Root, state.Dir{Mode: 0o711, Owner: state.Root}, state.Dir{Mode: 0o711, Owner: state.Root}},
	} {
		in := installed()
		o := in.Facts.OpenDKIM
		o.User = c.user
		o.Tables = &state.Dir{Path: "/etc/opendkim", Mode: c.mode, Owner: c.owner}
		o.Keys = &state.Dir{Path: "/etc/dkimkeys", Mode: c.mode, Owner: c.owner}
		tables, err := tablesDir(in)
		keys, err2 := keyDir(in)
		tables.Why, keys.Why, c.tables.Path, c.keys.Path = "", "", "/etc/opendkim", "/etc/dkimkeys"
		if err != nil || err2 != nil || tables != c.tables || keys != c.keys {
			t.Errorf("%s: %+v (%v) and %+v (%v)\nwant %+v and %+v", name, tables, err, keys, err2, c.tables, c.keys)
		}
		if tables.Owner.User != "root" {
			t.Errorf("%s: OpenDKIM can write its own tables", name)
		}
	}

	in := installed()
	o := in.Facts.OpenDKIM
	o.User, o.Exposed = "dkimsign", []state.Path{"/etc/dkimkeys/old/a.private"}
	o.Keys = &state.Dir{Path: "/etc/dkimkeys", Mode: 0o700, Owner: theirs}
	var refusal *Refusal
	if _, err := keyDir(in); !errors.As(err, &refusal) || refusal.Hint != "if nothing else reads it: chown dkimsign: /etc/dkimkeys/old/a.private && chmod 600 /etc/dkimkeys/old/a.private" {
		t.Errorf("a key that only the directory kept shut: %v", err)
	}
}
