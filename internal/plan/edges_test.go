package plan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// Before its packages are there, a plan knows of some edits only what they set;
// afterwards the same wish is planned in full, or refused.
func TestEditsBeforeThePackages(t *testing.T) {
	packages := state.Stage{Name: "Packages", Packages: []state.Package{{Name: "postfix"}}}
	for _, tt := range []struct {
		name      string
		edit      state.Edit
		before    []string // with the packages to come
		settings  []string
		after     []string // without
		withoutIt string   // error without packages
	}{
		{
			name:      "main.cf",
			edit:      state.PostfixEdit{Path: "/etc/postfix/main.cf", Set: []state.Setting{{Name: "smtpd_milters", Value: "unix:s"}}},
			before:    []string{"A: later /etc/postfix/main.cf"},
			settings:  []string{"smtpd_milters = unix:s"},
			withoutIt: "edit /etc/postfix/main.cf: no such file",
		},
		{
			name: "master.cf",
			edit: state.MasterEdit{Path: "/etc/postfix/master.cf", Set: []state.ServiceSetting{
				{Service: "submission/inet", Setting: state.Setting{Name: "smtpd_milters", Value: "unix:s"}},
			}},
			before:    []string{"A: later /etc/postfix/master.cf"},
			settings:  []string{"submission/inet: -o smtpd_milters=unix:s"},
			withoutIt: "edit /etc/postfix/master.cf: no such file",
		},
		{
			name:      "a drop-in of a unit",
			edit:      state.UnitEdit{Path: "/etc/systemd/system/opendkim.service.d/x.conf", Drop: []string{"ExecStart"}},
			before:    []string{"A: later /etc/systemd/system/opendkim.service.d/x.conf"},
			settings:  []string{"without ExecStart="},
			withoutIt: "edit /etc/systemd/system/opendkim.service.d/x.conf: no such file",
		},
		{
			name:      "a zone of the administrator's",
			edit:      state.ZoneEdit{Path: "/etc/bind/db.lab", Origin: "lab.example.", Include: "/etc/bind/ours"},
			before:    []string{"A: later /etc/bind/db.lab"},
			settings:  []string{`$INCLUDE "/etc/bind/ours" lab.example.`, "a higher serial"},
			withoutIt: "edit /etc/bind/db.lab: no such file",
		},
		{
			name:   "aliases, which may be made anywhere that is there",
			edit:   state.AliasEdit{Path: "/etc/aliases", Set: []state.Setting{{Name: "root", Value: "ann@lab.example"}}},
			before: []string{"A: create /etc/aliases"},
			after:  []string{"A: create /etc/aliases"},
		},
		{
			name:      "a list of zones in a directory that a package brings",
			edit:      state.NamedEdit{Path: "/etc/bind/named.conf.local", Zones: []state.NamedZone{{Origin: "lab.example", File: "/var/lib/bind/db.lab"}}},
			before:    []string{"A: later /etc/bind/named.conf.local"},
			settings:  []string{`zone "lab.example" { type primary; file "/var/lib/bind/db.lab"; };`},
			withoutIt: "create /etc/bind/named.conf.local: directory /etc/bind does not exist",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stage := state.Stage{Name: "A", Edits: []state.Edit{tt.edit}}
			p, err := plan.Make(context.Background(), stages(packages, stage), server(), nil)
			if got := brief(p); err != nil || !slices.Equal(got, tt.before) {
				t.Errorf("with packages to come: %q, %v", got, err)
			}
			for _, st := range p.Stages {
				for _, c := range st.Changes {
					if c.Op == plan.Later && !slices.Equal(c.Settings, tt.settings) {
						t.Errorf("announced as %q, want %q", c.Settings, tt.settings)
					}
				}
			}
			p, err = plan.Make(context.Background(), stages(stage), server(), nil)
			if tt.withoutIt != "" {
				if err == nil || err.Error() != tt.withoutIt {
					t.Errorf("without packages: %v, want %q", err, tt.withoutIt)
				}
				return
			}
			if got := brief(p); err != nil || !slices.Equal(got, tt.after) {
				t.Errorf("without packages: %q, %v", got, err)
			}
		})
	}
}

