package jsondoc_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/jsondoc"
	"mailsetup/internal/jsondoc/jsondoctest"
)

var update = flag.Bool("update", false, "write the schema and the manual page anew")

// documents are all that commands print.
var documents = []jsondoc.Document{
	jsondoc.Failure{},
	jsondoc.Plan{},
	jsondoc.Result{},
	jsondoc.List{},
	jsondoc.DNS{},
	jsondoc.Status{},
	jsondoc.History{},
	jsondoc.Inbound{},
	jsondoc.Check{},
	jsondoc.Backup{},
	jsondoc.Version{},
}

// field is a field of an object as the contract has it.
type field struct {
	name, text string
	of         reflect.Type
	optional   bool
	enum       []string
}

// object is an object of the contract, or a document.
type object struct {
	name, text string
	fields     []field
	document   bool
}

// contract is all documents, then all objects in them, in the order in which they are met.
func contract(t *testing.T) []object {
	t.Helper()
	if once == nil {
		once = makeContract(t)
	}
	return once
}

var once []object

func makeContract(t *testing.T) []object {
	t.Helper()
	comments := commentsOf(t, "../check/finding", ".")
	var all []object
	seen := map[reflect.Type]bool{}
	var queue []reflect.Type
	add := func(of reflect.Type, name string) {
		o := object{name: name, text: sentence(comments[of.Name()], of.Name()), fields: fieldsOf(of, comments)}
		for _, f := range o.fields {
			if inner := structIn(f.of); inner != nil && !seen[inner] {
				seen[inner] = true
				queue = append(queue, inner)
			}
		}
		all = append(all, o)
	}
	for _, d := range documents {
		add(reflect.TypeOf(d), d.Document())
		all[len(all)-1].document = true
	}
	for len(queue) > 0 {
		of := queue[0]
		queue = queue[1:]
		add(of, of.Name())
	}
	return all
}

// structIn is the struct that a value of a type is, or has in its list; nil for none.
func structIn(of reflect.Type) reflect.Type {
	switch {
	case of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice:
		return structIn(of.Elem())
	case of.Kind() == reflect.Func:
		return structIn(of.In(0).In(0))
	case of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]():
		return of
	}
	return nil
}

func fieldsOf(of reflect.Type, comments map[string]string) []field {
	var list []field
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Anonymous {
			list = append(list, fieldsOf(f.Type, comments)...)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			panic(of.Name() + "." + f.Name + " has no name")
		}
		list = append(list, field{
			name: name, text: sentence(comments[of.Name()+"."+f.Name], f.Name), of: f.Type, optional: options != "",
			enum: strings.Fields(f.Tag.Get("enum")),
		})
	}
	return list
}

// sentence makes a description of a comment.
func sentence(comment, name string) string {
	s := strings.Join(strings.Fields(comment), " ")
	s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, name+" is "), name+" are "), name+" says ")
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if words := regexp.MustCompile(`^(spf|dkim|id)\b`).FindString(strings.ToLower(s)); words != "" && strings.HasPrefix(s, words) {
		return s
	}
	return strings.TrimSuffix(s, ".") + "."
}

// commentsOf are the comments of the types and fields of packages.
func commentsOf(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if gen, is := d.(*ast.GenDecl); is && gen.Tok == token.TYPE {
					for _, s := range gen.Specs {
						commentsOfType(s.(*ast.TypeSpec), gen, all)
					}
				}
			}
		}
	}
	return all
}

func commentsOfType(s *ast.TypeSpec, gen *ast.GenDecl, all map[string]string) {
	of, is := s.Type.(*ast.StructType)
	if !is {
		return
	}
	all[s.Name.Name] = gen.Doc.Text()
	for _, f := range of.Fields.List {
		for _, name := range f.Names {
			all[s.Name.Name+"."+name.Name] = f.Doc.Text() + f.Comment.Text()
		}
	}
}

// ordered is a JSON object whose fields stay in order.
type ordered []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:", m.name)
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func schemaOf(all []object) ordered {
	var refs []any
	var defs ordered
	for _, o := range all {
		var properties ordered
		required := []string{}
		if o.document {
			refs = append(refs, ordered{{"$ref", "#/$defs/" + o.name}})
			required = append(required, "schema", "document")
			properties = append(properties, member{"schema", ordered{{"const", jsondoc.Schema}}}, member{"document", ordered{{"const", o.name}}})
		}
		for _, f := range o.fields {
			s := typeSchema(f)
			if f.text != "" {
				s = append(s, member{"description", f.text})
			}
			properties = append(properties, member{f.name, s})
			if !f.optional {
				required = append(required, f.name)
			}
		}
		def := ordered{{"type", "object"}}
		if o.text != "" {
			def = append(def, member{"description", o.text})
		}
		defs = append(defs, member{o.name, append(def, member{"required", required}, member{"properties", properties})})
	}
	return ordered{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "mailsetup.schema.json"},
		{"title", "What mailsetup prints with --json"},
		{"description", "One of these documents a run. Until the first release this may change; after it fields, documents and words of enumerations are added, and nothing else changes without another number in schema."},
		{"oneOf", refs},
		{"$defs", defs},
	}
}

func typeSchema(f field) ordered {
	s := ofType(f.of)
	if f.of.Kind() == reflect.Pointer && !f.optional {
		s[0].value = []any{s[0].value, "null"}
	}
	if len(f.enum) > 0 {
		s = append(s, member{"enum", f.enum})
	}
	return s
}

