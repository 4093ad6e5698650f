package apply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

func TestIDsOfACommand(t *testing.T) {
	const first = "20261122T101500-abcd"
	for n, want := range map[int]string{0: first, 1: first, 2: first + ".2", 11: first + ".11"} {
		if got := apply.NextID(first, n); got != want || apply.FirstID(got) != first {
			t.Errorf("run %d is %s of %s, want %s of %s", n, got, apply.FirstID(got), want, first)
		}
	}
}

// Runs of one command that change the same file, and make and remove others, are
// taken back in one.
func TestSeveralRunsAreTakenBack(t *testing.T) {
	m := systemtest.NewMem()
	m.PutFile("/etc/x", "x0")
	m.PutFile("/etc/keys/old", "old")
	m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	start := systemtest.Tree(m.Files(), within("/var/lib"))
	file := func(p, text string) state.File {
		return state.File{Path: state.Path(p), Mode: 0o644, Owner: state.Root, Content: []byte(text), AdminOwned: true}
	}
	dir := []state.Dir{{Path: "/etc/new", Mode: 0o755, Owner: state.Root}}
	for i, st := range []state.Stage{
		{Dirs: dir, Files: []state.File{file("/etc/x", "x1"), file("/etc/new/a", "a1")}},
		{Files: []state.File{file("/etc/x", "x2"), file("/etc/new/b", "b")}},
		{Files: []state.File{file("/etc/x", "x3"), file("/etc/new/a", "a3")}, Discard: []state.Path{"/etc/keys/old", "/etc/keys"}},
	} {
		st.Name = "One"
		if _, err := runOn(context.Background(), m, planFor(t, m, state.State{Stages: []state.Stage{st}}), apply.NextID("first", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	end := systemtest.Tree(m.Files(), within("/var/lib"))
	runs := history(t, m)
	if len(runs) != 3 {
		t.Fatalf("%d runs", len(runs))
	}
	for _, want := range []string{start, end} {
		p, err := apply.InverseAll(context.Background(), runs, m)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := runOn(context.Background(), m, p, fmt.Sprint("goes", len(history(t, m)))); err != nil {
			t.Fatal(err)
		}
		if got := systemtest.Tree(m.Files(), within("/var/lib")); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		all := history(t, m)
		runs = all[len(all)-1:]
	}
	if _, err := apply.InverseAll(context.Background(), history(t, m)[:1], m); err == nil {
		t.Error("the first run alone is taken back, over what the later ones changed")
	}
}

func within(dir state.Path) func(state.Path) bool {
	return func(p state.Path) bool { return p == dir || len(p) > len(dir) && p[:len(dir)+1] == dir+"/" }
}

// Of the runs of one command all are forgotten, or none.
func TestRunsOfACommandAreForgottenTogether(t *testing.T) {
	m := systemtest.NewMem()
	m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	for i, id := range []string{"a", "b", "b.2", "b.3", "c"} {
		want := state.State{Stages: []state.Stage{{Name: "One", Files: []state.File{
			{Path: "/etc/x", Mode: 0o644, Owner: state.Root, Content: []byte{byte('0' + i)}, AdminOwned: true},
		}}}}
		m.Put("/etc", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
		if _, err := runOn(context.Background(), m, planFor(t, m, want), id); err != nil {
			t.Fatal(err)
		}
	}
	j := apply.NewJournal(m, apply.JournalDir)
	for _, tt := range []struct {
		keep int
		want []string
	}{{4, []string{"b", "b.2", "b.3", "c"}}, {2, []string{"b", "b.2", "b.3", "c"}}, {1, []string{"c"}}} {
		if err := j.Prune(tt.keep); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range history(t, m) {
			got = append(got, strings.TrimPrefix(e.ID, "20261122T221500-"))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("keep %d: %q, want %q", tt.keep, got, tt.want)
		}
	}
}
