package plan

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// many is what a plan does for n domains.
func many(n int) Plan {
	keys, wishes, zones := StageChanges{Name: "Keys"}, StageChanges{Name: "Settings"}, StageChanges{Name: "DNS"}
	dir := state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root}
	file := state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte("text\n")}
	old := state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte("old\n")}
	for i := range n {
		d := fmt.Sprintf("d%d.example", i)
		keys.Changes = append(keys.Changes, Change{Op: Mkdir, Path: state.Path("/etc/dkimkeys").Join(d), After: dir, Why: "for keys"})
		wishes.Changes = append(wishes.Changes, Change{Op: Create, Path: state.Path("/etc/mailsetup/domains.d").Join(d + ".toml"), After: file, Why: "wished for"})
		zones.Changes = append(zones.Changes, Change{Op: Modify, Path: state.Path("/etc/bind").Join("db." + d), Before: old, After: file, Why: "the records of " + d})
	}
	for i := range n {
		p := state.Path("/etc/dkimkeys").Join(fmt.Sprintf("d%d.example", i), fmt.Sprintf("20261%d.private", i%2))
		keys.Changes = append(keys.Changes, Change{Op: Create, Path: p, After: state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Secret: true}, Why: "a key"})
	}
	return Plan{Stages: []StageChanges{wishes, keys, zones}}
}

// A plan about many domains fits a screen as a summary: exact numbers, and three examples
// of each kind. All of it is there on request.
func TestASummaryOfManyDomains(t *testing.T) {
	for n, want := range map[int]string{
		1_000: `  Settings  make 1000 files in /etc/mailsetup/domains.d (d0.example.toml,
            d1.example.toml, d2.example.toml and 997 more)
  Keys      make 1000 private keys in /etc/dkimkeys (d0.example, d1.example,
            d2.example and 997 more)
  DNS       change 1000 files in /etc/bind (db.d0.example, db.d1.example,
            db.d2.example and 997 more)
`,
		5: `  Settings  make 5 files
  Keys      make 5 private keys
  DNS       change /etc/bind/db.d0.example, /etc/bind/db.d1.example,
            /etc/bind/db.d2.example, /etc/bind/db.d3.example,
            /etc/bind/db.d4.example
`,
	} {
		p := many(n)
		var summary, text bytes.Buffer
		_ = p.Summary(&summary, TextOptions{})
		if summary.String() != want {
			t.Errorf("%d: got\n%s", n, summary.String())
		}
		if p.Repeats() != (n > 5) {
			t.Errorf("%d repeats: %v", n, p.Repeats())
		}
		_ = p.Text(&text, TextOptions{Diff: true})
		for what, times := range map[string]int{"  + /etc/": 3 * n, "  ~ /etc/bind/db.": n, "\n      -old\n": n} {
			if got := strings.Count(text.String(), what); got != times {
				t.Errorf("%q %d times in the whole plan, want %d", what, got, times)
			}
		}
	}
}

// Changes of one kind need not follow each other, and what stands alone among thousands is
// named.
func TestKindsOfAStageWithZones(t *testing.T) {
	file := func(text string) state.Object {
		return state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte(text)}
	}
	st := StageChanges{Name: "DNS"}
	for i := range 10_000 {
		d := fmt.Sprintf("d%05d.example", i)
		st.Changes = append(st.Changes,
			Change{Op: Create, Path: state.Path("/etc/bind/mailsetup").Join(d), After: file("a"), Why: "the records of " + d},
			Change{Op: Modify, Path: state.Path("/srv/zones").Join(d, "zone"), Before: file("a"), After: file("b"), Why: "includes /etc/bind/mailsetup/" + d})
		if i == 5_000 {
			st.Changes = append(st.Changes, Change{Op: Modify, Path: "/etc/bind/named.conf.local", Before: file("a"), After: file("b"), Why: "new zones"})
		}
	}
	st.Changes = append(st.Changes, Change{Op: Remove, Path: "/etc/bind/db.old", Before: file("a"), Why: "no longer wanted"})
	var summary bytes.Buffer
	_ = Plan{Stages: []StageChanges{st}}.Summary(&summary, TextOptions{})
	const want = `  DNS  change /etc/bind/named.conf.local, 10000 files in /srv/zones
       (d00000.example/zone, d00001.example/zone, d00002.example/zone and 9997
       more); remove /etc/bind/db.old; make 10000 files in /etc/bind/mailsetup
       (d00000.example, d00001.example, d00002.example and 9997 more)
`
	if summary.String() != want {
		t.Errorf("got\n%s", summary.String())
	}
}