// A file that is there is edited at once although packages come; if the tool that
// edits it comes with them, the edit waits.
func TestAnEditWaitsForItsTool(t *testing.T) {
	packages := state.Stage{Name: "Packages", Packages: []state.Package{{Name: "postfix"}}}
	edit := state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "smtpd_milters", Value: "unix:s"}}, Reason: "mail is signed"}
	also := state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "myhostname", Value: "b"}}, Reason: "the name of this host"}
	want := stages(packages, state.Stage{Name: "A", Edits: []state.Edit{edit, also}})

	p, err := plan.Make(context.Background(), want, server(), nil)
	if got := brief(p); err != nil || !slices.Equal(got, []string{"A: modify /etc/main.cf"}) {
		t.Errorf("with postconf: %q, %v", got, err)
	}
	m := server()
	m.OnEvaluate = func(state.Edit, state.Object) ([]byte, bool, error) {
		return nil, true, errors.New("postconf: no such file")
	}
	p, err = plan.Make(context.Background(), want, m, nil)
	if got := brief(p); err != nil || !slices.Equal(got, []string{"A: later /etc/main.cf"}) {
		t.Fatalf("without postconf: %q, %v", got, err)
	}
	c := p.Stages[1].Changes[0]
	if !slices.Equal(c.Settings, []string{"smtpd_milters = unix:s", "myhostname = b"}) || c.Why != "mail is signed; the name of this host" {
		t.Errorf("both edits are announced as one: %q, %q", c.Settings, c.Why)
	}
	if _, err = plan.Make(context.Background(), stages(want.Stages[1]), m, nil); err == nil || err.Error() != "edit /etc/main.cf: postconf: no such file" {
		t.Errorf("without postconf and without packages: %v", err)
	}
}

