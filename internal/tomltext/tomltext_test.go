package tomltext_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"mailsetup/internal/tomltext"
)

func TestSet(t *testing.T) {
	for name, tt := range map[string]struct {
		old   string
		field tomltext.Field
		want  string
	}{
		"a value, and nothing else": {
			"a = 1 # first\n  b\t=  \"x\"# second\n", tomltext.Field{Key: "b", Value: `"y"`}, "a = 1 # first\n  b\t=  \"y\"# second\n",
		},
		"a key of a table, not that of another":     {"k = 1\n[t]\nk = 2\n[u]\nk = 3\n", tomltext.Field{Table: "t", Key: "k", Value: "9"}, "k = 1\n[t]\nk = 9\n[u]\nk = 3\n"},
		"a list on several lines":                   {"l = [\n  1,\n  2,\n]\nk = 1\n", tomltext.Field{Key: "l", Value: "[3]"}, "l = [3]\nk = 1\n"},
		"a hash inside a string":                    {"k = \"a # b\" # c\n", tomltext.Field{Key: "k", Value: "2"}, "k = 2 # c\n"},
		"brackets inside a string":                  {"k = [\"]\", '[']\nm = 1\n", tomltext.Field{Key: "k", Value: "[]"}, "k = []\nm = 1\n"},
		"a string of many lines":                    {"k = \"\"\"\na = 1\n\"\"\"\na = 2\n", tomltext.Field{Key: "a", Value: "3"}, "k = \"\"\"\na = 1\n\"\"\"\na = 3\n"},
		"a literal string with a backslash":         {`k = 'a\' # x` + "\n", tomltext.Field{Key: "k", Value: "1"}, "k = 1 # x\n"},
		"a quoted key":                              {"\"k\" = 1\n", tomltext.Field{Key: "k", Value: "2"}, "\"k\" = 2\n"},
		"a new key after the last of its table":     {"[t]\na = 1\n\n[u]\nb = 1\n", tomltext.Field{Table: "t", Key: "c", Value: "2"}, "[t]\na = 1\nc = 2\n\n[u]\nb = 1\n"},
		"a new key in the way its table is written": {"t.a = 1\n", tomltext.Field{Table: "t", Key: "b", Value: "2"}, "t.a = 1\nt.b = 2\n"},
		"a new table":                               {"a = 1", tomltext.Field{Table: "t", Key: "b", Value: "2"}, "a = 1\n\n[t]\nb = 2\n"},
		"a first key":                               {"[t]\na = 1\n", tomltext.Field{Key: "b", Value: "2"}, "b = 2\n[t]\na = 1\n"},
		"a last line without its end":               {"a = 1", tomltext.Field{Key: "b", Value: "2"}, "a = 1\nb = 2"},
		"the ends of lines of the text":             {"a = 1\r\n", tomltext.Field{Key: "b", Value: "2"}, "a = 1\r\nb = 2\r\n"},
	} {
		got, err := tomltext.Set([]byte(tt.old), tt.field)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, tt.want)
			continue
		}
		if n := valueAt(t, got, tt.field.Path()); n == nil {
			t.Errorf("%s: the decoder does not find %s in %q", name, tt.field.Path(), got)
		}
	}
}

// valueAt is what the decoder reads at a path.
func valueAt(t *testing.T, text []byte, path string) any {
	t.Helper()
	var all map[string]any
	if err := toml.Unmarshal(text, &all); err != nil {
		t.Errorf("%q: %v", text, err)
		return nil
	}
	var value any = all
	for _, key := range strings.Split(path, ".") {
		value = value.(map[string]any)[key]
	}
	return value
}

func TestSetLosesNoComment(t *testing.T) {
	const text = "a = 1\nl = [\n  1, # the first\n  2,\n]\n"
	_, err := tomltext.Set([]byte(text), tomltext.Field{Key: "l", Value: "[]"})
	comments := (*tomltext.CommentsError)(nil)
	if !errors.As(err, &comments) || comments.Line != 2 || comments.Path != "l" {
		t.Errorf("got %v, want an error that names line 2", err)
	}
}

