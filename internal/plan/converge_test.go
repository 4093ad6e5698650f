package plan_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// carryOut makes the changes of a plan true, as apply does, without undo, and
// programs that make files again.
func carryOut(t *testing.T, m *systemtest.Mem, p plan.Plan) {
	t.Helper()
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			now, _ := m.Read(c.Path)
			if now.Kind != c.Before.Kind || string(now.Content) != string(c.Before.Content) || now.Mode != c.Before.Mode || now.Owner != c.Before.Owner {
				t.Fatalf("%s: %s is %v before its change, the plan says %v", st.Name, c.Path, now, c.Before)
			}
			var err error
			switch c.Op {
			case plan.Mkdir:
				err = m.Mkdir(c.Path, c.After)
			case plan.Create:
				err = m.Create(c.Path, c.After)
			case plan.Modify:
				m.Put(c.Path, c.After)
			case plan.Meta:
				err = m.SetMeta(c.Path, c.After)
			case plan.Remove:
				err = m.Remove(c.Path)
			default:
				t.Fatalf("%s: %s has the operation %q", st.Name, c.Path, c.Op)
			}
			if err != nil {
				t.Fatalf("%s: %v", st.Name, err)
			}
		}
		for _, d := range st.Derived {
			from, _ := m.Read(d.From)
			m.PutFile(d.Path, "made from "+string(from.Content))
		}
	}
}

// randomWish returns stages that want each path in at most one way, and a
// machine on which some of it is true, some is not, and some is in no way ours.
func randomWish(rnd *rand.Rand) (state.State, *systemtest.Mem, plan.FileHashes) {
	m := server()
	hashes := plan.FileHashes{}
	owners := []state.Owner{state.Root, {User: "opendkim", Group: "postfix"}}
	modes := []fs.FileMode{0o600, 0o640, 0o644}
	var want state.State
	for s := range 1 + rnd.IntN(4) {
		st := state.Stage{Name: fmt.Sprintf("S%d", s), Units: []state.Unit{{Name: fmt.Sprintf("d%d.service", s), Action: state.Reload}}}
		dir := state.Path(fmt.Sprintf("/etc/s%d", s))
		wanted := state.Dir{Path: dir, Mode: fs.ModeSetgid | 0o750, Owner: owners[rnd.IntN(2)]}
		st.Dirs = append(st.Dirs, wanted)
		there := rnd.IntN(2) == 0
		if there {
			m.Put(dir, state.Object{Kind: state.Directory, Mode: []fs.FileMode{0o755, fs.ModeSetgid | 0o750}[rnd.IntN(2)], Owner: owners[rnd.IntN(2)]})
		}
		for i := range rnd.IntN(6) {
			at := dir.Join(fmt.Sprintf("f%d", i))
			content := fmt.Sprintf("content %d\n", rnd.IntN(2))
			mode, owner := modes[rnd.IntN(3)], owners[rnd.IntN(2)]
			if there && rnd.IntN(3) > 0 {
				old := fmt.Sprintf("content %d\n", rnd.IntN(3))
				m.Put(at, state.Object{Kind: state.Regular, Mode: modes[rnd.IntN(3)], Owner: owners[rnd.IntN(2)], Content: []byte(old)})
				if rnd.IntN(2) == 0 {
					hashes[at] = plan.Hash([]byte(old))
				}
			}
			now, _ := m.Read(at)
			switch rnd.IntN(5) {
			case 0:
				st.Remove = append(st.Remove, at)
			case 1:
				st.Discard = append(st.Discard, at)
			case 2:
				if now.Kind == state.Regular {
					st.Metas = append(st.Metas, state.Meta{Path: at, Mode: mode, Owner: owner})
				}
			default:
				st.Files = append(st.Files, state.File{Path: at, Mode: mode, Owner: owner, Content: []byte(content), AdminOwned: rnd.IntN(4) == 0})
				if rnd.IntN(2) == 0 {
					st.Derived = append(st.Derived, state.Derived{Path: at + ".db", From: at, Argv: []string{"postmap", string(at)}})
				}
			}
		}
		want.Stages = append(want.Stages, st)
	}
	if len(hashes) > 0 {
		m.Put(plan.HashesFile, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: hashes.Marshal()})
	}
	return want, m, hashes
}

// hashesOn reads the hashes as the next run finds them.
func hashesOn(t *testing.T, m *systemtest.Mem) plan.FileHashes {
	t.Helper()
	o, _ := m.Read(plan.HashesFile)
	hashes, err := plan.ParseFileHashes(o.Content)
	if err != nil {
		t.Fatal(err)
	}
	return hashes
}

