package plan_test

import (
	"bytes"
	"slices"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

func one(c plan.Change) plan.Plan {
	return plan.Plan{Stages: []plan.StageChanges{{Name: "A", Changes: []plan.Change{c}}}}
}

func regular(content string) state.Object {
	return state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte(content)}
}

func TestUnannounced(t *testing.T) {
	later := plan.Change{Op: plan.Later, Path: "/c", Settings: []string{"a = 1"}}
	create := plan.Change{Op: plan.Create, Path: "/c", After: regular("new")}
	modify := plan.Change{Op: plan.Modify, Path: "/c", Before: regular("shipped"), After: regular("new"), Settings: []string{"a = 1"}}
	other := modify
	other.After = regular("other")
	settings := modify
	settings.Settings = []string{"a = 2"}
	moved := modify
	moved.Before = regular("edited in between")
	chmod := create
	chmod.After.Mode = 0o600
	dir := state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root}
	wide := dir
	wide.Mode = 0o755
	for _, tc := range []struct {
		name              string
		announced, actual plan.Change
		extra             []string
	}{
		{"settings as announced", later, modify, nil},
		{"other settings", later, settings, []string{"modify /c"}},
		{"a package brought the file", create, modify, nil},
		{"other content", create, other, []string{"modify /c"}},
		{"other mode", create, chmod, []string{"create /c"}},
		{"the same", modify, modify, nil},
		{"edited in between", modify, moved, []string{"modify /c"}},
		{"another path", create, plan.Change{Op: plan.Remove, Path: "/d", Before: regular("")}, []string{"remove /d"}},
		{"a package brought the directory", plan.Change{Op: plan.Mkdir, Path: "/d", After: dir}, plan.Change{Op: plan.Meta, Path: "/d", Before: wide, After: dir}, nil},
		{"our record", create, plan.Change{Op: plan.Create, Path: plan.HashesFile, After: regular("{}")}, nil},
	} {
		if got := plan.Unannounced(one(tc.announced), one(tc.actual)); !slices.Equal(got, tc.extra) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.extra)
		}
	}
}

func TestUnannouncedNamesUnitsAndPackages(t *testing.T) {
	actual := plan.Plan{Stages: []plan.StageChanges{{
		Name: "A", Units: []state.Unit{{Name: "d.service", Action: state.Restart}},
		Packages: []state.Package{{Name: "d"}}, Uninstall: []string{"e"},
		Derived: []state.Derived{{Path: "/x.db"}},
	}}}
	want := []string{"install d", "uninstall e", "make /x.db", "restart d.service"}
	if got := plan.Unannounced(plan.Plan{}, actual); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := plan.Unannounced(actual, actual); got != nil {
		t.Errorf("a plan does not cover itself: %q", got)
	}
}

func TestDifferences(t *testing.T) {
	announce := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("real"), []byte("PLACEHOLDER")) }
	a := one(plan.Change{Op: plan.Create, Path: "/c", After: regular("p=PLACEHOLDER")})
	b := one(plan.Change{Op: plan.Create, Path: "/c", After: regular("p=real")})
	c := one(plan.Change{Op: plan.Create, Path: "/c", After: regular("p=real; t=y")})
	if got := plan.Differences(a, b, announce); got != nil {
		t.Errorf("differences %q, want none", got)
	}
	for _, other := range []plan.Plan{
		c, one(plan.Change{Op: plan.Create, Path: "/d", After: regular("p=real")}),
		one(plan.Change{Op: plan.Create, Path: "/c", After: regular("p =PLACEHOLDER")}),
		{},
	} {
		if got := plan.Differences(a, other, announce); len(got) != 1 {
			t.Errorf("differences %q, want one", got)
		}
	}
	if got := plan.Differences(a, b, nil); len(got) != 1 {
		t.Errorf("without what was announced: %q, want one", got)
	}
}

// What somebody agreed to by itself was spoken of, and nothing else at that
// place was.
func TestAConsentOfItsOwnIsAnAnnouncement(t *testing.T) {
	modify := one(plan.Change{Op: plan.Modify, Path: "/c", Before: regular("old"), After: regular("new"), Settings: []string{"a = 2"}})
	announced := one(plan.Change{Op: plan.Later, Path: "/c", Settings: []string{"a = 1"}})
	for _, tc := range []struct {
		name      string
		announced plan.Plan
		consented []state.Path
		extra     []string
	}{
		{"nobody was asked", plan.Plan{}, nil, []string{"modify /c"}},
		{"asked about it", plan.Plan{}, []state.Path{"/b", "/c"}, nil},
		{"asked about another file", plan.Plan{}, []state.Path{"/b"}, []string{"modify /c"}},
		{"asked about it, and other settings were announced", announced, []state.Path{"/c"}, []string{"modify /c"}},
	} {
		if got := plan.Unannounced(tc.announced, modify, tc.consented...); !slices.Equal(got, tc.extra) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.extra)
		}
	}
}

func TestDifferencesNoticesAQuestion(t *testing.T) {
	a := one(plan.Change{Op: plan.Create, Path: "/c", After: regular("x")})
	b := a
	b.Questions = []state.Question{{ID: "record lab.example SPF"}}
	want := []string{"it needs a consent that was not asked for: record lab.example SPF"}
	if got := plan.Differences(a, b, nil); !slices.Equal(got, want) {
		t.Errorf("differences %q, want %q", got, want)
	}
	if got := plan.Differences(b, a, nil); got != nil {
		t.Errorf("differences %q of a plan whose question was answered", got)
	}
}
