package reference_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"mailsetup/internal/reference"
	"mailsetup/internal/spec"
)

var update = flag.Bool("update", false, "write the schemas and the manual page anew")

const docs = "../../docs/"

// same compares a file of docs with what it should be.
func same(t *testing.T, name, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join(docs, name), []byte(want), 0o644); err != nil { //nolint:gosec // for everybody
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil || string(got) != want {
		t.Errorf("docs/%s is not what the reference says (%v): go test ./internal/reference -update", name, err)
	}
}

func schema(title string, keys []reference.Key) map[string]any {
	root := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, "type": "object", "additionalProperties": false,
	}
	properties, required, tables := map[string]any{}, []string{}, map[string]map[string]any{}
	for _, k := range keys {
		in := properties
		if k.Table != "" {
			if tables[k.Table] == nil {
				tables[k.Table] = map[string]any{}
				properties[k.Table] = map[string]any{"type": "object", "additionalProperties": false, "properties": tables[k.Table]}
			}
			in = tables[k.Table]
		}
		in[k.Name] = keySchema(k)
		if k.Required() {
			required = append(required, k.Name)
		}
	}
	root["properties"], root["required"] = properties, required
	return root
}

func keySchema(k reference.Key) map[string]any {
	s := map[string]any{"description": describe(k)}
	text := map[string]any{"type": "string"}
	switch k.Kind {
	case reference.Text:
		s["type"] = "string"
		if k.Words != nil {
			s["enum"] = k.Words
		}
		if k.Unit == "span of time" {
			s["pattern"] = "^([0-9]+[smhdSMHD]|never)?$"
		}
	case reference.Texts:
		if k.Words != nil {
			text["enum"] = k.Words
		}
		s["type"], s["items"] = "array", text
	case reference.Number:
		s["type"] = "integer"
		if k.Name == "ttl" {
			s["minimum"], s["maximum"] = spec.MinTTL, spec.MaxTTL
		}
		if k.Words != nil {
			var numbers []json.Number
			for _, w := range k.Words {
				numbers = append(numbers, json.Number(w))
			}
			s["enum"] = numbers
		}
	case reference.Flag:
		s["type"] = "boolean"
	case reference.Tables:
		s["type"] = "array"
		s["items"] = map[string]any{
			"type": "object", "additionalProperties": false, "required": []string{"id", "reason"},
			"properties": map[string]any{"id": text, "reason": text, "subject": text, "until": map[string]any{"type": "string", "format": "date"}},
		}
	}
	if k.Default != "" {
		s["default"] = value(k, k.Default)
	}
	if k.Kind != reference.Tables {
		s["examples"] = []any{value(k, k.Example)}
	}
	return s
}

// value is what TOML makes of the value of a key.
func value(k reference.Key, text string) any {
	var v map[string]any
	if err := toml.Unmarshal([]byte("x = "+text+"\n"), &v); err != nil {
		panic(fmt.Sprintf("%s = %s: %v", k.Path(), text, err))
	}
	return v["x"]
}

// describe is what a schema says of a key.
func describe(k reference.Key) string {
	s := k.Meaning
	if k.Unit != "" {
		s += " (" + k.Unit + ")"
	}
	if k.Otherwise != "" {
		s += " Otherwise: " + k.Otherwise + "."
	}
	return s
}

func TestSchemas(t *testing.T) {
	for name, root := range schemas() {
		text, err := json.MarshalIndent(root, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		same(t, "schema/"+name, strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))+"\n")
	}
}

func schemas() map[string]map[string]any {
	return map[string]map[string]any{
		"host.schema.json":   schema("/etc/mailsetup/host.toml", reference.Host()),
		"domain.schema.json": schema("/etc/mailsetup/domains.d/DOMAIN.toml", reference.Domain()),
	}
}

// file is a file with the keys for which a value is given.
func file(keys []reference.Key, of func(reference.Key) string) string {
	var b strings.Builder
	table := ""
	for _, k := range keys {
		v := of(k)
		if v == "" {
			continue
		}
		if k.Table != table {
			table = k.Table
			fmt.Fprintf(&b, "[%s]\n", table)
		}
		fmt.Fprintf(&b, "%s = %s\n", k.Name, v)
	}
	return b.String()
}