// With the question below it, the summary of a plan for ten thousand domains fits a terminal
// of 24 lines: a note that says the same of each has a line.
func TestASummaryOfManyDomainsFitsATerminal(t *testing.T) {
	p := many(10_000)
	for _, name := range []string{"Domains", "Server", "Incoming", "Records", "Policies", "Root"} {
		p.Answers = append(p.Answers, Answer{name, "as asked for"})
	}
	for i := range 10_000 {
		d := fmt.Sprintf("d%d.example", i)
		p.Notes = append(p.Notes,
			state.Note{Topic: "dns", Text: "the 3 records of " + d + " are printed once the key is made"},
			state.Note{Topic: "dmarc", Text: "nobody reads the DMARC reports of " + d, Action: "mailsetup init --rua ADDRESS"})
	}
	p.Notes = append(p.Notes, state.Note{Topic: "ptr", Text: "ask for it"})
	var summary bytes.Buffer
	_ = p.Summary(&summary, TextOptions{})
	const want = `  Domains   as asked for
  Server    as asked for
  Incoming  as asked for
  Records   as asked for
  Policies  as asked for
  Root      as asked for

  Settings  make 10000 files in /etc/mailsetup/domains.d (d0.example.toml,
            d1.example.toml, d2.example.toml and 9997 more)
  Keys      make 10000 private keys in /etc/dkimkeys (d0.example, d1.example,
            d2.example and 9997 more)
  DNS       change 10000 files in /etc/bind (db.d0.example, db.d1.example,
            db.d2.example and 9997 more)
  * dns: the 3 records of d0.example are printed once the ... (and 9999 more)
  * dmarc: nobody reads the DMARC reports of d0.example (and 9999 more)
  * ptr: ask for it
`
	if summary.String() != want {
		t.Errorf("got\n%s", summary.String())
	}
}

// What needs a consent, and what was edited by hand, is shown in full where the rest is a
// summary.
func TestAPreviewOfManyDomains(t *testing.T) {
	p := many(10_000)
	for i := range 7 {
		d := fmt.Sprintf("d%d.example", i)
		p.Questions = append(p.Questions, state.Question{Kind: state.AskRecord, Text: "the SPF record of " + d + " lets nobody else send", Before: "v=spf1 -all", After: "v=spf1 ip4:192.0.2.10 ~all", Domain: d})
		p.Drift = append(p.Drift, Drift{Path: state.Path("/etc/opendkim").Join(d), Why: "edited since mailsetup wrote it"})
	}
	var out, few bytes.Buffer
	_ = p.Preview(&out, TextOptions{Diff: true})
	for what, n := range map[string]int{
		"- v=spf1 -all\n": 7, "lets nobody else send\n": 7, "  ! /etc/opendkim/d": 7, "Needs your consent\n": 1,
		"make 10000 private keys": 1, "d9.example": 0, "--verbose shows the whole plan": 1,
	} {
		if got := strings.Count(out.String(), what); got != n {
			t.Errorf("%q %d times, want %d", what, got, n)
		}
	}
	_ = many(5).Preview(&few, TextOptions{Diff: true})
	if !strings.Contains(few.String(), "\n      -old\n") || strings.Contains(few.String(), "--verbose") {
		t.Errorf("few domains:\n%s", few.String())
	}
}

// Where there is no room for all examples, those of what is made go first.
func TestASummaryWithoutExamples(t *testing.T) {
	var p Plan
	for range 4 {
		p.Stages = append(p.Stages, many(6).Stages...)
		for i := range p.Stages { // each makes files of its own
			p.Stages[i].Changes = slices.Clone(p.Stages[i].Changes)
			for j := range p.Stages[i].Changes {
				c := &p.Stages[i].Changes[j]
				c.Path = state.Path(strings.Replace(string(c.Path), ".example", fmt.Sprintf("-%d.example", len(p.Stages)), 1))
			}
		}
	}
	var summary bytes.Buffer
	_ = p.Summary(&summary, TextOptions{})
	got := summary.String()
	if strings.Count(got, "make 6 files in /etc/mailsetup/domains.d\n") != 4 || strings.Count(got, "change 6 files in /etc/bind (db.") != 4 || strings.Contains(got, "more line") {
		t.Errorf("got\n%s", got)
	}
}

func TestWhatIsNotAlike(t *testing.T) {
	file := state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root}
	base := Change{Op: Create, Path: "/etc/x/a.conf", After: file, Why: "why"}
	for name, change := range map[string]func(c *Change){
		"another reason":     func(c *Change) { c.Why = "because" },
		"another operation":  func(c *Change) { c.Op, c.Before = Modify, file },
		"another kind":       func(c *Change) { c.Path = "/etc/x/b.toml" },
		"another place":      func(c *Change) { c.Path = "/etc/y/z/b.conf" },
		"another root":       func(c *Change) { c.Path = "/var/x/b.conf" },
		"another mode":       func(c *Change) { c.After.Mode = 0o600 },
		"another owner":      func(c *Change) { c.After.Owner.Group = "bind" },
		"a directory":        func(c *Change) { c.After.Kind = state.Directory },
		"zone among others":  func(c *Change) { c.Path = "/etc/x/db.b" },
		"a name in its name": func(c *Change) { c.Why = "why not" },
	} {
		c := base
		c.Path = "/etc/x/b.conf"
		if kindOf(base) != kindOf(c) {
			t.Fatal("two that are alike are not")
		}
		if change(&c); kindOf(base) == kindOf(c) {
			t.Errorf("%s: alike", name)
		}
	}
}
