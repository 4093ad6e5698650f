package internal_test

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var verbs = regexp.MustCompile(`%(\[\d+\])?[-+#0-9.]*[a-zA-Z]`)

// commands are words with which something begins that is typed.
var commands = regexp.MustCompile(`\b(mailsetup (init|add-domain|remove-domain|adopt|rotate-dkim|rollback|recover)|postconf -[eXP#]|systemctl|chown|chmod|cp -p|mv|postalias|rndc|dpkg(-reconfigure)? |apt-get|sed -i|mkdir|newaliases|postfix reload|tsig-keygen|nsupdate -k|install -m|chattr)\b`)

// row is a line of the catalogue.
type row struct{ pkg, text, proof string }

func catalogue(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile("testdata/hints.txt")
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) != 3 {
			t.Fatalf("not three columns: %s", line)
		}
		quoted, err := strconv.Unquote(f[1])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		rows = append(rows, row{f[0], quoted, f[2]})
	}
	return rows
}

// Each hint of the source is in the catalogue, with what became of it when somebody
// typed it, and the catalogue has no other.
func TestHintCatalogue(t *testing.T) {
	rows := catalogue(t)
	listed := map[row]bool{}
	for _, r := range rows {
		listed[row{pkg: r.pkg, text: r.text}] = true
	}
	found := map[row]bool{}
	for _, s := range sites(t) {
		r := row{pkg: s.pkg, text: s.text}
		found[r] = true
		if !listed[r] {
			t.Errorf("%s: a hint that internal/testdata/hints.txt does not have: see what becomes of it when it is typed, and add this line where it sorts, with one of the proofs that its head explains:\n%s\t%q\ttext", s.at, s.pkg, s.text)
		}
	}
	for _, r := range rows {
		if !found[row{pkg: r.pkg, text: r.text}] {
			t.Errorf("no hint any more, take it out of internal/testdata/hints.txt: %s\t%q", r.pkg, r.text)
		}
	}
	if len(rows) < 300 || !slices.IsSortedFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(strconv.Quote(a.text), strconv.Quote(b.text)))
	}) {
		t.Errorf("%d rows, sorted as they should be?", len(rows))
	}
}

// A proof that the catalogue names is there, and a hint with a command has one.
func TestHintProofs(t *testing.T) {
	tests := sourceText(t, "../internal/e2e/*_test.go")
	for _, r := range catalogue(t) {
		kind, what, _ := strings.Cut(r.proof, " ")
		switch kind {
		case "text":
			if m := commands.FindString(r.text); m != "" {
				t.Errorf("%q has a command: %s", r.text, m)
			}
		case "look":
		case "read", "needs":
			if len(what) < 10 {
				t.Errorf("%q: no reason", r.text)
			}
		case "script":
			if _, err := os.Stat(filepath.Join("../cmd/mailsetup/testdata/script", what+".txtar")); err != nil {
				t.Errorf("%q: %v", r.text, err)
			}
		case "e2e":
			name, line, table := strings.Cut(what, ": ")
			if !strings.Contains(tests, "func "+name+"(t *testing.T) {") || table && !regexp.MustCompile(`name: +`+regexp.QuoteMeta(strconv.Quote(line))).MatchString(tests) {
				t.Errorf("%q: no test %s", r.text, what)
			}
		case "unit":
			dir, name, _ := strings.Cut(what, " ")
			if !strings.Contains(sourceText(t, "../"+dir+"/*_test.go"), "func "+name+"(t *testing.T) {") {
				t.Errorf("%q: no test %s", r.text, what)
			}
		default:
			t.Errorf("%q: no proof is called %s", r.text, kind)
		}
	}
}

func sourceText(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