func TestLineOf(t *testing.T) {
	const text = "a = 1\n# x\nl = [\n 1,\n]\n[t]\nb = '''\nc = 1\n'''\nd = 2\n"
	for path, want := range map[string]int{"a": 1, "l": 3, "t": 6, "t.b": 7, "t.d": 10, "c": 0, "d": 0, "": 0} {
		if got := tomltext.LineOf([]byte(text), path); got != want {
			t.Errorf("LineOf(%q) = %d, want %d", path, got, want)
		}
	}
}

func TestMarshal(t *testing.T) {
	got := tomltext.Marshal("What it is", []tomltext.Field{
		{Key: "a", Value: "1", Comment: "The first."},
		{Table: "t", Key: "b", Value: tomltext.Quote("x")},
		{Table: "t", Key: "c", Value: tomltext.List([]string{"y", "z"}), Comment: "The third."},
	})
	const want = "# What it is\n\n# The first.\na = 1\n\n[t]\nb = \"x\"\n# The third.\nc = [\"y\", \"z\"]\n"
	if string(got) != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

// What is written is what the decoder reads.
func TestQuote(t *testing.T) {
	for _, s := range []string{"", "plain", `"quoted"`, `back\slash`, "tab\tand\nline", "\x00\x1f\x7f", "ä ☃", "'''", `"""`} {
		var got struct{ K, L any }
		text := "K = " + tomltext.Quote(s) + "\nL = " + tomltext.List([]string{s, s})
		if err := toml.Unmarshal([]byte(text), &got); err != nil || got.K != s || !reflect.DeepEqual(got.L, []any{s, s}) {
			t.Errorf("%q was written as %q and read as %q, %v", s, text, got, err)
		}
	}
}

func TestPlain(t *testing.T) {
	pairs, ok := tomltext.Plain("# x\na = \"b\" # c\nn = 60\nyes = true\n[t]\nl = [\"d\", \"e\"]\n")
	want := []tomltext.Pair{
		{Path: "a", Value: "b"},
		{Path: "n", Value: int64(60)},
		{Path: "yes", Value: true},
		{Path: "t", Value: tomltext.Table{}},
		{Path: "t.l", Value: []string{"d", "e"}},
	}
	if !ok || !reflect.DeepEqual(pairs, want) {
		t.Errorf("got %v, %v; want %v", pairs, ok, want)
	}
}

func TestFill(t *testing.T) {
	var text string
	var number int64
	var list []string
	place := func(path string) any {
		return map[string]any{"text": &text, "n": &number, "l": &list, "t": tomltext.Table{}}[path]
	}
	pairs, _ := tomltext.Plain("text = \"x\"\nn = 7\nl = [\"a\"]\n[t]\n")
	if !tomltext.Fill(pairs, place) || text != "x" || number != 7 || len(list) != 1 {
		t.Errorf("filled %q %d %q", text, number, list)
	}
	for _, wrong := range []string{"text = 1", "n = \"1\"", "l = \"a\"", "t = 1", "other = 1"} {
		if pairs, ok := tomltext.Plain(wrong); !ok || tomltext.Fill(pairs, place) {
			t.Errorf("%s found a place", wrong)
		}
	}
}

// Every key that is set in a valid text is read back by the decoder, and no other key changes.
func FuzzSet(f *testing.F) {
	f.Add("a = 1\n[t]\nb = [1, # x\n2]\nc.d = '''x'''\n", "k", "t")
	f.Add("t.a = 1\r\n", "b", "t")
	f.Fuzz(func(t *testing.T, text, key, table string) {
		var before map[string]any
		if toml.Unmarshal([]byte(text), &before) != nil || len(before) == 0 || strings.Trim(key+table, "abcdefghijklmnopqrstuvwxyz") != "" || key == "" {
			return
		}
		for name, value := range before { // tables only: what is a value or an array of tables takes no key
			if _, isTable := value.(map[string]any); name == table && !isTable {
				return
			}
		}
		got, err := tomltext.Set([]byte(text), tomltext.Field{Table: table, Key: key, Value: "4711"})
		if err != nil {
			return
		}
		var after map[string]any
		if toml.Unmarshal(got, &after) != nil {
			return // an inline table, say: the caller reads the text again and refuses
		}
		in := after
		if table != "" {
			in, _ = after[table].(map[string]any)
		}
		if in[key] != int64(4711) {
			t.Errorf("%q with %s.%s set: %q", text, table, key, got)
		}
	})
}
