package tomltext

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// Fault is what the TOML decoder has against a text.
type Fault struct {
	Line int    // 0 if it did not say
	Path string // the key of that line, "" for none of the known ones
	Text string
	Hint string // the line to write, if it can be told
}

// UnknownKeyHint returns the hint for a key that is not known in its table: where it
// belongs, if its name is known elsewhere in the file.
func UnknownKeyHint(name string, known []Field) string {
	hint := "remove the line or correct the name"
	for _, f := range known {
		if f.Key != name {
			continue
		}
		if f.Table == "" {
			return "move the line above the first [table]"
		}
		hint = "move the line below [" + f.Table + "]"
	}
	return hint
}

// Explain says what an error of the decoder means in a text that may have some keys.
// Their values are examples of what belongs there.
func Explain(text []byte, err error, known []Field) Fault {
	f := Fault{Text: strings.TrimPrefix(err.Error(), "toml: ")}
	if at := (toml.ParseError{}); errors.As(err, &at) {
		f.Line, f.Text = at.Position.Line, strings.TrimSuffix(at.Message, ".")
	} else if n, _ := fmt.Sscanf(f.Text, "line %d", &f.Line); n == 1 { // a value of another type
		_, f.Text, _ = strings.Cut(f.Text, ": ")
	} else if last := ""; strings.HasPrefix(f.Text, "(last key ") { // a dotted key, of which the decoder says no line
		_, _ = fmt.Sscanf(f.Text, "(last key %q)", &last)
		_, f.Text, _ = strings.Cut(f.Text, ": ")
		f.Line = lineBelow(text, last)
	}
	key, value, field := lineAt(text, f.Line, known)
	if field != nil {
		f.Path = field.Path()
	}
	wrongType := strings.HasPrefix(f.Text, "incompatible types") || strings.HasPrefix(f.Text, "type mismatch")
	switch {
	case strings.Contains(f.Text, "already been defined"):
		f.Text, f.Hint = "is there twice", "take one of the two out"
	case field == nil && wrongType && !slices.ContainsFunc(known, func(k Field) bool { return k.Table == strings.Trim(key, "[] ") }):
		f.Path, f.Text, f.Hint = Clip(key), "is no key of this file", UnknownKeyHint(key, known) // the decoder takes TTL for ttl
	case field == nil && wrongType:
		f.Text, f.Hint = "is no single value", "write its keys below a line ["+strings.Trim(key, "[] ")+"]"
	case field != nil && wrongType && (strings.HasPrefix(key, "[") || key != field.Key && key != field.Path()):
		name := field.Key
		if strings.HasPrefix(strings.Trim(key, "[] "), field.Path()) {
			name = field.Path()
		}
		f.Text, f.Hint = "is no table", "write: "+field.suggest(name, "")
	case field != nil:
		if wrongType || strings.HasPrefix(f.Text, "expected value") {
			f.Text = "takes " + field.kind() + ", and not " + cmp.Or(Clip(value), "nothing")
		}
		f.Hint = "write: " + field.suggest(key, value)
	default:
		f.Hint = `a line is NAME = "text", NAME = 5, NAME = true or NAME = ["text", "text"]`
	}
	return f
}

// Clip returns a text of a file short enough for a message.
func Clip(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// lineAt returns the key and the value that a line has, with the known field of that
// name, if there is one.
func lineAt(text []byte, line int, known []Field) (key, value string, f *Field) {
	table, n := "", 0
	for l := range strings.Lines(strings.TrimPrefix(string(text), byteOrderMark)) {
		l = strings.TrimSpace(l)
		if n++; n == line {
			key, value, _ = strings.Cut(l, "=")
			break
		}
		if strings.HasPrefix(l, "[") && strings.HasSuffix(l, "]") {
			table = strings.Trim(l, "[] ") + "."
		}
	}
	key, value = strings.TrimSpace(key), strings.TrimSpace(trimComment(value))
	path := table + key
	if strings.HasPrefix(key, "[") {
		path = strings.Trim(key, "[] ")
	}
	if i := slices.IndexFunc(known, func(k Field) bool { return path == k.Path() || strings.HasPrefix(path, k.Path()+".") }); i >= 0 {
		f = &known[i]
	}
	return key, value, f
}

// lineBelow returns the line of the first key below another, 0 for none.
func lineBelow(text []byte, path string) int {
	for _, e := range scan(text) {
		if strings.HasPrefix(e.path, path+".") {
			return e.line
		}
	}
	return 0
}

func (f Field) isList() bool { return strings.HasPrefix(f.Value, "[") }
func (f Field) isBool() bool { return f.Value == "true" || f.Value == "false" }
func (f Field) isText() bool { return strings.HasPrefix(f.Value, `"`) }

// kind says what the value of a key is like.
func (f Field) kind() string {
	switch {
	case f.isList():
		return "a list of texts in quotes"
	case f.isBool():
		return "true or false"
	case f.isText():
		return "a text in quotes"
	}
	return "a whole number"
}

// suggest returns a line with the value that was probably meant, or with any of the
// right kind.
func (f Field) suggest(key, value string) string {
	bare := strings.Trim(value, "\"'[]“”„ \t")
	plain := bare != "" && !strings.ContainsAny(bare, "\"'\\,[]{}=“”„") && Clip(bare) == bare
	switch {
	case f.isList() && plain:
		return key + " = " + List([]string{bare})
	case f.isList():
		return key + ` = ["text", "text"]`
	case f.isBool():
		return key + " = " + strconv.FormatBool(slices.Contains([]string{"yes", "true", "on", "1"}, strings.ToLower(bare)))
	case f.isText() && bare == "false" && strings.Contains(f.Comment, `"off"`):
		return key + ` = "off"`
	case f.isText() && (bare == "true" || bare == "false") && f.Value != `""`: // no text is called that
		return key + " = " + f.Value
	case f.isText() && plain:
		return key + " = " + Quote(bare)
	case f.isText():
		return key + ` = "text"`
	}
	if n, err := strconv.ParseUint(bare, 10, 31); err == nil { // without the zeros before it, which TOML refuses
		return key + " = " + strconv.FormatUint(n, 10)
	}
	return key + " = " + f.Value
}
