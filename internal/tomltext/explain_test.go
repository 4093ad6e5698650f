package tomltext_test

import (
	"testing"

	"github.com/BurntSushi/toml"

	"mailsetup/internal/tomltext"
)

// Who mistypes a value reads which key it is, what belongs there, and the line to
// write.
func TestExplain(t *testing.T) {
	known := []tomltext.Field{
		{Key: "domain", Value: `""`},
		{Key: "ttl", Value: "3600"},
		{Key: "receive", Value: "false"},
		{Key: "also", Value: "[]"},
		{Table: "spf", Key: "all", Value: `"softfail"`},
		{Key: "mode", Value: `"mark"`, Comment: `"off" or "mark"`},
	}
	for text, want := range map[string]tomltext.Fault{
		"ttl = \"5\"\n":            {1, "ttl", `takes a whole number, and not "5"`, "write: ttl = 5"},
		"ttl = soon\n":             {1, "ttl", "takes a whole number, and not soon", "write: ttl = 3600"},
		"ttl = 60 # s\nttl = 60\n": {2, "ttl", "is there twice", "take one of the two out"},
		"domain = 202611\n":        {1, "domain", "takes a text in quotes, and not 202611", `write: domain = "202611"`},
		"domain = “lab.example”\n": {1, "domain", "takes a text in quotes, and not “lab.example”", `write: domain = "lab.example"`},
		"domain = \"lab.example\n": {1, "domain", "strings cannot contain newlines", `write: domain = "lab.example"`},
		"domain = \n":              {1, "domain", "takes a text in quotes, and not nothing", `write: domain = "text"`},
		"receive = yes\n":          {1, "receive", "takes true or false, and not yes", "write: receive = true"},
		"receive = \"no\"\n":       {1, "receive", `takes true or false, and not "no"`, "write: receive = false"},
		"also = \"b.example\"\n":   {1, "also", `takes a list of texts in quotes, and not "b.example"`, `write: also = ["b.example"]`},
		"also = [\"a\" \"b\"]\n":   {1, "also", "expected a comma (',') or array terminator (']'), but got '\"'", `write: also = ["text", "text"]`},
		"# x\n[spf]\nall = fail\n": {3, "spf.all", "takes a text in quotes, and not fail", `write: all = "fail"`},
		"[spf]\nall = true\n":      {2, "spf.all", "takes a text in quotes, and not true", `write: all = "softfail"`},
		"mode = true\n":            {1, "mode", "takes a text in quotes, and not true", `write: mode = "mark"`},
		"mode = false\n":           {1, "mode", "takes a text in quotes, and not false", `write: mode = "off"`},
		"ttl = 060\n":              {1, "ttl", `Invalid integer "060": cannot have leading zeroes`, "write: ttl = 60"},
		"[ttl]\n":                  {1, "ttl", "is no table", "write: ttl = 3600"},
		"ttl.seconds = 60\n":       {1, "ttl", "is no table", "write: ttl = 3600"},
		"[spf]\nall.mail = true\n": {2, "spf.all", "is no table", `write: all = "text"`},
		"[[spf]]\nall = 'fail'\n":  {1, "", "is no single value", "write its keys below a line [spf]"},
		"\ufeffttl = soon\n":       {1, "ttl", "takes a whole number, and not soon", "write: ttl = 3600"},
		"TTL = \"x\"\n":            {1, "TTL", "is no key of this file", "remove the line or correct the name"},
		"spf = 3\n":                {1, "", "is no single value", "write its keys below a line [spf]"},
		"ttl\n":                    {1, "ttl", "expected '.' or '=', but got '\\n' instead", "write: ttl = 3600"},
		"= 3\n":                    {1, "", "unexpected '=': key name appears blank", `a line is NAME = "text", NAME = 5, NAME = true or NAME = ["text", "text"]`},
		"colour = red\n":           {1, "", `expected value but found "red" instead`, `a line is NAME = "text", NAME = 5, NAME = true or NAME = ["text", "text"]`},
	} {
		var raw struct {
			Domain  string
			TTL     int
			Receive bool
			Also    []string
			SPF     struct{ All string }
			Mode    string
		}
		_, err := toml.Decode(text, &raw)
		if err == nil {
			t.Errorf("%q: no error", text)
			continue
		}
		if got := tomltext.Explain([]byte(text), err, known); got != want {
			t.Errorf("%q:\ngot  %+v\nwant %+v", text, got, want)
		}
	}
}
