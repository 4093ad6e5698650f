// Package jsondoctest judges what --json prints by the schema in docs/schema.
package jsondoctest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validate returns an error unless a text is one document of the contract, without a field
// that the contract does not have.
func Validate(text string) error {
	schema, err := strict()
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return fmt.Errorf("no JSON: %w:\n%.500s", err, text)
	}
	if rest := strings.TrimSpace(text[dec.InputOffset():]); rest != "" {
		return fmt.Errorf("more than one document: %.500s", rest)
	}
	if object, is := doc.(map[string]any); is { // the schema of it alone gives a short answer
		if name, is := object["document"].(string); is && schema[name] != nil {
			return schema[name].Validate(doc)
		}
	}
	return fmt.Errorf("none of our documents:\n%.500s", text)
}

// Root returns the directory of this source, above that of the test.
func Root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, found := os.Stat(filepath.Join(dir, "go.mod")); found == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", os.ErrNotExist
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// File is where the schema is in the source.
const File = "docs/schema/mailsetup.schema.json"

// strict returns the schema of each document, which knows no further fields: others may
// read documents with fields that were added, and our own tests must not.
var strict = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, File))
	if err != nil {
		return nil, err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	closeObjects(value)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:schema", value); err != nil {
		return nil, err
	}
	all := map[string]*jsonschema.Schema{}
	for name, def := range value.(map[string]any)["$defs"].(map[string]any) {
		if properties, is := def.(map[string]any)["properties"].(map[string]any); !is || properties["document"] == nil {
			continue
		}
		if all[name], err = c.Compile("mem:schema#/$defs/" + name); err != nil {
			return nil, err
		}
	}
	return all, nil
})

// closeObjects forbids further fields in all objects of a schema.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, is := v["properties"].(map[string]any); is {
			v["additionalProperties"] = false
		}
		for _, inside := range v {
			closeObjects(inside)
		}
	case []any:
		for _, inside := range v {
			closeObjects(inside)
		}
	}
}