// What a machine does not say is an error, and never taken for an absent file.
func TestWhatCannotBeReadStopsThePlan(t *testing.T) {
	stage := state.Stage{
		Name:    "A",
		Dirs:    []state.Dir{{Path: "/etc/a", Mode: 0o755, Owner: state.Root}},
		Files:   []state.File{ours("/etc/b", "b\n")},
		Metas:   []state.Meta{{Path: "/etc/c", Mode: 0o600, Owner: state.Root}},
		Edits:   []state.Edit{state.AliasEdit{Path: "/etc/d"}},
		Remove:  []state.Path{"/etc/e"},
		Discard: []state.Path{"/etc/f"},
		Derived: []state.Derived{{Path: "/etc/g.db", From: "/etc/g"}},
	}
	for _, at := range []state.Path{"/etc/a", "/etc/b", "/etc/c", "/etc/d", "/etc/e", "/etc/f", "/etc/g.db", "/etc/g"} {
		m := server()
		m.PutFile("/etc/c", "c\n")
		_, err := plan.Make(context.Background(), stages(stage), unreadable{m, at}, nil)
		if err == nil || !strings.Contains(err.Error(), "input/output error") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

// unreadable is a machine whose disk has a fault at one path.
type unreadable struct {
	*systemtest.Mem
	at state.Path
}

func (u unreadable) Read(p state.Path) (state.Object, error) {
	if p == u.at {
		return state.Object{}, errors.New("read " + string(p) + ": input/output error")
	}
	return u.Mem.Read(p)
}

// A hint for what stands at one of our places says what is there, and how to keep
// it.
func TestHintsForWhatStandsInTheWay(t *testing.T) {
	link := state.Object{Kind: state.Symlink, Content: []byte("/srv/x")}
	for _, tt := range []struct {
		there state.Object
		stage state.Stage
		want  string
	}{
		{link, state.Stage{Files: []state.File{ours("/etc/x", "")}}, `replace the link by what it points to: cp -p --remove-destination "$(readlink -f /etc/x)" /etc/x`},
		{link, state.Stage{Dirs: []state.Dir{{Path: "/etc/x"}}}, "put a directory of the same owner and mode in the link's place, with what is in it"},
		{state.Object{Kind: state.Directory}, state.Stage{Files: []state.File{ours("/etc/x", "")}}, "move it away: mv /etc/x /etc/x.old"},
		{state.Object{Kind: state.Special}, state.Stage{Metas: []state.Meta{{Path: "/etc/x"}}}, "move it away: mv /etc/x /etc/x.old"},
		{regular("x"), state.Stage{Dirs: []state.Dir{{Path: "/etc/x"}}}, "move it away: mv /etc/x /etc/x.old"},
	} {
		m := server()
		m.Put("/etc/x", tt.there)
		_, err := plan.Make(context.Background(), stages(tt.stage), m, nil)
		var unusable *system.UnusableError
		if !errors.As(err, &unusable) || unusable.Hint != tt.want {
			t.Errorf("%s: %v, hint %q; want %q", tt.there.Kind, err, unusable.Hint, tt.want)
		}
	}
}

// Links of directories are followed, but not round in circles.
func TestDirectoriesThatAreLinksInACircle(t *testing.T) {
	m := server()
	m.Put("/etc/a", state.Object{Kind: state.Symlink, Content: []byte("b")})
	m.Put("/etc/b", state.Object{Kind: state.Symlink, Content: []byte("/etc/a")})
	_, err := plan.Make(context.Background(), stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/a/x", "")}}), m, nil)
	if err == nil || err.Error() != "create /etc/a/x: too many symbolic links" {
		t.Errorf("%v", err)
	}
}

// Every key that a plan comes across stays out of everything that is printed,
// whoever wrote it, wherever it is, and whatever happens to it.
func TestNoKeyIsEverShown(t *testing.T) {
	const pem = "-----BEGIN PRIVATE KEY-----\nTOPSECRET\n-----END PRIVATE KEY-----\n"
	m := server()
	for _, at := range []state.Path{"/etc/edited", "/etc/removed", "/etc/discarded", "/etc/chowned", "/etc/aliases"} {
		m.PutFile(at, pem)
	}
	hidden := ours("/etc/new.private", "TOPSECRET without a heading")
	hidden.Secret = true
	pasted := ours("/etc/pasted", pem) // settings into which somebody pasted a key
	pasted.AdminOwned = true
	p, err := plan.Make(context.Background(), stages(state.Stage{
		Name:    "A",
		Files:   []state.File{ours("/etc/edited", "x\n"), pasted, hidden},
		Remove:  []state.Path{"/etc/removed"},
		Discard: []state.Path{"/etc/discarded"},
		Metas:   []state.Meta{{Path: "/etc/chowned", Mode: 0o600, Owner: state.Root}},
		Edits:   []state.Edit{state.AliasEdit{Path: "/etc/aliases", Set: []state.Setting{{Name: "root", Value: "ann"}}}},
	}), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(p.Paths()); got != 8 { // with the hashes
		t.Errorf("%d paths are touched: %q", got, p.Paths())
	}
	var out strings.Builder
	_ = p.Text(&out, plan.TextOptions{Diff: true})
	_ = p.Summary(&out, plan.TextOptions{})
	data, err := asJSON(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range p.Drift {
		out.WriteString(d.Diff)
	}
	if all := out.String() + string(data); strings.Contains(all, "SECRET") {
		t.Errorf("a key is shown:\n%s", all)
	}
	if n := strings.Count(out.String(), "private key, not shown"); n != 7 {
		t.Errorf("%d of 7 keys are named as such", n)
	}
	for _, hash := range []string{plan.Hash([]byte(pem)), plan.Hash(hidden.Content)} {
		if strings.Contains(string(data), hash) {
			t.Error("the hash of a key is in the JSON")
		}
	}
}

// An overlay shows the machine as it will be: it answers as the machine does once
// the plan was carried out.
func TestOverlayAnswersAsTheMachineWill(t *testing.T) {
	m := server()
	for _, name := range []string{"a", "b", "c"} {
		m.PutFile(state.Path("/etc/list").Join(name), "old "+name)
	}
	over := plan.Overlay{Reader: m, Planned: map[state.Path]state.Object{
		"/etc/list/b": {}, "/etc/list/c": regular("new c"), "/etc/list/d": regular("new d"),
		"/etc/other": {Kind: state.Directory, Mode: 0o755, Owner: state.Root}, "/etc/other/e": regular("e"),
	}}
	want := map[state.Path][]string{"/etc/list": {"a", "c", "d"}, "/etc/other": {"e"}, "/etc/none": nil}
	for dir, names := range want {
		if got, err := over.List(dir); err != nil || !slices.Equal(got, names) {
			t.Errorf("%s holds %q, %v; want %q", dir, got, err, names)
		}
	}
	for at, content := range map[state.Path]string{"/etc/list/a": "old a", "/etc/list/b": "", "/etc/list/c": "new c", "/etc/other/e": "e"} {
		o, err := over.Read(at)
		if err != nil || string(o.Content) != content {
			t.Errorf("%s says %q, %v", at, o.Content, err)
		}
		info, err := over.Stat(at)
		if err != nil || info.Content != nil || info.Kind != o.Kind || info.Mode != o.Mode || info.Owner != o.Owner {
			t.Errorf("%s: Stat says %+v, Read %+v, %v", at, info, o, err)
		}
	}
	if _, err := over.List("/etc/main.cf"); err == nil {
		t.Error("a file is listed")
	}
}

// A directory whose last socket a daemon leaves behind goes, and one with anything else stays.
func TestDirectoriesOfSockets(t *testing.T) {
	m := server()
	for _, dir := range []state.Path{"/etc/socket", "/etc/other"} {
		m.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		m.Put(dir+"/s", state.Object{Kind: state.Special, Mode: 0o660, Owner: state.Root})
	}
	m.PutFile("/etc/other/f", "f\n")
	p, err := plan.Make(context.Background(), stages(state.Stage{Name: "A", Discard: []state.Path{"/etc/socket", "/etc/other"}}), m, nil)
	if err != nil || len(p.Paths()) != 1 || p.Paths()[0] != "/etc/socket" {
		t.Errorf("%v, %v", p.Paths(), err)
	}
}