func required(k reference.Key) string {
	if k.Required() {
		return k.Example
	}
	return ""
}

// parse reads a host.toml and the file of example.org.
func parse(host, domain string) (spec.Spec, error) {
	return spec.Parse([]byte(host), map[string][]byte{"example.org": []byte(domain)})
}

// Each example is one that is read, and the schema has it valid.
func TestExamples(t *testing.T) {
	host, domain := file(reference.Host(), required), file(reference.Domain(), required)
	for what, keys := range map[string][]reference.Key{"host": reference.Host(), "domain": reference.Domain()} {
		for _, k := range keys {
			with := file(keys, func(other reference.Key) string {
				if other.Path() == k.Path() || other.Required() {
					return other.Example
				}
				return ""
			})
			h, d := host, domain
			if what == "host" {
				h = with
			} else {
				d = with
			}
			if k.Name == "new_zone" {
				d += "dns = \"bind\"\nns = [\"ns1.example.net\"]\n"
			}
			if _, err := parse(h, d); err != nil && !acceptable(k, err) {
				t.Errorf("%s: %s = %s: %v", what, k.Path(), k.Example, err)
			}
			valid(t, what, with)
		}
	}
}

// acceptable reports whether what is wrong with an example alone is another key that goes
// with it.
func acceptable(k reference.Key, err error) bool {
	return map[string]bool{"dns": true, "partial": true, "identities": true, "role": true, "redirect": true, "server": true, "key_file": true}[k.Name] &&
		!strings.Contains(err.Error(), "is no key of this file")
}

// valid wants the schema to have a file valid, and one with another key not.
func valid(t *testing.T, what, text string) {
	t.Helper()
	c := jsonschema.NewCompiler()
	s, err := c.Compile(docs + "schema/" + what + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		text string
		good bool
	}{{text, true}, {"hostnam = 1\n" + text, false}} {
		var v map[string]any
		if err := toml.Unmarshal([]byte(tt.text), &v); err != nil {
			t.Fatalf("%v\n%s", err, tt.text)
		}
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(doc); (err == nil) != tt.good {
			t.Errorf("%s: %v, want valid: %v\n%s", what, err, tt.good, tt.text)
		}
	}
}

// A key that is left out means what its default means.
func TestDefaults(t *testing.T) {
	host, domain := file(reference.Host(), required), file(reference.Domain(), required)
	without, err := parse(host, domain)
	if err != nil {
		t.Fatal(err)
	}
	for what, keys := range map[string][]reference.Key{"host": reference.Host(), "domain": reference.Domain()} {
		for _, k := range keys {
			if k.Default == "" {
				continue
			}
			with := file(keys, func(other reference.Key) string {
				if other.Path() == k.Path() {
					return k.Default
				}
				return required(other)
			})
			h, d := host, domain
			if what == "host" {
				h = with
			} else {
				d = with
			}
			got, err := parse(h, d)
			if diff := cmp.Diff(resolved(without), resolved(got), cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); err != nil || diff != "" {
				t.Errorf("%s: %s = %s is not what leaving it out is: %v\n%s", what, k.Path(), k.Default, err, diff)
			}
		}
	}
}

// resolved is a spec in which what is left out is said.
func resolved(s spec.Spec) spec.Spec {
	s.Host.Rotation, s.Host.Drain = s.RotationOf(spec.Domain{}), s.DrainOf(spec.Domain{})
	return s
}

// The reference has each key once, with all that is to be known of it.
func TestKeys(t *testing.T) {
	for what, keys := range map[string][]reference.Key{"host": reference.Host(), "domain": reference.Domain()} {
		seen := map[string]bool{}
		for _, k := range keys {
			if seen[k.Path()] {
				t.Errorf("%s: %s twice", what, k.Path())
			}
			seen[k.Path()] = true
			if k.Meaning == "" || k.Example == "" || !strings.HasSuffix(k.Meaning, ".") || k.Kind == reference.Text && k.Unit == "" && k.Words == nil {
				t.Errorf("%s: of %s something is missing", what, k.Path())
			}
			if k.Words != nil && k.Kind == reference.Text && !slices.Contains(k.Words, fmt.Sprint(value(k, k.Example))) {
				t.Errorf("%s: %s: the example is none of its words", what, k.Path())
			}
		}
	}
}
