package plan_test

import (
	"context"
	"slices"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// A unit that is due is acted on also if no file changes, and once: where another
// stage acts on it, that is enough.
func TestUnitsThatAreDue(t *testing.T) {
	due := state.Stage{Name: "Daemons", Units: []state.Unit{
		{Name: "d.service", Action: state.Enable, Always: true},
		{Name: "d.service", Action: state.Start, Always: true},
		{Name: "e.service", Action: state.Reload},
	}}
	file := func(content string) state.Stage {
		return state.Stage{Name: "D", Files: []state.File{ours("/etc/d.conf", content)}, Units: []state.Unit{{Name: "d.service", Action: state.Reload}}}
	}
	for _, tt := range []struct {
		name    string
		content string
		want    []string
	}{
		{"no file changes", "old\n", []string{"Daemons: enable d.service", "Daemons: start d.service"}},
		{"a file changes", "new\n", []string{"D: modify /etc/d.conf", "D: reload d.service", "Daemons: enable d.service"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := server()
			m.PutFile("/etc/d.conf", "old\n")
			rec := plan.FileHashes{"/etc/d.conf": plan.Hash([]byte("old\n"))}
			p, err := plan.Make(context.Background(), stages(file(tt.content), due), m, rec)
			if err != nil {
				t.Fatal(err)
			}
			if got := brief(p); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
