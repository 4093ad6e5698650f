package edits

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
)

const block = `// mailsetup: zone shop.example
zone "shop.example" {
	type primary;
	file "/var/lib/bind/shop.example.zone";
};
// mailsetup: end of zone shop.example
`

func namedEdit() state.NamedEdit {
	return state.NamedEdit{
		Path: "/etc/bind/named.conf.local", Zones: []state.NamedZone{{Origin: "shop.example", File: "/var/lib/bind/shop.example.zone"}},
	}
}

func dropped() state.NamedEdit {
	e := namedEdit()
	e.Drop = true
	return e
}

func TestNamed(t *testing.T) {
	extended := strings.Replace(block, "\ttype", "\tallow-transfer { 192.0.2.53; };\n\ttype", 1)
	const debian = "//\n// Do any local configuration here\n//\n"
	for name, test := range map[string]struct{ current, want string }{
		"empty":             {"", block},
		"appended":          {debian, debian + "\n" + block},
		"no final newline":  {"include \"x\";", "include \"x\";\n\n" + block},
		"there already":     {debian + block + "# end\n", debian + block + "# end\n"},
		"extended by hand":  {extended, extended},
		"other file":        {"a;\n" + strings.Replace(block, "/var/lib", "/etc", 1) + "b;\n", "a;\n" + block + "b;\n"},
		"type in a comment": {strings.Replace(block, "type", "type secondary; // type", 1), block},
		"commented out":     {"/* zone \"shop.example\" { }; */\n", "/* zone \"shop.example\" { }; */\n\n" + block},
		"below the name":    {"zone \"a.shop.example\" { };\n", "zone \"a.shop.example\" { };\n\n" + block},
		"slashes in quotes": {"include \"//zone\";\n", "include \"//zone\";\n\n" + block},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Named(namedEdit(), []byte(test.current))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again, err := Named(namedEdit(), got)
			if err != nil || string(again) != string(got) {
				t.Errorf("second time: %q, %v", again, err)
			}
		})
	}
}

func TestNamedEditsThatDrop(t *testing.T) {
	e := dropped()
	out, handled, err := Evaluate(e, []byte("options { };\n\n"+block))
	if string(out) != "options { };\n" || !handled || err != nil {
		t.Errorf("%q, %v, %v", out, handled, err)
	}
}

// Zones of one edit come and go together. A server may have ten thousand of them and
// get a thousand: the file is read once.
func TestNamedManyZones(t *testing.T) {
	zones := func(from, to int) state.NamedEdit {
		e := state.NamedEdit{Path: "/etc/bind/named.conf.local"}
		for i := from; i < to; i++ {
			e.Zones = append(e.Zones, state.NamedZone{Origin: fmt.Sprintf("d%d.example", i), File: state.Path(fmt.Sprintf("/etc/bind/db.d%d", i))})
		}
		return e
	}
	there, err := Named(zones(0, 10_000), []byte("# ours\n"))
	if err != nil {
		t.Fatal(err)
	}
	took := func(edit func()) time.Duration {
		began := time.Now()
		edit()
		return time.Since(began)
	}
	one := took(func() { Named(zones(9_999, 10_000), there) })
	var with, without []byte
	many := took(func() { with, err = Named(zones(9_500, 11_000), there) })
	if err != nil || strings.Count(string(with), "type primary;") != 11_000 {
		t.Fatalf("%d zones, %v", strings.Count(string(with), "type primary;"), err)
	}
	e := zones(10_000, 11_000)
	e.Drop = true
	many += took(func() { without, err = Named(e, with) })
	if err != nil || string(without) != string(there) {
		t.Errorf("taken out again: %d octets of %d, %v", len(without), len(there), err)
	}
	if many > 500*one {
		t.Errorf("%v for 2,500 zones, and %v for one: each zone reads the whole file", many, one)
	}
	e = zones(0, 3)
	e.Drop = true
	if out, err := Named(e, with[:bytes.Index(with, []byte("\n// mailsetup: zone d3.example"))]); string(out) != "# ours\n" || err != nil {
		t.Errorf("all of them out: %q, %v", out, err)
	}
	if _, err := Named(zones(0, 3), []byte("zone D1.example. { };\n")); err == nil || !strings.Contains(err.Error(), `has a zone "d1.example" that mailsetup did not write`) {
		t.Errorf("one that is not ours: %v", err)
	}
}

func TestNamedRefuses(t *testing.T) {
	for name, current := range map[string]string{
		"zone of another":        "zone \"shop.example\" { type primary; file \"x\"; };",
		"upper case, no quotes":  "acl a { any; };zone SHOP.example IN { };",
		"beside ours":            block + "zone \"shop.example.\" { };\n",
		"block without its end":  "// mailsetup: zone shop.example\nzone \"x\" { };\n",
		"two beginnings of ours": "// mailsetup: zone shop.example\n" + block,
	} {
		if got, err := Named(namedEdit(), []byte(current)); err == nil {
			t.Errorf("%s: accepted as %q", name, got)
		}
	}
	for _, origin := range []string{"", "a\"; };", "a\nb", "a b", "../x", "a;b"} {
		e := namedEdit()
		e.Zones[0].Origin = origin
		if got, err := Named(e, nil); err == nil {
			t.Errorf("zone %q: accepted as %q", origin, got)
		}
	}
}

