package zones

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseNamedConf(t *testing.T) {
	got, err := parseNamedConf("a \"b\\\"c;{\" d { e; f { g 1.2; }; }; # x\n// y ; {\n/* z\n } */ h{i;}j;")
	if err != nil {
		t.Fatal(err)
	}
	want := []statement{
		{words: []string{"a", `b"c;{`, "d"}, blocks: [][]statement{{
			{words: []string{"e"}},
			{words: []string{"f"}, blocks: [][]statement{{{words: []string{"g", "1.2"}}}}},
		}}},
		{words: []string{"h", "j"}, blocks: [][]statement{{{words: []string{"i"}}}}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(statement{})); diff != "" {
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
		if _, err := parseNamedConf(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("parse %.20q: %v, want an error with %q", text, err, part)
		}
	}
}

func FuzzParseNamedConf(f *testing.F) {
	for _, s := range []string{namedConf, `a "\"" { b; };`, "/* */ # x\n//", "{};", "}", "a {b {c {d;};};};"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseNamedConf(text)
		if err != nil {
			return
		}
		printed := printConf(list)
		again, err := parseNamedConf(printed)
		if err != nil {
			t.Fatalf("%q was printed as %q: %v", text, printed, err)
		}
		if got := printConf(again); got != printed {
			t.Errorf("%q: %q read back as %q", text, printed, got)
		}
		settle(namedConfig{statements: list}.zones())
	})
}

// printConf writes statements out with every word quoted, blocks last.
func printConf(list []statement) string {
	var b strings.Builder
	for _, s := range list {
		for _, w := range s.words {
			b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", "\\\n").Replace(w) + `" `)
		}
		for _, block := range s.blocks {
			b.WriteString("{" + printConf(block) + "}")
		}
		b.WriteString(";")
	}
	return b.String()
}

func TestWithoutWarnings(t *testing.T) {
	in := "/etc/bind/named.conf.options:12: option 'x' is deprecated\nnamed.conf:3: dup\nzone \"a:3: b\" {\n\tfile \"x\";\n\tlisten 2001:db8::1;\n};\n"
	want := "zone \"a:3: b\" {\n\tfile \"x\";\n\tlisten 2001:db8::1;\n};\n"
	if got := withoutWarnings(in); got != want {
		t.Errorf("got %q", got)
	}
}
