package plan_test

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// server is a machine with a little configuration.
func server() *systemtest.Mem {
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	m.PutFile("/etc/main.cf", "myhostname = mail.example.org\n")
	m.PutFile("/etc/d.conf", "old\n")
	return m
}

func ours(p state.Path, content string) state.File {
	return state.File{Path: p, Mode: 0o644, Owner: state.Root, Content: []byte(content)}
}

func stages(ss ...state.Stage) state.State { return state.State{Stages: ss} }

// brief lists the changes of a plan but for our own record.
func brief(p plan.Plan) []string {
	var list []string
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			if c.Path != plan.HashesFile {
				list = append(list, fmt.Sprintf("%s: %s %s", st.Name, c.Op, c.Path))
			}
		}
		for _, d := range st.Derived {
			list = append(list, fmt.Sprintf("%s: derive %s", st.Name, d.Path))
		}
		for _, u := range st.Units {
			list = append(list, fmt.Sprintf("%s: %s %s", st.Name, u.Action, u.Name))
		}
	}
	return list
}

func TestMake(t *testing.T) {
	old := plan.FileHashes{"/etc/d.conf": plan.Hash([]byte("old\n"))}
	unit := []state.Unit{{Name: "d.service", Action: state.Reload}}
	milters := func(v string) state.Edit {
		return state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "milters", Value: v}}}
	}
	db := []state.Derived{{Path: "/etc/d.db", From: "/etc/d.conf", Argv: []string{"mk"}}}
	for _, tc := range []struct {
		name  string
		setup func(*systemtest.Mem)
		want  state.State
		plan  []string
		drift []string
	}{
		{name: "nothing wanted"},
		{
			name: "as it should be",
			want: stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/d.conf", "old\n")}, Units: unit}),
		},
		{
			name: "a new file below a new directory",
			want: stages(state.Stage{
				Name: "A", Dirs: []state.Dir{{Path: "/etc/d", Mode: 0o755, Owner: state.Root}},
				Files: []state.File{ours("/etc/d/x", "")}, Units: unit,
			}),
			plan: []string{"A: mkdir /etc/d", "A: create /etc/d/x", "A: reload d.service"},
		},
		{
			name: "other content of ours",
			want: stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/d.conf", "new\n")}}),
			plan: []string{"A: modify /etc/d.conf"},
		},
		{
			name:  "edited by hand",
			setup: func(m *systemtest.Mem) { m.PutFile("/etc/d.conf", "old\nmine\n") },
			want:  stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/d.conf", "new\n")}}),
			plan:  []string{"A: modify /etc/d.conf"},
			drift: []string{"/etc/d.conf: edited since mailsetup wrote it"},
		},
		{
			name:  "there before us",
			setup: func(m *systemtest.Mem) { m.PutFile("/etc/e.conf", "x\n") },
			want:  stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/e.conf", "y\n")}}),
			plan:  []string{"A: modify /etc/e.conf"},
			drift: []string{"/etc/e.conf: not written by mailsetup"},
		},
		{
			name:  "edited by hand to what is wanted",
			setup: func(m *systemtest.Mem) { m.PutFile("/etc/d.conf", "new\n") },
			want:  stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/d.conf", "new\n")}}),
		},
		{
			name: "the administrator's file never drifts",
			want: stages(state.Stage{Name: "A", Files: []state.File{
				{Path: "/etc/main.cf", Mode: 0o644, Owner: state.Root, Content: []byte("other\n"), AdminOwned: true},
			}}),
			plan: []string{"A: modify /etc/main.cf"},
		},
		{
			name: "setgid alone differs",
			setup: func(m *systemtest.Mem) {
				m.Put("/etc/s", state.Object{Kind: state.Directory, Mode: 0o750, Owner: state.Root})
			},
			want: stages(state.Stage{Name: "A", Dirs: []state.Dir{{Path: "/etc/s", Mode: fs.ModeSetgid | 0o750, Owner: state.Root}}}),
			plan: []string{"A: meta /etc/s"},
		},
		{
			name: "removed if there",
			want: stages(state.Stage{Name: "A", Remove: []state.Path{"/etc/d.conf", "/etc/absent"}}),
			plan: []string{"A: remove /etc/d.conf"},
		},
		{
			name:  "removed although edited",
			setup: func(m *systemtest.Mem) { m.PutFile("/etc/d.conf", "mine\n") },
			want:  stages(state.Stage{Name: "A", Remove: []state.Path{"/etc/d.conf"}}),
			plan:  []string{"A: remove /etc/d.conf"},
			drift: []string{"/etc/d.conf: edited since mailsetup wrote it"},
		},
		{
			name:  "what is free goes although edited",
			setup: func(m *systemtest.Mem) { m.PutFile("/etc/d.conf", "mine\n") },
			want:  stages(state.Stage{Name: "A", Discard: []state.Path{"/etc/d.conf", "/etc/absent"}}),
			plan:  []string{"A: remove /etc/d.conf"},
		},
		{
			name: "a directory goes with the last that is in it",
			setup: func(m *systemtest.Mem) {
				for _, d := range []state.Path{"/etc/k", "/etc/full"} {
					m.Put(d, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
					m.PutFile(d.Join("a"), "a\n")
				}
				m.PutFile("/etc/full/b", "b\n")
			},
			want: stages(state.Stage{Name: "A", Discard: []state.Path{"/etc/k/a", "/etc/k", "/etc/full/a", "/etc/full"}}),
			plan: []string{"A: remove /etc/k/a", "A: remove /etc/k", "A: remove /etc/full/a"},
		},
		{
			name: "edits of one stage see each other",
			want: stages(state.Stage{Name: "A", Edits: []state.Edit{milters("a"), milters("b")}}),
			plan: []string{"A: modify /etc/main.cf"},
		},
		{
			name: "edits that cancel out",
			want: stages(state.Stage{Name: "A", Units: unit, Edits: []state.Edit{
				state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "myhostname", Value: "x"}}},
				state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "myhostname", Value: "mail.example.org"}}},
			}}),
		},
		{
			name: "later stages see earlier ones",
			want: stages(
				state.Stage{Name: "A", Edits: []state.Edit{milters("a")}},
				state.Stage{Name: "B", Edits: []state.Edit{milters("a")}, Units: unit},
				state.Stage{Name: "C", Edits: []state.Edit{milters("c")}, Units: unit},
			),
			plan: []string{"A: modify /etc/main.cf", "C: modify /etc/main.cf", "C: reload d.service"},
		},
		{
			name:  "made again with its source",
			setup: func(m *systemtest.Mem) { m.PutFile("/etc/d.db", "db\n") },
			want:  stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/d.conf", "new\n")}, Derived: db}),
			plan:  []string{"A: modify /etc/d.conf", "A: derive /etc/d.db"},
		},
		{
			name: "made because missing",
			want: stages(state.Stage{Name: "A", Derived: db, Units: unit}),
			plan: []string{"A: derive /etc/d.db", "A: reload d.service"},
		},
		{
			name:  "not made without its source",
			setup: func(m *systemtest.Mem) { m.Delete("/etc/d.conf") },
			want:  stages(state.Stage{Name: "A", Derived: db, Units: unit}),
		},
		{
			name: "packages bring directories and files",
			want: stages(state.Stage{Name: "P", Packages: []state.Package{{Name: "postfix"}}, Checkpoint: true},
				state.Stage{
					Name: "A", Files: []state.File{ours("/etc/postfix/ours", "")},
					Edits: []state.Edit{state.PostfixEdit{Path: "/etc/postfix/main.cf"}},
				}),
			plan: []string{"A: create /etc/postfix/ours", "A: later /etc/postfix/main.cf"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := server()
			if tc.setup != nil {
				tc.setup(m)
			}
			p, err := plan.Make(context.Background(), tc.want, m, old)
			if err != nil {
				t.Fatal(err)
			}
			if got := brief(p); !slices.Equal(got, tc.plan) {
				t.Errorf("plan\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tc.plan, "\n"))
			}
			var drift []string
			for _, d := range p.Drift {
				drift = append(drift, string(d.Path)+": "+d.Why)
			}
			if !slices.Equal(drift, tc.drift) {
				t.Errorf("drift %q, want %q", drift, tc.drift)
			}
			if n := len(m.Trace()); n > 0 {
				t.Errorf("planning wrote %d times", n)
			}
		})
	}
}

