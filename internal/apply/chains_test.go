package apply_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// chain is the life of one machine: runs that succeed, fail or are killed, runs
// that are taken back, and somebody who edits files by hand. It keeps what the
// machine looked like before each run that counts as done.
type chain struct {
	t      *testing.T
	seed   uint64
	rnd    *rand.Rand
	m      *systemtest.Mem
	before map[string]string // tree before a run, by its ID
	runs   int
	did    map[string]int // what happened how often
}

var chainPaths = []state.Path{"/etc/c/a", "/etc/c/b", "/etc/c/d/one", "/etc/c/d/two", "/etc/c/e/three"}

func newChain(t *testing.T, seed uint64, did map[string]int) *chain {
	m := systemtest.NewMem()
	m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	m.PutFile("/etc/c/a", "as installed\n")
	m.Unit("d.service", "/etc/c/")
	return &chain{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 11)), m: m, before: map[string]string{}, did: did}
}

// tree is the machine without our own memory, which grows.
func (c *chain) tree() string {
	return systemtest.Tree(c.m.Files(), within(plan.OwnDir))
}

// wish draws what a run is to make true of the chain's paths.
func (c *chain) wish() state.State {
	owners := []state.Owner{state.Root, dkim}
	var stages []state.Stage
	for s := range 1 + c.rnd.IntN(3) {
		st := state.Stage{
			Name:  fmt.Sprintf("S%d", s),
			Units: []state.Unit{{Name: "d.service", Action: state.Reload, Probes: []state.Probe{{Kind: state.ProbeActive, Unit: "d.service"}}}},
		}
		for _, at := range chainPaths {
			switch c.rnd.IntN(5) {
			case 0, 1:
				if dir := at.Dir(); dir != "/etc/c" && !slices.ContainsFunc(st.Dirs, func(d state.Dir) bool { return d.Path == dir }) {
					st.Dirs = append(st.Dirs, state.Dir{Path: dir, Mode: 0o750, Owner: owners[c.rnd.IntN(2)]})
				}
				st.Files = append(st.Files, state.File{
					Path: at, Mode: []fs.FileMode{0o600, 0o644}[c.rnd.IntN(2)], Owner: owners[c.rnd.IntN(2)],
					Content: fmt.Appendf(nil, "text %d\n", c.rnd.IntN(3)), AdminOwned: true,
				})
			case 2:
				st.Discard = append(st.Discard, at)
			}
		}
		if c.rnd.IntN(3) == 0 {
			st.Discard = append(st.Discard, "/etc/c/d", "/etc/c/e")
		}
		stages = append(stages, st)
	}
	return state.State{Stages: stages}
}

// id names the next run; names sort in the order of runs.
func (c *chain) id() string {
	c.runs++
	return fmt.Sprintf("%04d", c.runs)
}

func (c *chain) done() []apply.Entry {
	return slices.DeleteFunc(history(c.t, c.m), func(e apply.Entry) bool { return e.Status != apply.Done })
}

func (c *chain) fatalf(format string, args ...any) {
	c.t.Helper()
	var list []string
	for _, e := range history(c.t, c.m) {
		list = append(list, fmt.Sprintf("%s %s", e.ID, e.Status))
	}
	c.t.Fatalf("seed %d, run %d: %s\nhistory: %s", c.seed, c.runs, fmt.Sprintf(format, args...), strings.Join(list, ", "))
}

// run applies a plan, with a fault at some operation if there is to be one, and
// reports whether it counts as done.
func (c *chain) run(p plan.Plan, fault systemtest.Fault) bool {
	c.t.Helper()
	start, id := c.tree(), c.id()
	f := &systemtest.Faulty{System: c.m, Fault: fault}
	if fault != systemtest.NoFault {
		f.At = 1 + c.rnd.IntN(60)
	}
	var err error
	if systemtest.Survive(func() { _, err = runOn(context.Background(), f, p, id) }) {
		c.did["killed"]++
		if err := recoverOn(c.m); err != nil {
			c.fatalf("recover: %v", err)
		}
		err = apply.ErrInterrupted
		if all := history(c.t, c.m); len(all) > 0 {
			if last := all[len(all)-1]; strings.HasSuffix(last.ID, id) && last.Status == apply.Done {
				err = nil
			}
		}
	}
	if open, jerr := apply.NewJournal(c.m, apply.JournalDir).Open(); jerr != nil || open != nil {
		c.fatalf("the journal is open: %v, %v", open, jerr)
	}
	if err != nil {
		c.did["taken back"]++
		if got := c.tree(); got != start {
			c.fatalf("after %v (%s at %d, %s) the machine is\n%s\nwant\n%s", err, fault, f.At, f.Last, got, start)
		}
		return false
	}
	c.did["done"]++
	c.before[apply.NewID(clock(), id)] = start
	return true
}