// A plan that was carried out leaves nothing to do, changes nothing that is right
// already, and knows what it wrote; so a second run is quiet on every machine.
func TestAPlanConverges(t *testing.T) {
	for seed := range uint64(400) {
		rnd := rand.New(rand.NewPCG(seed, 25))
		want, m, hashes := randomWish(rnd)
		first, err := plan.Make(context.Background(), want, m, hashes)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if n := len(m.Trace()); n > 0 {
			t.Fatalf("seed %d: planning wrote %d times", seed, n)
		}
		for _, st := range first.Stages {
			for _, c := range st.Changes {
				if plan.OpOf(c.Before, c.After) != c.Op {
					t.Fatalf("seed %d: %s is called %q, and is %q", seed, c.Path, c.Op, plan.OpOf(c.Before, c.After))
				}
			}
		}
		carryOut(t, m, first)
		second, err := plan.Make(context.Background(), want, m, hashesOn(t, m))
		if err != nil || !second.Empty() || len(second.Drift) > 0 {
			t.Fatalf("seed %d: the second run wants %q, drift %v, %v", seed, brief(second), second.Drift, err)
		}
		checkWishes(t, seed, want, m)
	}
}

// checkWishes looks at the machine itself, not at another plan.
func checkWishes(t *testing.T, seed uint64, want state.State, m *systemtest.Mem) {
	t.Helper()
	hashes := hashesOn(t, m)
	for _, st := range want.Stages {
		for _, f := range st.Files {
			o, _ := m.Read(f.Path)
			if string(o.Content) != string(f.Content) || o.Mode != f.Mode || o.Owner != f.Owner {
				t.Errorf("seed %d: %s is %v %s %q, wanted %v %s %q", seed, f.Path, o.Mode, o.Owner, o.Content, f.Mode, f.Owner, f.Content)
			}
			if known := hashes[f.Path] == plan.Hash(f.Content); !known && !f.AdminOwned {
				t.Errorf("seed %d: the hash of %s was not kept", seed, f.Path)
			}
		}
		for _, gone := range slices.Concat(st.Remove, st.Discard) {
			if o, _ := m.Read(gone); o.Kind != state.Absent || hashes[gone] != "" {
				t.Errorf("seed %d: %s is still there or known", seed, gone)
			}
		}
		for _, d := range st.Derived {
			from, _ := m.Read(d.From)
			if made, _ := m.Read(d.Path); string(made.Content) != "made from "+string(from.Content) {
				t.Errorf("seed %d: %s is %q, which is not of the last %s", seed, d.Path, made.Content, d.From)
			}
		}
	}
}

// The same question has the same answer: nothing in a plan depends on the order
// of a map, and a plan differs from itself in nothing.
func TestAPlanIsTheSameEachTime(t *testing.T) {
	for seed := range uint64(100) {
		want, m, hashes := randomWish(rand.New(rand.NewPCG(seed, 25)))
		a, err := plan.Make(context.Background(), want, m, hashes)
		if err != nil {
			t.Fatal(err)
		}
		b, err := plan.Make(context.Background(), want, m, hashes)
		if err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d: two plans of one wish differ (%v)", seed, err)
		}
		if d := plan.Differences(a, b, nil); d != nil {
			t.Errorf("seed %d: differences %q", seed, d)
		}
		if u := plan.Unannounced(a, b); u != nil {
			t.Errorf("seed %d: unannounced %q", seed, u)
		}
	}
}

// Drift is what somebody else wrote, and only that: every file of ours that the
// plan replaces, or takes away, is either as it was left or spoken of.
func TestNothingForeignIsReplacedInSilence(t *testing.T) {
	spoken := 0
	for seed := range uint64(400) {
		want, m, hashes := randomWish(rand.New(rand.NewPCG(seed, 25)))
		p, err := plan.Make(context.Background(), want, m, hashes)
		if err != nil {
			t.Fatal(err)
		}
		admins := map[state.Path]bool{plan.HashesFile: true}
		for _, st := range want.Stages {
			for _, f := range st.Files {
				admins[f.Path] = admins[f.Path] || f.AdminOwned
			}
			for _, at := range st.Discard {
				admins[at] = true
			}
		}
		drifted := map[state.Path]bool{}
		for _, d := range p.Drift {
			drifted[d.Path] = true
		}
		spoken += len(drifted)
		for _, st := range p.Stages {
			for _, c := range st.Changes {
				if c.Op != plan.Modify && c.Op != plan.Remove || c.Before.Kind != state.Regular || admins[c.Path] {
					continue
				}
				if foreign := hashes[c.Path] != plan.Hash(c.Before.Content); foreign != drifted[c.Path] {
					t.Errorf("seed %d: %s %s: foreign %v, spoken of %v", seed, c.Op, c.Path, foreign, drifted[c.Path])
				}
			}
		}
	}
	if spoken < 100 {
		t.Errorf("only %d files had been edited: the wishes prove nothing", spoken)
	}
}
