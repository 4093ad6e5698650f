package jsondoc

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Write prints a document, indented. It is encoded value by value and written in pieces of
// whole values: what is about thousands of domains would take much memory as one text. Of an
// iter.Seq each item is made when it is its turn. No list is null, and times are in UTC and whole seconds.
func Write(w io.Writer, d Document) error {
	j := &writer{to: w}
	j.open("", '{')
	j.leaf("schema", Schema)
	j.leaf("document", d.Document())
	j.fields(reflect.Indirect(reflect.ValueOf(d)))
	j.close('}')
	j.raw("\n")
	j.deliver()
	return j.err
}

// writer writes what json.MarshalIndent would, piece by piece.
type writer struct {
	buf   bytes.Buffer
	to    io.Writer
	depth int
	begun bool // something stands before in the innermost list or object
	err   error
}

// fields writes the fields of a struct.
func (j *writer) fields(v reflect.Value) {
	for i := range v.NumField() {
		f, field := v.Type().Field(i), v.Field(i)
		if f.Anonymous {
			j.fields(field)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" || name == "-":
		case options == "omitempty" && isEmpty(field), options == "omitzero" && field.IsZero():
		default:
			j.value(name, field)
		}
	}
}

// isEmpty is what omitempty means to encoding/json; a nil iterator is empty as well.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// value writes a field (with its name) or an item of a list.
func (j *writer) value(name string, v reflect.Value) {
	switch kind := v.Kind(); {
	case kind == reflect.Pointer && !v.IsNil():
		j.value(name, v.Elem())
	case v.Type() == reflect.TypeFor[time.Time]():
		j.leaf(name, v.Interface().(time.Time).UTC().Truncate(time.Second))
	case v.Type().Implements(marshaler):
		j.leaf(name, v.Interface())
	case kind == reflect.Struct:
		j.open(name, '{')
		j.fields(v)
		j.close('}')
	case kind == reflect.Slice, kind == reflect.Func:
		j.open(name, '[')
		if kind == reflect.Slice || !v.IsNil() {
			j.items(v)
		}
		j.close(']')
	default:
		j.leaf(name, v.Interface())
	}
}

// items writes what is in a slice or comes from an iterator.
func (j *writer) items(v reflect.Value) {
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			j.value("", v.Index(i))
		}
		return
	}
	for item := range v.Seq() {
		j.value("", item)
	}
}

func (j *writer) leaf(name string, v any) {
	j.next(name)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(strings.Repeat("  ", j.depth), "  ")
	j.err = cmp.Or(j.err, enc.Encode(v))
	j.buf.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	if j.buf.Len() > 32<<10 {
		j.deliver()
	}
}

func (j *writer) raw(text string) { j.buf.WriteString(text) }

// deliver writes what there is so far.
func (j *writer) deliver() {
	if j.err == nil {
		_, j.err = j.to.Write(j.buf.Bytes())
	}
	j.buf.Reset()
}

// next begins an item of a list (without a name) or of an object, on a line of its own.
func (j *writer) next(name string) {
	if j.begun {
		j.raw(",")
	}
	if j.depth > 0 {
		j.raw("\n" + strings.Repeat("  ", j.depth))
	}
	if j.begun = true; name != "" {
		j.raw(strconv.Quote(name) + ": ")
	}
}

func (j *writer) open(name string, bracket byte) {
	j.next(name)
	j.raw(string(bracket))
	j.depth, j.begun = j.depth+1, false
}

func (j *writer) close(bracket byte) {
	if j.depth--; j.begun {
		j.raw("\n" + strings.Repeat("  ", j.depth))
	}
	j.raw(string(bracket))
	j.begun = true
}