// fault draws what goes wrong in a run: nothing in most.
func (c *chain) fault() systemtest.Fault {
	return []systemtest.Fault{
		systemtest.NoFault, systemtest.NoFault, systemtest.ErrorBefore, systemtest.ErrorAfter, systemtest.CrashBefore, systemtest.CrashAfter,
	}[c.rnd.IntN(6)]
}

// wishAgain plans something new and runs it.
func (c *chain) wishAgain() {
	c.t.Helper()
	want := c.wish()
	p, err := plan.Make(context.Background(), want, c.m, nil)
	if err != nil {
		return // a directory that is to hold a file is not wanted: nothing was touched
	}
	if p.Empty() {
		return
	}
	c.run(p, c.fault())
}

// rollBack takes back the last runs, some that are rollbacks themselves among
// them, and compares with what was there before the first of them.
func (c *chain) rollBack() {
	c.t.Helper()
	done := c.done()
	if len(done) == 0 {
		return
	}
	runs := done[len(done)-1-c.rnd.IntN(min(len(done), 4)):]
	want := c.before[runs[0].ID]
	p, err := apply.InverseAll(context.Background(), runs, c.m)
	if err != nil {
		c.fatalf("inverse of %d: %v", len(runs), err)
	}
	if p.Empty() {
		return // they cancel out
	}
	if !c.run(p, c.fault()) {
		return
	}
	if got := c.tree(); got != want {
		c.fatalf("%d runs taken back:\n%s\nwant\n%s", len(runs), got, want)
	}
	c.did["rolled back"]++
}

// edit changes a file by hand: the last run that touched it is not taken back
// over that, and the refusal changes nothing. Then the edit is taken out again.
func (c *chain) edit() {
	c.t.Helper()
	done := c.done()
	if len(done) == 0 {
		return
	}
	last := done[len(done)-1]
	for _, at := range last.Paths {
		o, _ := c.m.Read(at)
		if o.Kind != state.Regular || within(plan.OwnDir)(at) {
			continue
		}
		edited := o
		if c.rnd.IntN(2) == 0 {
			edited.Content = append(slices.Clone(o.Content), "mine\n"...)
		} else {
			edited.Mode ^= 0o040
		}
		c.m.Put(at, edited)
		start := c.tree()
		_, err := apply.Inverse(context.Background(), last, c.m)
		if err == nil || !strings.HasSuffix(err.Error(), "changed since: "+string(at)) {
			c.fatalf("%s was edited: %v", at, err)
		}
		if c.tree() != start {
			c.fatalf("the refusal touched the machine")
		}
		c.m.Put(at, o)
		c.did["edited"]++
		return
	}
}

// Whatever runs, fails, is killed, is taken back and is edited in whatever order:
// each ending is the machine as it was before, or as it should be, byte for byte,
// and the journal is closed.
func TestChainsOfRuns(t *testing.T) {
	did := map[string]int{}
	for seed := range uint64(25) {
		c := newChain(t, seed, did)
		for range 25 {
			switch c.rnd.IntN(5) {
			case 0:
				c.rollBack()
			case 1:
				c.edit()
			default:
				c.wishAgain()
			}
		}
	}
	t.Logf("%v", did)
	for what, least := range map[string]int{"done": 150, "taken back": 50, "killed": 50, "rolled back": 25, "edited": 50} {
		if did[what] < least {
			t.Errorf("%s only %d times: the chains prove little", what, did[what])
		}
	}
}

// A plan is applied once: the second time the machine is not as it says, and
// nothing is touched.
func TestAPlanIsGoodForOneRun(t *testing.T) {
	for seed := range uint64(40) {
		c := newChain(t, seed, map[string]int{})
		p, err := plan.Make(context.Background(), c.wish(), c.m, nil)
		if err != nil || p.Empty() {
			continue
		}
		c.run(p, systemtest.NoFault)
		after := c.tree()
		_, err = runOn(context.Background(), c.m, p, "again")
		var stale *apply.StalePlanError
		if !errors.As(err, &stale) || c.tree() != after {
			c.fatalf("applied twice: %v", err)
		}
	}
}