func ofType(of reflect.Type) ordered {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return ordered{{"type", "string"}, {"format", "date-time"}}
	case of == reflect.TypeFor[finding.Severity]():
		return ordered{{"enum", finding.Severities()}}
	case of == reflect.TypeFor[finding.LineKind]():
		return ordered{{"enum", []finding.LineKind{finding.LineCommand, finding.LineRecord, finding.LineText}}}
	}
	switch of.Kind() {
	case reflect.Pointer:
		return ofType(of.Elem())
	case reflect.Slice:
		return ordered{{"type", "array"}, {"items", ofType(of.Elem())}}
	case reflect.Func:
		return ordered{{"type", "array"}, {"items", ofType(of.In(0).In(0))}}
	case reflect.Map:
		return ordered{{"type", "object"}, {"additionalProperties", ofType(of.Elem())}}
	case reflect.Struct:
		return ordered{{"$ref", "#/$defs/" + of.Name()}}
	case reflect.Bool:
		return ordered{{"type", "boolean"}}
	case reflect.Int:
		return ordered{{"type", "integer"}}
	case reflect.Uint32:
		return ordered{{"type", "integer"}, {"minimum", 0}}
	case reflect.Float64:
		return ordered{{"type", "number"}}
	default:
		return ordered{{"type", "string"}}
	}
}

// The schema in the tree is that of the types.
func TestSchema(t *testing.T) {
	text, err := json.Marshal(schemaOf(contract(t)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	same(t, jsondoctest.File, strings.ReplaceAll(b.String()+"\n", `\u003c`, "<"))
}

// same compares a file of the source with what it should be.
func same(t *testing.T, name, want string) {
	t.Helper()
	root, err := jsondoctest.Root()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, name)
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil { //nolint:gosec // for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the types say (%v): go test ./internal/jsondoc -update", name, err)
	}
}

// The words of enumerations are those that the program uses.
func TestEnumerations(t *testing.T) {
	for what, dirs := range map[string][]string{
		"Key.stage": {"../keyring Stage", "../dkimkeys Unused"}, "Step.action": {"../keyring Action"}, "Run.status": {"../apply Status"},
		"Change.op": {"../plan Op"}, "File.kind": {"../state Kind"}, "Unit.action": {"../state UnitAction"}, "Question.kind": {"../state QuestionKind"},
		"Domain.dns": {"../spec DNSMode"}, "inbound.dmarc": {"../inbound Mode"}, "Domain.signed_by": {"../spec ByOther"},
	} {
		var want []string
		for _, d := range dirs {
			dir, name, _ := strings.Cut(d, " ")
			want = append(want, words(t, dir, name)...)
		}
		at, name, _ := strings.Cut(what, ".")
		for _, o := range contract(t) {
			for _, f := range o.fields {
				if o.name != at || f.name != name {
					continue
				}
				for _, w := range want {
					if !slices.Contains(f.enum, w) {
						t.Errorf("%s has no %q", what, w)
					}
				}
				for _, w := range f.enum {
					if !slices.Contains(want, w) && w != "off" {
						t.Errorf("%s: %q is no word of the program", what, w)
					}
				}
			}
		}
	}
}

// words are the constants of a type, or the one of a name, that are not empty.
func words(t *testing.T, dir, name string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil || strings.HasSuffix(f, "_test.go") {
			continue
		}
		for _, m := range regexp.MustCompile(`(?m)^(?:const |\t)(\w+)(?: +(?:\w+\.)?(\w+))? += "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			if m[1] == name || m[2] == name {
				list = append(list, m[3])
			}
		}
	}
	if len(list) == 0 {
		t.Errorf("no constant of %s in %s", name, dir)
	}
	return list
}

// Each object and each field of the contract says what it is.
func TestEverythingIsDescribed(t *testing.T) {
	plain := strings.Fields("domain id why notes path name selector remedy found problems warnings unknown ok version area points time text bits domains owner server")
	for _, o := range contract(t) {
		if o.text == "" {
			t.Errorf("%s is not described", o.name)
		}
		for _, f := range o.fields {
			if f.text == "" && !slices.Contains(plain, f.name) && structIn(f.of) == nil {
				t.Errorf("%s.%s is not described", o.name, f.name)
			}
		}
	}
}

// What is no document of the contract is found.
func TestValidate(t *testing.T) {
	good := `{"schema": 1, "document": "list", "domains": [{"domain": "a.example", "keys": []}]}`
	if err := jsondoctest.Validate(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{
		``, `[]`, `{}`, good + good, strings.Replace(good, `"list"`, `"lists"`, 1), strings.Replace(good, `"schema": 1`, `"schema": 2`, 1),
		strings.Replace(good, `"keys"`, `"keyz"`, 1), strings.Replace(good, `[]`, `null`, 1), strings.Replace(good, `"schema"`, `"more": 1, "schema"`, 1),
		strings.Replace(good, `"keys": []`, `"dns": "cloud"`, 1), strings.Replace(good, `"keys": []`, `"keys": [{"domain": "a", "selector": "s", "made": "yesterday"}]`, 1),
	} {
		if jsondoctest.Validate(bad) == nil {
			t.Errorf("valid: %s", bad)
		}
	}
}
