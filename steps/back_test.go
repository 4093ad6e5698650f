package steps_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps/steptest"
)

// What an undo takes out of a zone has to be gone, and what it changed back,
// before the run says so.
func TestTheNameServerIsAskedOnTheWayBack(t *testing.T) {
	unit := steptest.Stage(t, steptest.Build(t, steptest.Bare()), "Zone").Units[0]
	forth, back := unit.Settled[1], unit.Back[0]
	if back.Kind != state.ProbeServed || back.Origin != "lab.example." || len(back.Records) != 0 || len(back.Gone) < 4 {
		t.Errorf("on the way back %+v", back)
	}
	if diff := cmp.Diff(forth.Records, back.Gone); diff != "" {
		t.Errorf("served forth and gone back differ: %s", diff)
	}
}
