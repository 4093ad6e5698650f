package steps

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	conf "mailsetup/internal/opendkim"
	"mailsetup/internal/state"
)

// What counts was measured with opendkim 2.11.0~beta2 on Debian 12 and 13.
func TestRunningSigner(t *testing.T) {
	for name, c := range map[string]struct {
		process, conf, unit string
		args                []string
		want                Signer
	}{
		"Debian's own":       {conf: "UserID opendkim\n", want: Signer{"opendkim", "root"}},
		"no user":            {want: Signer{"root", "root"}},
		"user and group":     {conf: "UserID dkimsign:mail\n", want: Signer{"dkimsign", "root"}},
		"by the unit":        {unit: "[Service]\nUser=dkimsign\n", want: Signer{"dkimsign", "dkimsign"}},
		"by the unit, twice": {conf: "UserID dkimsign\n", unit: "[Service]\nUser=dkimsign\n", want: Signer{"dkimsign", "dkimsign"}},
		"by the command":     {conf: "UserID opendkim\n", args: []string{"/usr/sbin/opendkim", "-u", "dkimsign"}, want: Signer{"dkimsign", "root"}},
		"in one word":        {conf: "UserID opendkim\n", args: []string{"/usr/sbin/opendkim", "-udkimsign"}, want: Signer{"dkimsign", "root"}},
		"the process knows":  {process: "dkimsign", conf: "UserID opendkim\n", want: Signer{"dkimsign", "root"}},
	} {
		in := installed()
		o := in.Facts.OpenDKIM
		o.Args, o.User = c.args, c.process
		if c.unit != "" {
			o.DropIns = []state.Path{"/etc/systemd/system/opendkim.service.d/user.conf"}
			in.Facts.Files = map[state.Path][]byte{o.DropIns[0]: []byte(c.unit)}
		}
		cf, err := conf.ParseConf("/etc/opendkim.conf", func(string) ([]byte, error) { return []byte(c.conf + "Syslog yes\n"), nil })
		if err != nil {
			t.Fatal(err)
		}
		if got := RunningSigner(in.Facts, cf); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestHandOver(t *testing.T) {
	fine, hidden, open := Access{}, Access{Hidden: "the user x cannot read /k (root:root, mode 0600)"}, Access{Unsafe: "/k (mode 0644) is open to everybody"}
	shut, shared := Access{Hidden: "the user x cannot enter /d", Above: "/d"}, Access{Unsafe: "/d (mode 0777) is open to everybody", Above: "/d"}
	dkimsign, ours := Signer{"dkimsign", "dkimsign"}, Signer{"opendkim", "root"}
	for name, c := range map[string]struct {
		signer       Signer
		loaded, mind bool
		now, then    Access
		want         Handover
		hint         string // of a refusal
	}{
		"both can":                     {signer: ours, mind: true, now: fine, then: fine},
		"the next one cannot":          {signer: dkimsign, mind: true, now: fine, then: hidden, want: Copied},
		"not even come there":          {signer: dkimsign, mind: true, now: fine, then: shut, want: Copied},
		"and would refuse it":          {signer: dkimsign, mind: true, now: fine, then: Access{Unsafe: "/k belongs to dkimsign"}, want: Copied},
		"read as root when it began":   {signer: ours, loaded: true, mind: true, now: hidden, then: hidden, want: Given},
		"the same, behind a door":      {signer: ours, loaded: true, mind: true, now: shut, then: shut, want: Copied},
		"it did not begin as root":     {signer: dkimsign, loaded: true, mind: true, now: hidden, then: hidden, hint: "name another file, or if this is its key: chown dkimsign: /k"},
		"root's, named by a table":     {signer: ours, mind: true, now: hidden, then: hidden, hint: "name another file, or if this is its key: chown opendkim: /k"},
		"behind a door, by a table":    {signer: ours, mind: true, now: shut, then: shut, hint: "put it into a directory of root's or of opendkim where nobody else can write"},
		"open to others":               {signer: ours, mind: true, now: open, then: open, want: Given},
		"open to others, not ours":     {signer: dkimsign, mind: true, now: open, then: hidden, hint: "if nothing else reads it: chown dkimsign: /k && chmod 600 /k"},
		"in an open directory":         {signer: ours, mind: true, now: shared, then: shared, hint: "put it into a directory of root's or of opendkim"},
		"open to others, not minded":   {signer: ours, now: open, then: open},
		"no user of its own":           {signer: Signer{"root", "root"}, mind: true, now: fine, then: hidden, want: Copied},
		"not minded, and not readable": {signer: dkimsign, now: fine, then: hidden, want: Copied},
	} {
		got, err := HandOver("/k", c.signer, c.loaded, c.mind, c.now, c.then)
		var refusal *Refusal
		switch {
		case c.hint == "" && (err != nil || got != c.want):
			t.Errorf("%s: %v, %v, want %v", name, got, err, c.want)
		case c.hint != "" && (!errors.As(err, &refusal) || !strings.HasPrefix(refusal.Hint, c.hint)):
			t.Errorf("%s: %v, %+v, want %s", name, got, err, c.hint)
		}
		if refusal != nil && (strings.Contains(refusal.Hint, "root:opendkim") || strings.Contains(refusal.Hint, "750")) {
			t.Errorf("%s: %s would lock out whom OpenDKIM runs as", name, refusal.Hint)
		}
	}
}

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