func TestMakeRefuses(t *testing.T) {
	link := state.Object{Kind: state.Symlink, Mode: 0o777, Owner: state.Root, Content: []byte("/etc/elsewhere")}
	key := state.File{Path: "/etc/key", Mode: 0o600, Owner: state.Root, Content: []byte("k"), Secret: true}
	for _, tc := range []struct {
		name  string
		at    state.Path
		there state.Object
		stage state.Stage
		err   string
	}{
		{"a link at a file", "/etc/x", link, state.Stage{Files: []state.File{ours("/etc/x", "")}}, "/etc/x: is a symbolic link to /etc/elsewhere, expected a file"},
		{"a link at a directory", "/etc/x", link, state.Stage{Dirs: []state.Dir{{Path: "/etc/x"}}}, "/etc/x: is a symbolic link"},
		{"a link at an edit", "/etc/x", link, state.Stage{Edits: []state.Edit{state.PostfixEdit{Path: "/etc/x"}}}, "/etc/x: is a symbolic link"},
		{"a link to remove", "/etc/x", link, state.Stage{Remove: []state.Path{"/etc/x"}}, "/etc/x: is a symbolic link"},
		{"a socket", "/etc/x", state.Object{Kind: state.Special}, state.Stage{Files: []state.File{ours("/etc/x", "")}}, "/etc/x: is a device, pipe or socket, expected a file"},
		{"a key over a key", "/etc/key", state.Object{Kind: state.Regular, Content: []byte("k")}, state.Stage{Files: []state.File{key}}, "create /etc/key: a private key stands there"},
		{"no directory", "/etc/y", link, state.Stage{Files: []state.File{ours("/etc/no/x", "")}}, "create /etc/no/x: directory /etc/no does not exist"},
		{"an edit of nothing", "/etc/y", link, state.Stage{Edits: []state.Edit{state.PostfixEdit{Path: "/etc/x"}}}, "edit /etc/x: no such file"},
		{"an edit that cannot be", "/etc/x", state.Object{Kind: state.Regular, Content: []byte("no zone")}, state.Stage{Edits: []state.Edit{state.ZoneEdit{Path: "/etc/x", Origin: "lab.example.", Include: "/etc/bind/ours"}}}, "edit /etc/x: edit zone lab.example. in /etc/x: "},
	} {
		m := server()
		m.Put(tc.at, tc.there)
		_, err := plan.Make(context.Background(), stages(tc.stage), m, nil)
		if err == nil || !strings.HasPrefix(err.Error(), tc.err) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.err)
		}
	}
}

