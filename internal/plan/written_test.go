package plan_test

import (
	"context"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// What is left for the administrator is printed so that it can be pasted as it
// stands: records at the margin, commands whole, prose between words.
func TestNotesAreWrittenToBePasted(t *testing.T) {
	var out strings.Builder
	plan.WriteNotes(&out, []state.Note{
		{Topic: "ptr", Text: "the hosting company sets the reverse record of 192.0.2.10, which other servers compare with the name of this one"},
		{Topic: "dmarc", Text: "nobody reads the reports", Action: "mailsetup init --rua ADDRESS"},
		{Topic: "dns", Text: "publish these records of lab.example", Action: "lab.example. 3600 IN TXT \"v=spf1 mx -all\"\n_dmarc.lab.example. 3600 IN TXT \"v=DMARC1; p=none\"\n"},
		{Topic: "aliases", Text: "Postfix reads none", Action: "postalias hash:/etc/aliases && postconf -e 'alias_maps = hash:/etc/aliases' && postfix reload"},
	})
	const want = `  * ptr: the hosting company sets the reverse record of 192.0.2.10, which
    other servers compare with the name of this one
  * dmarc: nobody reads the reports
      mailsetup init --rua ADDRESS
  * dns: publish these records of lab.example

lab.example. 3600 IN TXT "v=spf1 mx -all"
_dmarc.lab.example. 3600 IN TXT "v=DMARC1; p=none"

  * aliases: Postfix reads none
      postalias hash:/etc/aliases &&
      postconf -e 'alias_maps = hash:/etc/aliases' && postfix reload
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// Commands in notes get sudo for whoever needs it; records to paste stay as they are,
// and so do the notes that were given.
func TestNotesOfSomebodyWhoIsNotRoot(t *testing.T) {
	given := []state.Note{
		{Topic: "dmarc", Text: "nobody reads the reports", Action: "mailsetup init --rua ADDRESS"},
		{Topic: "dns", Text: "publish", Action: "a.example. TXT \"x\"\nmailsetup.example. TXT \"y\"\n"},
		{Topic: "ptr", Text: "ask for it"},
	}
	for root, want := range map[bool]string{true: "mailsetup init --rua ADDRESS", false: "sudo mailsetup init --rua ADDRESS"} {
		got := plan.Typed(given, hint.TypedAs([]string{"mailsetup", "init"}, root))
		if got[0].Action != want || got[1] != given[1] || got[2] != given[2] {
			t.Errorf("root %v: %+v", root, got)
		}
	}
	if given[0].Action != "mailsetup init --rua ADDRESS" {
		t.Errorf("the notes that were given are now %+v", given)
	}
	short := plan.OneLineNotes(given)
	if len(short) != 2 || short[0].Topic != "dmarc" || short[1].Topic != "ptr" || len(given) != 3 {
		t.Errorf("on the screen: %+v", short)
	}
}

// A file that somebody edited is told from one that was there before mailsetup.
func TestDriftSaysWhoWroteIt(t *testing.T) {
	m := server()
	m.PutFile("/etc/before.conf", "theirs\n")
	p, err := plan.Make(context.Background(), stages(state.Stage{Name: "A", Files: []state.File{
		ours("/etc/before.conf", "new\n"), ours("/etc/d.conf", "new\n"),
	}}), m, plan.FileHashes{"/etc/d.conf": plan.Hash([]byte("what we wrote\n"))})
	if err != nil || len(p.Drift) != 2 {
		t.Fatalf("drift %v, %v", p.Drift, err)
	}
	for i, want := range []string{"/etc/before.conf was not written by mailsetup", "/etc/d.conf is not as mailsetup left it"} {
		if d := p.Drift[i]; d.String() != want || d.Foreign() != (i == 0) || !strings.Contains(d.Diff, "+new") {
			t.Errorf("%s, foreign %v, with the difference\n%s", d, d.Foreign(), d.Diff)
		}
	}
}

// Validators look at the files of their stage as they will be: those that change, those
// that are right already, and the sources of what is made again.
func TestFilesForValidators(t *testing.T) {
	m := server()
	m.PutFile("/etc/right.conf", "right\n")
	m.PutFile("/etc/source", "source\n")
	p, err := plan.Make(context.Background(), stages(state.Stage{
		Name:    "A",
		Dirs:    []state.Dir{{Path: "/etc/d", Mode: 0o755, Owner: state.Root}},
		Files:   []state.File{ours("/etc/right.conf", "right\n"), ours("/etc/d.conf", "new\n")},
		Discard: []state.Path{"/etc/main.cf"},
		Derived: []state.Derived{{Path: "/etc/source.db", From: "/etc/source"}, {Path: "/etc/gone.db", From: "/etc/gone", Always: true}},
	}), m, plan.FileHashes{"/etc/d.conf": plan.Hash([]byte("old\n"))})
	if err != nil {
		t.Fatal(err)
	}
	files, err := p.Stages[0].Files(m)
	if err != nil {
		t.Fatal(err)
	}
	got := map[state.Path]string{}
	for at, o := range files {
		got[at] = string(o.Content)
	}
	want := map[state.Path]string{"/etc/right.conf": "right\n", "/etc/d.conf": "new\n", "/etc/source": "source\n"}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := p.Stages[0].Files(unreadable{m, "/etc/source"}); err == nil {
		t.Error("a file that cannot be read is left out")
	}
}

// The name of an operation follows from both objects, whatever they are, and what is the
// same has none.
func TestOperations(t *testing.T) {
	var objects []state.Object
	for _, kind := range []state.Kind{state.Absent, state.Regular, state.Directory} {
		for _, mode := range []fs.FileMode{0o600, 0o644} {
			for _, content := range []string{"a", "b"} {
				o := state.Object{Kind: kind, Mode: mode, Owner: state.Root}
				switch kind {
				case state.Absent:
					o = state.Object{}
				case state.Regular:
					o.Content = []byte(content)
				}
				objects = append(objects, o)
			}
		}
	}
	for _, a := range objects {
		for _, b := range objects {
			op := plan.OpOf(a, b)
			same := a.Kind == b.Kind && a.Mode == b.Mode && a.Owner == b.Owner && string(a.Content) == string(b.Content)
			switch {
			case same != (op == ""):
				t.Errorf("%v and %v: %q", a, b, op)
			case a.Kind == state.Absent && b.Kind != state.Absent && op != plan.Create && op != plan.Mkdir,
				b.Kind == state.Absent && a.Kind != state.Absent && op != plan.Remove:
				t.Errorf("%v becomes %v: %q", a, b, op)
			case op == plan.Meta && string(a.Content) != string(b.Content), op == plan.Modify && string(a.Content) == string(b.Content):
				t.Errorf("%v becomes %v: %q", a, b, op)
			}
		}
	}
}

// An edit that was announced by its settings may turn out to change owner or mode
// alone, and still makes no setting true that nobody spoke of.
func TestAnAnnouncedEditThatChangesTheModeOnly(t *testing.T) {
	before, after := regular("x\n"), regular("x\n")
	after.Mode = 0o600
	announced := one(plan.Change{Op: plan.Later, Path: "/etc/postfix/main.cf", Settings: []string{"a = 1"}})
	for settings, covered := range map[string]bool{"a = 1": true, "a = 2": false, "": false} {
		c := plan.Change{Op: plan.Meta, Path: "/etc/postfix/main.cf", Before: before, After: after}
		if settings != "" {
			c.Settings = []string{settings}
		}
		if got := plan.Unannounced(announced, one(c)); (got == nil) != covered {
			t.Errorf("%q: %q", settings, got)
		}
	}
}

// Of notes on ten thousand domains a few of each topic are said, in their order, with how
// many more there are; none is counted twice and none is lost from the number.
func TestLimitsOfNotes(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 74))
		var notes []state.Note
		count := map[string]int{}
		for i := range rnd.IntN(60) {
			topic := []string{"dns", "ptr", "mx"}[rnd.IntN(3)]
			count[topic]++
			notes = append(notes, state.Note{Topic: topic, Text: strings.Repeat("x", i+1)})
		}
		most := 1 + rnd.IntN(8)
		got := plan.LimitPerTopic(notes, most)
		said := map[string]int{}
		for _, n := range got {
			if n.Action == "--json lists them all" {
				continue
			}
			said[n.Topic]++
			if !slices.Contains(notes, n) {
				t.Errorf("seed %d: %+v was made up", seed, n)
			}
		}
		for topic, n := range count {
			if said[topic] != min(n, most) {
				t.Errorf("seed %d: %d of %d notes on %s, of %d at most", seed, said[topic], n, topic, most)
			}
		}
	}
}

// A machine that fails while it is read never ends in half a plan that looks whole.
func TestAFailureIsNoPlan(t *testing.T) {
	want, m, hashes := randomWish(rand.New(rand.NewPCG(7, 25)))
	whole, err := plan.Make(context.Background(), want, m, hashes)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range whole.Paths() {
		if at == plan.HashesFile {
			continue
		}
		if _, err := plan.Make(context.Background(), want, unreadable{m, at}, hashes); err == nil {
			t.Errorf("%s cannot be read, and nobody hears of it", at)
		}
	}
}

// Hashes that stay the same are not written again, unless others may read or change them.
func TestHashesThatStay(t *testing.T) {
	for _, c := range []struct {
		mode fs.FileMode
		want []state.Path
	}{{0o600, nil}, {0o644, []state.Path{plan.HashesFile}}} {
		m := systemtest.NewMem()
		rec := plan.FileHashes{"/etc/x": plan.Hash([]byte("x"))}
		m.PutFile("/etc/x", "x")
		m.Put(plan.OwnDir, state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
		m.Put(plan.HashesFile, state.Object{Kind: state.Regular, Mode: c.mode, Owner: state.Root, Content: rec.Marshal()})
		want := state.State{Stages: []state.Stage{{Name: "Files", Files: []state.File{{Path: "/etc/x", Mode: 0o644, Owner: state.Root, Content: []byte("x")}}}}}
		p, err := plan.Make(t.Context(), want, m, rec)
		if err != nil || !slices.Equal(p.Paths(), c.want) {
			t.Errorf("mode %o: changes %v, %v", c.mode, p.Paths(), err)
		}
	}
}
