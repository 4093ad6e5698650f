package machine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// Whatever the clock of a machine does between runs, they are listed, taken back and
// forgotten in the order in which they were.
func TestClockJumps(t *testing.T) {
	mem := systemtest.NewMem()
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	clock := []time.Time{year(2026), year(2040), year(1970), year(1970), year(2026), year(2027), year(2041), year(2026)}
	var want []string
	var j *apply.Journal
	for i, now := range clock {
		m := machine.New(mem, nil, machine.Options{Command: fmt.Sprint("run ", i), Clock: func() time.Time { return now }})
		before, after := state.Object{}, state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root}
		p := plan.Plan{Stages: []plan.StageChanges{{Name: "A", Changes: []plan.Change{
			{Op: plan.Create, Path: state.Path(fmt.Sprintf("/etc/%d", i)), Before: before, After: after},
		}}}}
		if i == 0 {
			mem.Put("/etc/there", after)
		}
		j = m.Journal
		if _, err := apply.Run(t.Context(), mem, p, j, m.ApplyOptions()); err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprint("run ", i))
	}
	listed := func() (commands []string) {
		t.Helper()
		all, err := j.History()
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range all {
			commands = append(commands, e.Command)
			if n := strings.TrimPrefix(e.Command, "run "); !e.Started.Equal(clock[n[0]-'0']) {
				t.Errorf("%s began %v", e.Command, e.Started)
			}
			if i > 0 && all[i-1].ID >= e.ID {
				t.Errorf("%s comes before %s", all[i-1].ID, e.ID)
			}
		}
		return commands
	}
	if got := listed(); !slices.Equal(got, want) {
		t.Errorf("listed %q", got)
	}
	if err := j.Prune(3); err != nil {
		t.Fatal(err)
	}
	if got := listed(); !slices.Equal(got, want[5:]) {
		t.Errorf("left %q", got)
	}
}
