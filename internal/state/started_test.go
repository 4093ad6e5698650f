package state_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
)

func TestStartedUnits(t *testing.T) {
	const text = "opendmarc.service stop disable\nunbound.service disable\n"
	got := state.ParseStartedUnits([]byte(text))
	want := state.StartedUnits{"opendmarc.service": {state.Stop, state.Disable}, "unbound.service": {state.Disable}}
	if d := cmp.Diff(want, got); d != "" || string(got.Text()) != text {
		t.Errorf("%s\n%s", d, got.Text())
	}
	less := got.Without("unbound.service")
	if string(less.Text()) != "opendmarc.service stop disable\n" || len(got) != 2 {
		t.Errorf("%s, %v", less.Text(), got)
	}
	more := less.With("a.service", state.Stop)
	if string(more.Text()) != "a.service stop\nopendmarc.service stop disable\n" || len(less) != 1 {
		t.Errorf("%s, %v", more.Text(), less)
	}
	// Nothing but what gives a unit back.
	if got := state.ParseStartedUnits([]byte("a.service start restart\n\nb.service\n")); len(got) != 0 {
		t.Errorf("%v", got)
	}
}