func TestRemoveNamed(t *testing.T) {
	for _, current := range []string{"", "a;\n", "a;\n\nb;\n"} {
		with, err := Named(namedEdit(), []byte(current))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Named(dropped(), with)
		if err != nil || string(got) != current {
			t.Errorf("%q: %q, %v", current, got, err)
		}
		if got, err = Named(dropped(), got); err != nil || string(got) != current {
			t.Errorf("%q, removed twice: %q, %v", current, got, err)
		}
	}
}

func TestAlias(t *testing.T) {
	edit := state.AliasEdit{Path: "/etc/aliases", Set: []state.Setting{
		{Name: "postmaster", Value: "root"}, {Name: "root", Value: "alice@shop.example"},
	}}
	const both = "postmaster: root\nroot: alice@shop.example\n"
	const header = "# Mail aliases, aliases(5). After a change by hand run: newaliases\n"
	for name, test := range map[string]struct{ current, want string }{
		"empty":            {"", header + both},
		"blank":            {"\n", header + both},
		"Debian's":         {"# See man 5 aliases for format\npostmaster:    root\n", "# See man 5 aliases for format\npostmaster:    root\nroot: alice@shop.example\n"},
		"no final newline": {"postmaster: root", both},
		"there already":    {both + "www: root\n", both + "www: root\n"},
		"case and quotes":  {"PostMaster:root\n\"ROOT\" :\tbob\nx: y\n", "PostMaster:root\n\"ROOT\" :\talice@shop.example\nx: y\n"},
		"continuation": {
			"postmaster:\n  root\nroot: bob,\n  carol,\n# why\n\n\tdave\nx: y\n",
			"postmaster:\n  root\nroot: alice@shop.example\n# why\n\nx: y\n",
		},
		"indented comment": {"postmaster: root\nroot: bob\n  # carol\n", "postmaster: root\nroot: alice@shop.example\n  # carol\n"},
		"commented out":    {"#root: bob\npostmaster: root\n", "#root: bob\npostmaster: root\nroot: alice@shop.example\n"},
		"colon in quotes":  {"\"root:x\": bob\npostmaster: root\n", "\"root:x\": bob\npostmaster: root\nroot: alice@shop.example\n"},
		"first one counts": {"postmaster: root\nroot: bob\nroot: carol\n", "postmaster: root\nroot: alice@shop.example\nroot: carol\n"},
		"nothing after it": {"postmaster: root\nroot:", "postmaster: root\nroot: alice@shop.example\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Alias(edit, []byte(test.current))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			again, err := Alias(edit, got)
			if err != nil || string(again) != string(got) {
				t.Errorf("second time: %q, %v", again, err)
			}
		})
	}
}

func TestAliasRefuses(t *testing.T) {
	for _, s := range []state.Setting{
		{Name: "", Value: "x"},
		{Name: "#a", Value: "x"},
		{Name: "a\nb", Value: "x"},
		{Name: " a", Value: "x"},
		{Name: "a\"b", Value: "x"},
		{Name: "a", Value: ""},
		{Name: "a", Value: "x\nroot: y"},
	} {
		if got, err := Alias(state.AliasEdit{Set: []state.Setting{s}}, nil); err == nil {
			t.Errorf("%q: accepted as %q", s, got)
		}
	}
}

func TestPure(t *testing.T) {
	if out, handled, err := Evaluate(namedEdit(), nil); !handled || err != nil || string(out) != block {
		t.Errorf("named: %q, %v, %v", out, handled, err)
	}
	alias := state.AliasEdit{Set: []state.Setting{{Name: "a b", Value: "c"}}}
	if out, handled, err := Evaluate(alias, []byte("x: y\n")); !handled || err != nil || string(out) != "x: y\n\"a b\": c\n" {
		t.Errorf("aliases: %q, %v, %v", out, handled, err)
	}
	if _, handled, _ := Evaluate(state.ZoneEdit{Origin: "shop.example."}, nil); !handled {
		t.Error("zone: not handled")
	}
	if _, handled, err := Evaluate(state.PostfixEdit{}, nil); handled || err != nil {
		t.Errorf("main.cf: %v, %v", handled, err)
	}
}

// Whatever stands in the file, an accepted edit is stable, and removing our
// zone again leaves what others wrote.
func FuzzEdits(f *testing.F) {
	for _, seed := range []string{"", "root: bob,\n carol\n# x\n y", "\"r\\\"oot", block, "/* zone", "x\n\n" + block + "y", "\r\nroot :a\r\n b"} {
		f.Add(seed)
	}
	alias := state.AliasEdit{Set: []state.Setting{{Name: "root", Value: "alice@shop.example"}, {Name: "a b", Value: "c"}}}
	f.Add("Zone shop.eXAmple")
	f.Fuzz(func(t *testing.T, current string) {
		for _, e := range []state.Edit{namedEdit(), alias} {
			once, _, err := Evaluate(e, []byte(current))
			if err != nil {
				continue
			}
			twice, _, err := Evaluate(e, once)
			if err != nil || string(twice) != string(once) {
				t.Fatalf("%T: once %q, twice %q, %v", e, once, twice, err)
			}
		}
		if strings.Contains(current, "mailsetup:") {
			return
		}
		with, err := Named(namedEdit(), []byte(current))
		if err != nil {
			return
		}
		want := current
		if want != "" && want[len(want)-1] != '\n' {
			want += "\n" // the one thing that stays: the last line was not ended
		}
		without, err := Named(dropped(), with)
		if err != nil || string(without) != want {
			t.Fatalf("removed again: %q, want %q, %v", without, want, err)
		}
	})
}
