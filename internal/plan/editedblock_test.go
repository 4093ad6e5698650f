package plan_test

import (
	"context"
	"testing"

	"mailsetup/internal/edits"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Lines of ours that somebody edited are drift, as a whole file is: the plan would write them
// anew, or take them out.
func TestAnEditedBlockIsDrift(t *testing.T) {
	e := state.BlockEdit{Path: "/etc/x", Name: "SPF", Lines: []string{"a = b"}, Stamp: true}
	written, err := edits.Block(e, []byte("x\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, drop := range []bool{false, true} {
		m := systemtest.NewMem()
		m.PutFile("/etc/x", "x\n# mailsetup: SPF\na = c\n"+string(written[len("x\n# mailsetup: SPF\na = b\n"):]))
		e.Drop = drop
		p, err := plan.Make(context.Background(), stages(state.Stage{Name: "S", Edits: []state.Edit{e}}), m, nil)
		if err != nil || len(p.Drift) != 1 || len(p.Stages) == 0 {
			t.Fatalf("drop %v: drift %v, %v", drop, p.Drift, err)
		}
		if got := p.Drift[0].String(); got != "/etc/x: lines of mailsetup (SPF) were edited by hand" || p.Drift[0].Foreign() {
			t.Errorf("drift %s", got)
		}
		want := map[bool]string{false: string(written), true: "x\n"}[drop]
		var got string
		for _, st := range p.Stages {
			for _, c := range st.Changes {
				if c.Path == "/etc/x" {
					got = string(c.After.Content)
				}
			}
		}
		if got != want {
			t.Errorf("drop %v: %q, want %q", drop, got, want)
		}
	}
}
