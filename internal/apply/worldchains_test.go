package apply_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// life is that of a whole server: its zone files and zones elsewhere, its maps, its
// daemons, and what they have loaded.
type life struct {
	t      *testing.T
	seed   uint64
	rnd    *rand.Rand
	m      *systemtest.Mem
	broken string // a content that makes a daemon unhappy, "" for none
	before map[string]string
	done   []string // runs that count, oldest first
	runs   int
	did    map[string]int
}

func newLife(t *testing.T, seed uint64, did map[string]int) *life {
	l := &life{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 12)), m: machine(), before: map[string]string{}, did: did}
	for _, name := range []string{"opendkim.service", "postfix.service", "named.service"} {
		l.m.RejectProbe(name, func(files map[state.Path]string) error {
			for _, content := range files {
				if l.broken != "" && strings.Contains(content, l.broken) {
					return errors.New("it does not answer")
				}
			}
			return nil
		})
	}
	l.reload()
	return l
}

// reload lets daemons read what stages without units have left for them.
func (l *life) reload() {
	l.broken = ""
	for _, name := range []string{"opendkim.service", "postfix.service", "named.service"} {
		if err := l.m.Act(context.Background(), name, state.Reload, ""); err != nil {
			l.t.Fatal(err)
		}
	}
}

// wish is some of the stages of the scenario, with other values each time.
func (l *life) wish() state.State {
	all := wanted().Stages
	if key := all[0].Files[0].Path; l.m.Files()[key].Kind != state.Absent {
		all[0].Files = nil // a key is made once
	}
	n := l.rnd.IntN(3)
	all[1].Files[0].Content = fmt.Appendf(nil, "example.org. 3600 IN TXT \"v=spf1 ip4:192.0.2.%d -all\"\n", n)
	policy := policyThere
	policy.Value = []string{"v=DMARC1; p=none", "v=DMARC1; p=quarantine", "v=DMARC1; p=reject"}[n]
	all[1].Updates = nil
	if has := l.m.Served("example.net."); len(has) != 1 || has[0] != policy {
		all[1].Updates = []state.Update{{Origin: "example.net.", Server: "192.0.2.53:53", KeyFile: "/etc/update.key", Add: []state.Record{policy}, Remove: has, Expected: has}}
	}
	all[3].Units = all[3].Units[:1] // a rollback leaves running what a run started
	all[3].Files[0].Content = fmt.Appendf(nil, "Mode %d\n", n)
	all[3].Files[1].Content = fmt.Appendf(nil, "k%d example.org:202611:/etc/keys\n", n)
	all[4].Edits = []state.Edit{state.AliasEdit{Path: "/etc/aliases", Set: []state.Setting{{Name: "root", Value: fmt.Sprintf("admin%d@example.org", n)}}}}
	all[5].Edits = []state.Edit{state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "milters", Value: fmt.Sprintf("unix:x%d", n)}}}}
	l.broken = ""
	refused := []string{fmt.Sprintf("unix:x%d", n), fmt.Sprintf("Mode %d", n)}[l.rnd.IntN(2)]
	if l.rnd.IntN(4) == 0 && !strings.Contains(look(l.t, l.m), refused) { // a daemon refuses what this run wants
		l.broken = refused
	}
	chosen := slices.DeleteFunc(all, func(state.Stage) bool { return l.rnd.IntN(3) == 0 })
	return state.State{Stages: chosen}
}

// run applies a plan with a fault, or without, and looks at the whole server afterwards.
func (l *life) run(p plan.Plan, fault systemtest.Fault) bool {
	l.t.Helper()
	l.runs++
	id := fmt.Sprintf("%04d", l.runs)
	start := look(l.t, l.m)
	f := &systemtest.Faulty{System: l.m, Fault: fault}
	if fault != systemtest.NoFault {
		f.At = 1 + l.rnd.IntN(120)
	}
	var err error
	if systemtest.Survive(func() { _, err = runOn(context.Background(), f, p, id) }) {
		l.did["killed"]++
		if err := recoverOn(l.m); err != nil {
			l.t.Fatalf("seed %d, run %s killed at %d (%s): %v", l.seed, id, f.At, f.Last, err)
		}
		if all := history(l.t, l.m); len(all) == 0 || !strings.HasSuffix(all[len(all)-1].ID, id) || all[len(all)-1].Status != apply.Done {
			err = apply.ErrInterrupted
		}
	}
	not := &apply.NotUndoneError{}
	if errors.As(err, &not) { // the fault hit the undo
		if err := recoverOn(l.m); err != nil {
			l.t.Fatalf("seed %d, run %s: %v", l.seed, id, err)
		}
	}
	nothingOpen(l.t, l.m, f)
	if err == nil {
		l.did["done"]++
		l.reload()
		l.before[apply.NewID(clock(), id)] = start
		l.done = append(l.done, apply.NewID(clock(), id))
		return true
	}
	l.did["taken back"]++
	if got := look(l.t, l.m); got != start {
		l.t.Fatalf("seed %d, run %s, %s at %d (%s), after %v:\n%s\nwant\n%s", l.seed, id, f.Fault, f.At, f.Last, err, got, start)
	}
	return false
}

// rollBack takes back the last runs at once.
func (l *life) rollBack(fault systemtest.Fault) {
	l.t.Helper()
	if len(l.done) == 0 {
		return
	}
	ids := l.done[len(l.done)-1-l.rnd.IntN(min(3, len(l.done))):]
	runs := slices.DeleteFunc(history(l.t, l.m), func(e apply.Entry) bool { return !slices.Contains(ids, e.ID) })
	want := l.before[ids[0]]
	p, err := apply.InverseAll(context.Background(), runs, l.m)
	if err != nil {
		l.t.Fatalf("seed %d: inverse of %q: %v", l.seed, ids, err)
	}
	l.broken = ""
	if p.Empty() || !l.run(p, fault) {
		return
	}
	if got := look(l.t, l.m); got != want {
		l.t.Fatalf("seed %d: %q taken back:\n%s\nwant\n%s", l.seed, ids, got, want)
	}
	l.did["rolled back"]++
}

// Whatever a server lives through (runs that succeed, fail, meet a daemon that refuses,
// or are killed, and runs that are taken back, which may fail as well): it is always as
// before a run or as after it, with its zones, its maps, and what its daemons have
// loaded.
func TestLivesOfAServer(t *testing.T) {
	did := map[string]int{}
	for seed := range uint64(30) {
		l := newLife(t, seed, did)
		for range 12 {
			fault := []systemtest.Fault{
				systemtest.NoFault, systemtest.NoFault, systemtest.ErrorBefore, systemtest.ErrorAfter, systemtest.CrashBefore, systemtest.CrashAfter,
			}[l.rnd.IntN(6)]
			if l.rnd.IntN(4) == 0 {
				l.rollBack(fault)
				continue
			}
			if p := planFor(t, l.m, l.wish()); !p.Empty() {
				l.run(p, fault)
			}
		}
	}
	t.Logf("%v", did)
	for what, least := range map[string]int{"done": 80, "taken back": 60, "killed": 30, "rolled back": 20} {
		if did[what] < least {
			t.Errorf("%s only %d times: the lives prove little", what, did[what])
		}
	}
}
