package namedconf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/namedconf"
)

// typical is what Debian's files look like when named-checkconf prints them.
const typical = `options {
	directory "/var/cache/bind";
	listen-on-v6 {
		"any";
	};
};
zone "lab.example" IN {
	type primary;
	file "/etc/bind/db.lab";
	update-policy { grant "k" zonesub "TXT"; };
};
`

func TestParse(t *testing.T) {
	got, err := namedconf.Parse("a \"b\\\"c;{\" d { e; f { g 1.2; }; }; # x\n// y ; {\n/* z\n } */ h{i;}j;")
	if err != nil {
		t.Fatal(err)
	}
	want := []namedconf.Statement{
		{Words: []string{"a", `b"c;{`, "d"}, Blocks: [][]namedconf.Statement{{
			{Words: []string{"e"}},
			{Words: []string{"f"}, Blocks: [][]namedconf.Statement{{{Words: []string{"g", "1.2"}}}}},
		}}},
		{Words: []string{"h", "j"}, Blocks: [][]namedconf.Statement{{{Words: []string{"i"}}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for text, part := range map[string]string{
		"a {":                   "line 1: braces do not match",
		"a;\n}":                 "line 2: braces do not match",
		"a":                     "a semicolon is missing",
		"a { b }; ":             "a semicolon is missing",
		"\"a":                   "does not end",
		"\"a\\":                 "does not end",
		"\"a\nb\";":             "does not end on its line",
		"/* a":                  "a comment does not end",
		strings.Repeat("{", 99): "nested too deep",
	} {
		if _, err := namedconf.Parse(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("parse %.20q: %v, want an error with %q", text, err, part)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{typical, `a "\"" { b; };`, "/* */ # x\n//", "{};", "}", "a {b {c {d;};};};"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := namedconf.Parse(text)
		if err != nil {
			return
		}
		printed := printConf(list)
		again, err := namedconf.Parse(printed)
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", text, printed, err)
		}
		if got := printConf(again); got != printed {
			t.Errorf("%q: %q read back as %q", text, printed, got)
		}
	})
}

// printConf writes statements out with every word quoted, blocks last.
func printConf(list []namedconf.Statement) string {
	var b strings.Builder
	for _, s := range list {
		for _, w := range s.Words {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", "\\\n").Replace(w) + `" `)
		}
		for _, block := range s.Blocks {
			b.WriteString("{" + printConf(block) + "}")
		}
		b.WriteString(";")
	}
	return b.String()
}

// Our zone is not declared by what somebody commented out, and a file whose name
// looks like a comment is a file.
func TestUncomment(t *testing.T) {
	for given, want := range map[string]string{
		"a; // zone b\nc;":         "a;  \nc;",
		"# x":                      " ",
		"a /* b\n */ c":            "a   c",
		"a /* never ends":          "a  ",
		`file "/etc//bind/#x"; #y`: `file "/etc//bind/#x";  `,
		`"a\"b // c" d`:            `"a\"b // c" d`,
		`"never ends // x`:         `"never ends // x`,
	} {
		if got := namedconf.Uncomment(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

func TestStatement(t *testing.T) {
	list, err := namedconf.Parse(typical)
	if err != nil {
		t.Fatal(err)
	}
	zone, ok := namedconf.First(list, "zone")
	file, _ := namedconf.First(zone.Block(), "file")
	if !ok || zone.Word(1) != "lab.example" || zone.Word(2) != "IN" || zone.Word(3) != "" || file.Word(1) != "/etc/bind/db.lab" {
		t.Errorf("the zone is %+v", zone)
	}
	if none, ok := namedconf.First(list, "view"); ok || none.Word(0) != "" || none.Block() != nil {
		t.Errorf("there is no view, but %+v", none)
	}
}

func TestWords(t *testing.T) {
	got, err := namedconf.Words(`key "a key" { secret "c2VjcmV0"; /* old */ };`)
	if want := []string{"key", "a key", "{", "secret", "c2VjcmV0", ";", "}", ";"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	if _, err := namedconf.Words("secret\n\"c2VjcmV0"); err == nil || err.Error() != "line 2: a string does not end" {
		t.Errorf("error %v", err)
	}
}

func TestQuotedLength(t *testing.T) {
	for text, want := range map[string]int{
		`""`: 2, `"a b" c`: 5, `"a\"b": x`: 6, `"a\\" b`: 5, `"never closed`: 13, `"\`: 2,
	} {
		if got := namedconf.QuotedLength(text); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
