package plan_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// A file whose owner or mode alone is of interest has a content that others must not
// see: it is in no form of the plan, not as a diff and not as a hash.
func TestContentsOfFilesThatAreClosedStayUnseen(t *testing.T) {
	m := server()
	m.PutFile("/etc/tsig.key", "key \"k\" { secret \"dG9wc2VjcmV0\"; };\n")
	want := stages(state.Stage{Name: "Keys", Metas: []state.Meta{{Path: "/etc/tsig.key", Mode: 0o600, Owner: state.Root}}})
	p, err := plan.Make(context.Background(), want, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := p.Text(&text, plan.TextOptions{Diff: true}); err != nil {
		t.Fatal(err)
	}
	data, err := asJSON(p)
	if err != nil {
		t.Fatal(err)
	}
	hash := plan.Hash([]byte("key \"k\" { secret \"dG9wc2VjcmV0\"; };\n"))
	for name, shown := range map[string]string{"text": text.String(), "JSON": string(data)} {
		if strings.Contains(shown, "dG9wc2VjcmV0") || strings.Contains(shown, hash) {
			t.Errorf("the %s shows the secret or its hash:\n%s", name, shown)
		}
		if !strings.Contains(shown, "0600") || !strings.Contains(shown, "/etc/tsig.key") {
			t.Errorf("the %s does not say what changes:\n%s", name, shown)
		}
	}
}

// A private key that goes is no drift: nobody is asked to agree to its loss by a diff,
// and its content is nowhere in what a drift says.
func TestAKeyThatGoesIsNoDrift(t *testing.T) {
	m := server()
	m.PutFile("/etc/old.private", keyText)
	m.PutFile("/etc/old.conf", "by hand\n")
	p, err := plan.Make(context.Background(), stages(state.Stage{Name: "OldKeys", Remove: []state.Path{"/etc/old.private", "/etc/old.conf"}}), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Drift) != 1 || p.Drift[0].Path != "/etc/old.conf" || !p.Drift[0].Foreign() {
		t.Errorf("drift %+v, want that of /etc/old.conf alone", p.Drift)
	}
}

// A unit that is acted on in any case is acted on once, but to be enabled takes no action
// on it away.
func TestAUnitIsEnabledAndReloaded(t *testing.T) {
	always := state.Unit{Name: "d.service", Action: state.Restart, Always: true}
	file := []state.File{ours("/etc/d.conf", "new\n")}
	for name, tt := range map[string]struct {
		other state.Unit
		want  []string
	}{
		"reloaded by another stage": {state.Unit{Name: "d.service", Action: state.Reload}, []string{"B: reload d.service"}},
		"enabled by another stage":  {state.Unit{Name: "d.service", Action: state.Enable}, []string{"A: restart d.service", "B: enable d.service"}},
		"another unit":              {state.Unit{Name: "e.service", Action: state.Reload}, []string{"A: restart d.service", "B: reload e.service"}},
	} {
		p, err := plan.Make(context.Background(), stages(
			state.Stage{Name: "A", Units: []state.Unit{always}}, state.Stage{Name: "B", Files: file, Units: []state.Unit{tt.other}},
		), server(), plan.FileHashes{"/etc/d.conf": plan.Hash([]byte("old\n"))})
		if err != nil {
			t.Fatal(err)
		}
		units := slices.DeleteFunc(brief(p), func(l string) bool { return strings.Contains(l, "/etc/") })
		if !slices.Equal(units, tt.want) {
			t.Errorf("%s: %q, want %q", name, units, tt.want)
		}
	}
}

// Files of different programs, and different things that happen to files, are told one
// by one even where there are many.
func TestWhatDiffersIsNotFolded(t *testing.T) {
	for name, change := range map[string]func(i int) plan.Change{
		"directories of other programs": func(i int) plan.Change {
			return plan.Change{Op: plan.Create, Path: state.Path(fmt.Sprintf("/etc/program%d/main.cf", i)), After: regular("x")}
		},
		"new content beside another mode": func(i int) plan.Change {
			c := plan.Change{Op: plan.Modify, Path: state.Path(fmt.Sprintf("/etc/d/f%d", i)), Before: regular("x"), After: regular("y")}
			if i%2 == 1 {
				c.Op, c.Before = plan.Meta, regular("y")
				c.Before.Mode = 0o600
			}
			return c
		},
		"files that go beside files that come": func(i int) plan.Change {
			if i%2 == 1 {
				return plan.Change{Op: plan.Remove, Path: state.Path(fmt.Sprintf("/etc/d/f%d", i)), Before: regular("x")}
			}
			return plan.Change{Op: plan.Create, Path: state.Path(fmt.Sprintf("/etc/d/f%d", i)), After: regular("x")}
		},
		"other reasons": func(i int) plan.Change {
			return plan.Change{Op: plan.Create, Path: state.Path(fmt.Sprintf("/etc/d/f%d", i)), After: regular("x"), Why: fmt.Sprintf("reason %c", 'a'+i)}
		},
		"other owners": func(i int) plan.Change {
			o := regular("x")
			o.Owner.User = fmt.Sprint("user", i)
			return plan.Change{Op: plan.Create, Path: state.Path(fmt.Sprintf("/etc/d/f%d", i)), After: o}
		},
	} {
		st := plan.StageChanges{Name: "S"}
		for i := range 12 {
			st.Changes = append(st.Changes, change(i))
		}
		var text bytes.Buffer
		if err := (plan.Plan{Stages: []plan.StageChanges{st}}).Text(&text, plan.TextOptions{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text.String(), "more like this") {
			t.Errorf("%s are folded:\n%s", name, text.String())
		}
	}
}

// Of each question a script can give the answer by a flag, and a person by a prompt;
// the words are those of --help.
func TestEachKindOfQuestionCanBeAnswered(t *testing.T) {
	for kind, want := range map[state.QuestionKind][5]string{
		state.AskRecord:   {"--existing-records change", "--existing-records keep", "a record of your zone", "Change this record?", "Leave it as it is, and go on?"},
		state.AskService:  {"--service-milters merge", "--service-milters keep", "the milters of smtps/inet", "Change this service?", "Leave it as it is, and go on?"},
		state.AskOverride: {"--replace-override", "", "the override of OpenDKIM's unit", "Take this out of the override?", "Leave it as it is, and go on?"},
		state.AskRemoval:  {"--remove-missing", "", "the end of lab.example", "Stop signing its mail?", "Leave it as it is, and go on?"},
		state.AskBounces:  {"--sign-bounces yes", "--sign-bounces no", "bounces and your other milters", "Sign bounces, too?", "Leave it as it is, and go on?"},
		state.AskRelease:  {"--any-release", "", "the release of this system", "Go on all the same?", "Leave it as it is, and go on?"},
		state.AskMTA:      {"--replace-mta", "", "this machine's mail server", "Replace it?", "Leave it as it is, and go on?"},
		state.AskWildcard: {"--wildcard-records copy", "--wildcard-records drop", "names of lab.example and a wildcard of the zone", "Publish copies?", "Go on without?"},
		state.AskSigner:   {"--other-signer replace", "--other-signer keep", "another signer", "Sign here, and no longer there?", "Leave it as it is, and go on?"},
	} {
		q := state.Question{ID: "q", Kind: kind, Subject: "smtps/inet", Domain: "lab.example", Text: "so it is", Declined: "all stays."}
		yes, no := plan.ConsentFlags(kind)
		if yes != want[0] || no != want[1] || plan.Prompt(kind) != want[3] || plan.KeepPrompt(kind) != want[4] {
			t.Errorf("%s: %q, %q, %q, %q, want %q", kind, yes, no, plan.Prompt(kind), plan.KeepPrompt(kind), want)
		}
		var one, all bytes.Buffer
		if err := plan.WriteQuestion(&one, q, "2 of 3", plan.TextOptions{}); err != nil || !strings.HasPrefix(one.String(), "  ? "+want[2]+" (2 of 3)\n      so it is\n") {
			t.Errorf("%s is asked as\n%s(%v)", kind, one.String(), err)
		}
		if err := (plan.Plan{Questions: []state.Question{q}}).Text(&all, plan.TextOptions{}); err != nil || !strings.Contains(all.String(), want[2]+" ("+want[0]+")\n") {
			t.Errorf("%s in a plan:\n%s", kind, all.String())
		}
		if !strings.HasSuffix(one.String(), "      With a no: all stays.\n") {
			t.Errorf("%s does not say what a no means:\n%s", kind, one.String())
		}
	}
}

// The hashes by which edits are noticed are those that were written, in the same order
// each time; what is damaged, or of a newer program, is not taken for no hashes: each
// file would be called foreign.
func TestHashesAreReadAsWritten(t *testing.T) {
	for seed := range uint64(50) {
		r, hashes := rand.New(rand.NewPCG(seed, 1)), plan.FileHashes{}
		for range r.IntN(30) {
			form := "/etc/%x/\"q\"\n%d"
			if seed%2 == 0 { // as almost all paths are
				form = "/etc/%x/%d"
			}
			hashes[state.Path(fmt.Sprintf(form, r.Uint32(), r.IntN(9)))] = plan.Hash(fmt.Append(nil, r.Uint64()))
		}
		text := hashes.Marshal()
		plain, err := json.MarshalIndent(map[string]any{"files": hashes, "version": 1}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		var a, b any
		if json.Unmarshal(plain, &a) != nil || json.Unmarshal(text, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("seed %d: %s says something else than %s", seed, text, plain)
		}
		again, err := plan.ParseFileHashes(text)
		if err != nil || len(again) != len(hashes) || !bytes.Equal(again.Marshal(), text) {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, text, again.Marshal())
		}
		for n := 1; n < len(text)-1; n += 1 + len(text)/20 {
			if _, err := plan.ParseFileHashes(text[:n]); err == nil {
				t.Errorf("seed %d: %d of %d octets are taken for whole", seed, n, len(text))
			}
		}
	}
	const odd = "{\n  \"version\": 1,\n  \"files\": {\n    \"/etc/x\": \"1\", \"/etc/y\": \"2\"\n  }\n}\n"
	if got, err := plan.ParseFileHashes([]byte(odd)); err != nil || len(got) != 2 || got["/etc/y"] != "2" {
		t.Errorf("two in a line are read as %v, %v", got, err)
	}
	for _, text := range []string{`{"version":2,"files":{}}`, `{}`, `[]`, `null`, `{"version":1,"files":{"/etc/x":5}}`} {
		if got, err := plan.ParseFileHashes([]byte(text)); err == nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}

// Several stages, and several edits in one, may want something of one file: the plan
// begins with what is there, ends with what the last one wants, and no stage meets
// anything but what the one before it left.
func TestStagesMeetWhatTheOnesBeforeLeft(t *testing.T) {
	for seed := range uint64(150) {
		r, m := rand.New(rand.NewPCG(seed, 3)), server()
		var want state.State
		last := "myhostname = mail.example.org\n"
		for s := range 1 + r.IntN(5) {
			st := state.Stage{Name: fmt.Sprint("S", s)}
			for range r.IntN(3) {
				value := fmt.Sprint("v", r.IntN(3))
				st.Edits = append(st.Edits, state.PostfixEdit{Path: "/etc/main.cf", Set: []state.Setting{{Name: "p", Value: value}}})
				last = "myhostname = mail.example.org\np = " + value + "\n"
			}
			if r.IntN(3) == 0 {
				st.Dirs = append(st.Dirs, state.Dir{Path: "/etc/dir", Mode: []fs.FileMode{0o700, 0o755}[r.IntN(2)], Owner: state.Root})
			}
			want.Stages = append(want.Stages, st)
		}
		p, err := plan.Make(context.Background(), want, m, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, st := range p.Stages {
			seen := map[state.Path]bool{}
			for _, c := range st.Changes {
				if seen[c.Path] {
					t.Errorf("seed %d: %s changes %s twice", seed, st.Name, c.Path)
				}
				seen[c.Path] = true
			}
		}
		carryOut(t, m, p)
		if o, _ := m.Read("/etc/main.cf"); string(o.Content) != last {
			t.Errorf("seed %d: it is %q, want %q", seed, o.Content, last)
		}
		if again, err := plan.Make(context.Background(), state.State{Stages: want.Stages[len(want.Stages)-1:]}, m, nil); err != nil || !again.Empty() {
			t.Errorf("seed %d: the last stage wants again %q, %v", seed, brief(again), err)
		}
	}
}