// Who changes nothing needs no consent.
func TestMakeAsksOnlyForWhatItDoes(t *testing.T) {
	want := stages(state.Stage{Files: []state.File{ours("/etc/x", "new")}})
	want.Questions = []state.Question{{ID: "release", Kind: state.AskRelease}}
	for there, questions := range map[string]int{"new": 0, "old": 1} {
		m := server()
		m.Put("/etc/x", state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte(there)})
		rec := plan.FileHashes{"/etc/x": plan.Hash([]byte(there))}
		m.Put(plan.HashesFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: rec.Marshal()})
		p, err := plan.Make(context.Background(), want, m, rec)
		if err != nil || len(p.Questions) != questions {
			t.Errorf("%s content: %d questions, %v; want %d", there, len(p.Questions), err, questions)
		}
	}
}

func TestMakeSortsNotesByTopic(t *testing.T) {
	note := func(topic, text string) state.Note { return state.Note{Topic: topic, Text: text} }
	p, err := plan.Make(context.Background(), state.State{Notes: []state.Note{
		note("dns", "a"), note("ptr", "b"), note("dns", "c"), note("ptr", "b"), note("dns", "a"), note("key", "d"), note("ptr", "a"),
	}}, server(), nil)
	want := []state.Note{note("dns", "a"), note("dns", "c"), note("ptr", "b"), note("ptr", "a"), note("key", "d")}
	if err != nil || !slices.Equal(p.Notes, want) {
		t.Errorf("notes %v, %v", p.Notes, err)
	}
}

func TestMakeReportsEverythingAtOnce(t *testing.T) {
	_, err := plan.Make(context.Background(), stages(
		state.Stage{Files: []state.File{ours("/no/x", "")}}, state.Stage{Files: []state.File{ours("/no/y", "")}},
	), server(), nil)
	if err == nil || !strings.Contains(err.Error(), "/no/x") || !strings.Contains(err.Error(), "/no/y") {
		t.Errorf("error %v, want both", err)
	}
}

