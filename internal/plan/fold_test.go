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

func TestPlansAboutManyDomainsAreFolded(t *testing.T) {
	var text, summary bytes.Buffer
	p := many(1000)
	_ = p.Text(&text, TextOptions{Diff: true})
	for what, n := range map[string]int{
		"  + /etc/mailsetup/domains.d/d2.example.toml\n": 1, "d3.example": 0,
		"  + /etc/dkimkeys/d2.example/\n": 1, "  + /etc/dkimkeys/d2.example/202610.private\n": 1,
		"  ~ /etc/bind/db.d2.example\n": 1, "      the records of d2.example\n": 1,
		"  + 997 more like this\n": 3, "  ~ 997 more like this\n": 1,
	} {
		if got := strings.Count(text.String(), what); got != n {
			t.Errorf("%q %d times, want %d", what, got, n)
		}
	}
	_ = p.Summary(&summary, TextOptions{})
	const want = `  Settings  make 1000 files
  Keys      make 1000 private keys
  DNS       change /etc/bind/db.d0.example, /etc/bind/db.d1.example and 998 more
`
	if summary.String() != want {
		t.Errorf("got\n%s", summary.String())
	}
	b, err := p.JSON()
	if n := strings.Count(string(b), `"op": `); n != 4000 || err != nil {
		t.Errorf("%d changes as data, %v", n, err)
	}
}

func TestFewChangesAreNotFolded(t *testing.T) {
	var text bytes.Buffer
	_ = many(5).Text(&text, TextOptions{})
	if strings.Contains(text.String(), "more like this") || !strings.Contains(text.String(), "/etc/bind/db.d4.example\n") {
		t.Errorf("%s", text.String())
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
		if !similar(base, c) {
			t.Fatal("two that are alike are not")
		}
		if change(&c); similar(base, c) {
			t.Errorf("%s: alike", name)
		}
	}
}

func TestLongDiffsAreFolded(t *testing.T) {
	lines := []string{"--- /etc/t", "+++ /etc/t", "@@ -1 +1,91 @@", " a", "-b"}
	for i := range 90 {
		lines = append(lines, fmt.Sprintf("+%d", i))
	}
	lines = append(lines, " c")
	got := folded(lines)
	want := append(slices.Clone(lines[:15]), "+… and 80 more lines", " c")
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := folded(lines[:84]); !slices.Equal(got, lines[:84]) {
		t.Errorf("79 lines are folded: %q", got)
	}
}
