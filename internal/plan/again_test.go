package plan_test

import (
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// A plan holds neither the content of a file that is made nor the one that it replaces. Both
// are there when they are needed, unless the file was changed meanwhile.
func TestContentsThatAPlanDoesNotHold(t *testing.T) {
	m := systemtest.NewMem()
	m.Put("/var", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	m.PutFile("/var/ledger", "old\n")
	file := func(text string) state.File {
		return state.File{Path: "/var/ledger", Mode: 0o644, Owner: state.Root, AdminOwned: true, Make: func() []byte { return []byte(text) }}
	}
	p, err := plan.Make(t.Context(), state.State{Stages: []state.Stage{
		{Name: "Before", Files: []state.File{file("between\n")}}, {Name: "After", Files: []state.File{file("new\n")}},
	}}, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := func(o state.Object) string {
		if o.Content != nil {
			t.Errorf("%q is held", o.Content)
		}
		b, err := o.Bytes()
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	var changes []plan.Change
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			if c.Path == "/var/ledger" {
				changes = append(changes, c)
			}
		}
	}
	if len(changes) != 2 {
		t.Fatalf("changes %v", changes)
	}
	for i, want := range [][2]string{{"old\n", "between\n"}, {"between\n", "new\n"}} {
		if c := changes[i]; c.Op != plan.Modify || said(c.Before) != want[0] || said(c.After) != want[1] {
			t.Errorf("%s from %q to %q", c.Op, said(c.Before), said(c.After))
		}
	}
	const diff = "--- /var/ledger\n+++ /var/ledger\n@@ -1 +1 @@\n-old\n+between\n"
	if got := plan.Diff("/var/ledger", changes[0].Before, changes[0].After); got != diff {
		t.Errorf("difference %q", got)
	}
	m.PutFile("/var/ledger", "by hand\n")
	const changed = "a content is not what it was when the plan was made\nhint: run the command again"
	if got := said(changes[0].Before); got != changed {
		t.Errorf("changed meanwhile: %q", got)
	}
	if got := plan.Diff("/var/ledger", changes[0].Before, changes[0].After); got != "not shown: "+changed+"\n" {
		t.Errorf("difference %q", got)
	}
}

// What is there already is not planned, made or not.
func TestMadeContentsThatAreThere(t *testing.T) {
	m := systemtest.NewMem()
	m.PutFile("/ledger", "same\n")
	for text, want := range map[string]int{"same\n": 0, "other\n": 1} {
		f := state.File{Path: "/ledger", Mode: 0o644, Owner: state.Root, AdminOwned: true, Make: func() []byte { return []byte(text) }}
		p, err := plan.Make(t.Context(), state.State{Stages: []state.Stage{{Name: "Ledger", Files: []state.File{f}}}}, m, nil)
		n := 0
		for _, at := range p.Paths() {
			if at == "/ledger" {
				n++
			}
		}
		if err != nil || n != want {
			t.Errorf("%q: %d changes, want %d; %v", text, n, want, err)
		}
	}
}
