package apply_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// neverUp is a server whose OpenDKIM works and is starting for ever with the
// configuration that it has.
func neverUp() *systemtest.Mem {
	m := machine()
	m.NeverUp("opendkim.service", func(files map[state.Path]string) error {
		if files["/etc/opendkim.conf"] == "Mode v\n" {
			return system.ErrJobTimeout
		}
		return nil
	})
	return m
}

// What was not up before a run need not come up again when it is taken back: it is
// as it was then.
func TestBackToAUnitThatWasNeverUp(t *testing.T) {
	m := neverUp()
	start := look(t, m)
	if !strings.Contains(start, "opendkim.service activating") {
		t.Fatal(start)
	}
	if _, err := runOn(context.Background(), m, planFor(t, m, wanted()), "a"); err != nil {
		t.Fatal(err)
	}
	if got := look(t, m); !strings.Contains(got, "opendkim.service active ") {
		t.Fatalf("after the run:\n%s", got)
	}
	rollBack(t, m, 0, "b")
	files := func(look string) string { return look[:strings.Index(look, "opendkim.service")] }
	got := look(t, m)
	if files(got) != files(start) || !strings.Contains(got, "opendkim.service activating") || m.Loaded("opendkim.service")["/etc/opendkim.conf"] != "Mode v\n" {
		t.Errorf("rolled back:\n%s\nwant\n%s", got, start)
	}

	m = neverUp()
	brokenProbe(m)
	_, err := runOn(context.Background(), m, planFor(t, m, wanted()), "a")
	if failed := (*apply.FailedError)(nil); !errors.As(err, &failed) {
		t.Errorf("a failed run: %T %v", err, err)
	}
	if open, err := apply.NewJournal(m, apply.JournalDir).Open(); open != nil || err != nil {
		t.Errorf("it stays open: %v, %v", open, err)
	}
	if got := look(t, m); files(got) != files(start) || !strings.Contains(got, "opendkim.service activating") {
		t.Errorf("taken back:\n%s\nwant\n%s", got, start)
	}
}

// acts is a machine that notes how OpenDKIM is acted on, and how long programs may run.
type acts struct {
	*systemtest.Mem
	opendkim []state.UnitAction
	within   []time.Duration
	fails    error // of each action on OpenDKIM
}

func (a *acts) Act(ctx context.Context, unit string, action state.UnitAction, wake state.Path) error {
	if unit != "opendkim.service" || action.AtBoot() {
		return a.Mem.Act(ctx, unit, action, wake)
	}
	a.opendkim = append(a.opendkim, action)
	if a.fails != nil {
		return a.fails
	}
	return a.Mem.Act(ctx, unit, action, wake)
}

func (a *acts) Run(ctx context.Context, c system.Command) (system.Result, error) {
	a.within = append(a.within, c.Within)
	return a.Mem.Run(ctx, c)
}

// systemd reloads only what is up: what is starting is restarted.
func TestReloadOfAUnitThatIsStarting(t *testing.T) {
	m := &acts{Mem: neverUp()}
	brokenProbe(m.Mem)
	p := planFor(t, m.Mem, wanted())
	for i := range p.Stages {
		for j, u := range p.Stages[i].Units {
			if u.Name == "opendkim.service" && u.Action == state.Restart {
				p.Stages[i].Units[j].Action, p.Stages[i].Units[j].Starting = state.Reload, true
			}
		}
	}
	_, err := runOn(context.Background(), m, p, "a")
	if failed := (*apply.FailedError)(nil); !errors.As(err, &failed) {
		t.Errorf("%T %v", err, err)
	}
	if len(m.opendkim) < 2 || slices.Contains(m.opendkim, state.Reload) {
		t.Errorf("actions on a unit that is starting: %q", m.opendkim)
	}
	if len(m.within) == 0 || slices.Min(m.within) < 10*time.Minute {
		t.Errorf("time for programs that make tables: %v", m.within)
	}

	m = &acts{Mem: neverUp(), fails: errors.New("access denied")}
	p = planFor(t, m.Mem, wanted())
	for i := range p.Stages {
		for j := range p.Stages[i].Units {
			p.Stages[i].Units[j].Starting = true
		}
	}
	if _, err := runOn(context.Background(), m, p, "a"); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("an error that is not about time: %v", err)
	}
}
