package templates_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mailsetup/templates"
)

func TestKeyTableRefuses(t *testing.T) {
	good := keyRows()[0]
	for name, spoil := range map[string]func(*templates.KeyRow){
		"empty name":     func(r *templates.KeyRow) { r.Name = "" },
		"empty selector": func(r *templates.KeyRow) { r.Selector = "" },
		"space":          func(r *templates.KeyRow) { r.Domain = "any.example x" },
		"newline":        func(r *templates.KeyRow) { r.Path = "/a\nb" },
		"percent":        func(r *templates.KeyRow) { r.Domain = "%" },
		"colon":          func(r *templates.KeyRow) { r.Selector = "a:b" },
		"hash":           func(r *templates.KeyRow) { r.Path = "/etc/#a" },
		"relative path":  func(r *templates.KeyRow) { r.Path = "keys/a" },
		"NUL":            func(r *templates.KeyRow) { r.Path = "/a\x00" },
		"beyond ASCII":   func(r *templates.KeyRow) { r.Domain = "exämple.example" },
		"1,024 octets":   func(r *templates.KeyRow) { r.Path += strings.Repeat("x", 1024-keyRowLen(*r)) },
	} {
		row := good
		spoil(&row)
		if text, err := templates.KeyTable([]templates.KeyRow{row}); err == nil {
			t.Errorf("%s: accepted:\n%s", name, text)
		}
	}
	good.Path += strings.Repeat("x", 1023-keyRowLen(good))
	if _, err := templates.KeyTable([]templates.KeyRow{good}); err != nil {
		t.Errorf("1,023 octets: %v", err)
	}
	if _, err := templates.KeyTable(append(keyRows(), keyRows()[0])); err == nil {
		t.Error("the same name twice: accepted")
	}
}

func keyRowLen(r templates.KeyRow) int {
	return len(r.Name + " " + r.Domain + ":" + r.Selector + ":" + r.Path)
}

func TestSigningTableRefuses(t *testing.T) {
	for _, r := range []templates.SigningRow{
		{Pattern: "", Key: "k"},
		{Pattern: "any.example", Key: ""},
		{Pattern: "*@any.example", Key: "k"},
		{Pattern: "ann@*.example", Key: "k"},
		{Pattern: "any.example", Key: "k", Signer: "a b"},
		{Pattern: "any.example", Key: "k", Signer: "a:b"},
		{Pattern: "@any.example", Key: "k"},
		{Pattern: "root@", Key: "k"},
		{Pattern: "any.example", Key: "k:%"},
		{Pattern: "any.example\nevil.example", Key: "k"},
		{Pattern: "any.example", Key: "k x"},
		{Pattern: "#any.example", Key: "k"},
		{Pattern: "any.example", Key: strings.Repeat("k", 1012)},
	} {
		if text, err := templates.SigningTable([]templates.SigningRow{r}); err == nil {
			t.Errorf("%+v: accepted:\n%s", r, text)
		}
	}
	twice := []templates.SigningRow{{Pattern: "A.example", Key: "k"}, {Pattern: "B.example", Key: "k"}, {Pattern: "a.example", Key: "l"}}
	if _, err := templates.SigningTable(twice); err == nil {
		t.Error("the same pattern twice, in other case: accepted")
	}
}

func TestCheckTables(t *testing.T) {
	const key = "k any.example:s:/etc/dkimkeys/k.private\n"
	for _, tt := range []struct {
		name, keys, signing string
		want                string
	}{
		{"good", key, "any.example k\n", ""},
		{"good without final newline, comments, tabs", "# a\n\nk\tany.example:s:/k # b", "root@any.example\tk\n.any.example k", ""},
		{"empty", "", "", ""},
		{"unknown key", key, "\nany.example nosuch\n", `SigningTable line 2: key "nosuch" is not in KeyTable`},
		{"other case", key, "any.example K\n", `SigningTable line 1: key "K" is not in KeyTable`},
		{"no key name", key, "any.example\n", "SigningTable line 1: key name is empty, which crashes OpenDKIM"},
		{"three words", key, "any.example k x\n", "SigningTable line 1: 3 words, want a pattern and a key name"},
		{
			"tutorial pattern", key, "*@any.example k\n",
			"SigningTable line 1: pattern has a *, which matches no domain in a file: table",
		},
		{"pattern twice", key, "any.example k\nany.example k\n", `SigningTable line 2: "any.example" is in line 1 already, and the first one wins`},
		{"name twice", key + key, "", `KeyTable line 2: "k" is in line 1 already, and the first one wins`},
		{"two fields", "k any.example:s\n", "", `KeyTable line 1: "any.example:s": want domain:selector:path`},
		{"one word", "k\n", "", "KeyTable line 1: 1 words, want a name and domain:selector:path"},
		{"key material", "k any.example:s:MIIB\n", "", `KeyTable line 1: path "MIIB": not absolute, so OpenDKIM takes it for the key itself`},
		{"any domain", "k %:s:/k\n", "", `KeyTable line 1: domain "%": has a '%'`},
		{"long line", "k any.example:s:/" + strings.Repeat("x", 1007) + "\n", "", "KeyTable line 1: 1024 octets, OpenDKIM reads 1023"},
		{"long comment", "#" + strings.Repeat("x", 1023) + "\n", "", "KeyTable line 1: 1024 octets, OpenDKIM reads 1023"},
	} {
		got := ""
		if err := errors.Join(templates.CheckTables([]byte(tt.keys), []byte(tt.signing))...); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestCheckTablesReportsEverything(t *testing.T) {
	errs := templates.CheckTables([]byte("junk\nk a:b:/c\nmore junk\n"), []byte("a nosuch\nb\nc k\n"))
	if len(errs) != 4 {
		t.Errorf("got %d findings, want 4: %v", len(errs), errs)
	}
}

func TestRenderedTablesPassTheCheck(t *testing.T) {
	var keys []templates.KeyRow
	var signing []templates.SigningRow
	for i := range 1000 {
		d := fmt.Sprintf("d%d.example", i)
		keys = append(keys, templates.KeyRow{Name: "s." + d, Domain: d, Selector: "s", Path: "/etc/dkimkeys/" + d})
		signing = append(signing, templates.SigningRow{Pattern: d, Key: "s." + d})
	}
	k, s := must(t)(templates.KeyTable(keys)), must(t)(templates.SigningTable(signing))
	if errs := templates.CheckTables(k, s); errs != nil {
		t.Errorf("findings: %v", errs)
	}
	if n := strings.Count(string(s), " s.d"); n != 1000 {
		t.Errorf("%d rows, want 1000", n)
	}
}

// FuzzTables: what is rendered means what was given, and what is not refused
// passes the check.
func FuzzTables(f *testing.F) {
	f.Add("k", "any.example", "s", "/k", "any.example")
	f.Add("k\n", "%", "s:", "k", "*@any.example")
	f.Fuzz(func(t *testing.T, name, domain, selector, path, pattern string) {
		k, err := templates.KeyTable([]templates.KeyRow{{Name: name, Domain: domain, Selector: selector, Path: path}})
		if err != nil {
			return
		}
		s, err := templates.SigningTable([]templates.SigningRow{{Pattern: pattern, Key: name}})
		if err != nil {
			return
		}
		if errs := templates.CheckTables(k, s); errs != nil {
			t.Errorf("findings: %v in\n%s%s", errs, k, s)
		}
		rows := 0
		for line := range strings.Lines(string(k)) {
			if !strings.HasPrefix(line, "#") {
				rows++
			}
		}
		if rows != 1 {
			t.Errorf("%d rows from one:\n%s", rows, k)
		}
	})
}