func TestADirectoryMayBeALink(t *testing.T) {
	m := server()
	m.Put("/srv/conf", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	m.Put("/etc/conf", state.Object{Kind: state.Symlink, Content: []byte("../srv/conf")})
	p, err := plan.Make(context.Background(), stages(state.Stage{Name: "A", Files: []state.File{ours("/etc/conf/x", "")}}), m, nil)
	if got := brief(p); err != nil || !slices.Equal(got, []string{"A: create /etc/conf/x"}) {
		t.Errorf("plan %q, error %v", got, err)
	}
}

func TestAnImageMayStartEmpty(t *testing.T) {
	p, err := plan.Make(context.Background(), stages(
		state.Stage{Name: "Tree", Dirs: []state.Dir{{Path: "/etc", Mode: 0o755, Owner: state.Root}}},
		state.Stage{Name: "A", Files: []state.File{ours("/etc/x", "")}},
	), systemtest.NewMem(), nil)
	if got := brief(p); err != nil || !slices.Equal(got, []string{
		"State: mkdir /var", "State: mkdir /var/lib", "State: mkdir /var/lib/mailsetup", "Tree: mkdir /etc", "A: create /etc/x",
	}) {
		t.Errorf("plan %q, error %v", got, err)
	}
}

func TestTheRecordFollows(t *testing.T) {
	m := server()
	m.PutFile("/etc/gone", "x")
	rec := plan.FileHashes{"/etc/gone": plan.Hash([]byte("x")), "/etc/other": "kept"}
	p, err := plan.Make(context.Background(), stages(state.Stage{
		Name:   "A",
		Files:  []state.File{ours("/etc/new", "new"), {Path: "/etc/free", Mode: 0o644, Owner: state.Root, AdminOwned: true}},
		Remove: []state.Path{"/etc/gone"},
	}), m, rec)
	if err != nil {
		t.Fatal(err)
	}
	last := p.Stages[len(p.Stages)-1]
	if last.Name != "Checksums" || last.Changes[0].After.Mode != 0o600 {
		t.Fatalf("last stage %+v", last)
	}
	got, err := plan.ParseFileHashes(last.Changes[0].After.Content)
	if err != nil || len(got) != 2 || got["/etc/other"] != "kept" ||
		got["/etc/new"] != "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437" {
		t.Errorf("record %v, %v", got, err)
	}
}

func TestZoneEditsAreMarked(t *testing.T) {
	m := server()
	m.PutFile("/etc/zone", "@ IN SOA a. b. 1 2 3 4 5\n")
	p, err := plan.Make(context.Background(), stages(state.Stage{Name: "Z", Edits: []state.Edit{
		state.ZoneEdit{Path: "/etc/zone", Origin: "example.org.", Include: "/etc/frag", Stamp: "s"},
	}}), m, nil)
	if err != nil || len(p.Stages) != 1 || !p.Stages[0].Changes[0].Serial {
		t.Errorf("plan %+v, %v", p, err)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	want := plan.FileHashes{"/b": "2", "/a": "1"}
	got, err := plan.ParseFileHashes(want.Marshal())
	if err != nil || len(got) != 2 || got["/a"] != "1" || got["/b"] != "2" {
		t.Errorf("got %v, %v", got, err)
	}
	if empty, err := plan.ParseFileHashes(nil); err != nil || len(empty) != 0 {
		t.Errorf("no bytes: %v, %v", empty, err)
	}
	for _, bad := range []string{"{", `{"version": 2}`} {
		if _, err := plan.ParseFileHashes([]byte(bad)); err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// TestMeta: another owner or mode, and nothing of the content, not even where
// nothing tells that it is a key.
func TestMeta(t *testing.T) {
	m := server()
	m.Put("/etc/key", state.Object{Kind: state.Regular, Mode: 0o640, Owner: state.Root, Content: []byte("MIIEvQ")})
	owner := state.Owner{User: "opendkim", Group: "opendkim"}
	want := stages(state.Stage{Name: "A", Metas: []state.Meta{{Path: "/etc/key", Mode: 0o600, Owner: owner, Why: "so that it is read"}}})
	p, err := plan.Make(context.Background(), want, m, plan.FileHashes{})
	if err != nil {
		t.Fatal(err)
	}
	if got := brief(p); len(got) != 1 || got[0] != "A: meta /etc/key" || len(p.Drift) != 0 {
		t.Errorf("plan %q, drift %v", got, p.Drift)
	}
	var text strings.Builder
	_ = p.Text(&text, plan.TextOptions{Diff: true})
	data, err := asJSON(p)
	if err != nil || strings.Contains(text.String()+string(data), "MII") {
		t.Errorf("the key shows: %v\n%s\n%s", err, text.String(), data)
	}
	if !strings.Contains(text.String(), "owner root:root → opendkim:opendkim, mode 0640 → 0600") {
		t.Errorf("nothing about the owner:\n%s", text.String())
	}
	m.Put("/etc/key", p.Stages[0].Changes[0].After)
	if p, err := plan.Make(context.Background(), want, m, plan.FileHashes{}); err != nil || !p.Empty() {
		t.Errorf("again: %q, %v", brief(p), err)
	}
	m.Delete("/etc/key")
	if _, err := plan.Make(context.Background(), want, m, plan.FileHashes{}); err == nil {
		t.Error("a file that is gone is accepted")
	}
}
