package tomltext_test

import (
	"strings"
	"testing"

	"mailsetup/internal/tomltext"
)

// What would keep the decoder busy for minutes is refused before it begins; what a file
// of ours may say is not.
func TestCheckLimits(t *testing.T) {
	const deep = "is nested too deeply"
	for name, tt := range map[string]struct {
		text string
		line int
		want string
	}{
		"dotted keys":       {"a = 1\n" + strings.Repeat("a.", 9) + "a = 1\n", 2, deep},
		"quoted parts":      {strings.Repeat(`"a".`, 9) + "a = 1\n", 1, deep},
		"lists":             {"\n\na = " + strings.Repeat("[", 9) + strings.Repeat("]", 9), 3, deep},
		"lists over lines":  {"a = " + strings.Repeat("[\n", 9), 9, deep},
		"open lists":        {"a = " + strings.Repeat("[", 200<<10), 1, deep},
		"tables in tables":  {"a = " + strings.Repeat("{a = ", 9) + "1" + strings.Repeat("}", 9), 1, deep},
		"a header":          {"[" + strings.Repeat("a.", 9) + "a]\n", 1, deep},
		"too long":          {strings.Repeat("#\n", 128<<10) + "#", 0, "is too long: 256 KiB, and a settings file has at most 256"},
		"as long as may be": {strings.Repeat("#\n", 128<<10), 0, ""},
		"dots in texts":     {`a = "a.b.c.d.e.f.g.h.i.j" # a.b.c.d.e.f.g.h.i.j` + "\n" + `b = 'a.b.c.d.e.f.g.h.i.j'`, 0, ""},
		"brackets in texts": {"a = \"[[[[[[[[[[\"\nb = '''\n{{{{{{{{{{'''\n", 0, ""},
		"a list of numbers": {"a = [" + strings.Repeat("1.5, ", 100) + "]\n", 0, ""},
		"as written here":   {"[spf]\nall = \"fail\"\n[rfc2136]\nserver = \"192.0.2.1\"\n", 0, ""},
		"a text that ends":  {`a = "`, 0, ""},
	} {
		got := tomltext.Fault{}
		if f := tomltext.CheckLimits([]byte(tt.text)); f != nil {
			got = *f
		}
		if got.Text != tt.want || got.Line != tt.line || (got.Hint == "") != (tt.want == "") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}
