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
	j := &writer{to: w, fieldsOf: map[reflect.Type][]field{}}
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

	fieldsOf map[reflect.Type][]field // of structs that were met
}

// field is a field of a struct.
type field struct {
	name                          string // "" for an embedded struct
	omitsEmpty, omitsZero, isList bool
}

// fields writes the fields of a struct.
func (j *writer) fields(v reflect.Value) {
	list, known := j.fieldsOf[v.Type()]
	if !known {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			list = append(list, field{name, options == "omitempty", options == "omitzero", f.Type.Kind() == reflect.Slice || f.Type.Kind() == reflect.Map})
		}
		j.fieldsOf[v.Type()] = list
	}
	for i, f := range list {
		value := v.Field(i)
		switch {
		case f.name == "":
			j.fields(value)
		case f.omitsEmpty && (value.IsZero() || f.isList && value.Len() == 0), f.omitsZero && value.IsZero():
		default:
			j.value(f.name, value)
		}
	}
}

var timeType = reflect.TypeFor[time.Time]()

// value writes a field (with its name) or an item of a list.
func (j *writer) value(name string, v reflect.Value) {
	switch kind := v.Kind(); {
	case kind == reflect.Pointer && !v.IsNil():
		j.value(name, v.Elem())
	case v.Type() == timeType:
		j.text(name, v.Interface().(time.Time).UTC().Format("2006-01-02T15:04:05Z"))
	case kind == reflect.String:
		j.text(name, v.String())
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

// text writes a text; few have to be escaped.
func (j *writer) text(name, s string) {
	plain := func(r rune) bool { return r >= ' ' && r <= '~' && r != '"' && r != '\\' }
	if strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		j.leaf(name, s)
		return
	}
	j.next(name)
	j.raw(`"` + s + `"`)
	j.deliverSome()
}

func (j *writer) leaf(name string, v any) {
	j.next(name)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent(strings.Repeat("  ", j.depth), "  ")
	j.err = cmp.Or(j.err, enc.Encode(v))
	j.buf.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	j.deliverSome()
}

// deliverSome writes what there is, once it is much.
func (j *writer) deliverSome() {
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
