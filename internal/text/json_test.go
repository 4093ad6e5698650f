package text_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/text"
)

type item struct {
	Name  string   `json:"name"`
	Notes []string `json:"notes,omitempty"`
}

// What is encoded item by item is what the encoder makes of all of it, and no item, which may
// be a character of several octets, is cut between two writes.
func TestWriteJSON(t *testing.T) {
	long := []item{}
	for range 3000 {
		long = append(long, item{"größer <a&b>", []string{strings.Repeat("ü", 20)}})
	}
	for what, v := range map[string]any{
		"nothing": []item{}, "no list": nil, "nil": []item(nil), "one": []item{{Name: "a"}}, "no slice": item{"a", []string{"b"}},
		"texts": []string{"a", "b"}, "many": long, "mixed": []any{1, item{Name: "a"}, nil},
	} {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		var got whole
		if err := text.WriteJSON(&got, v); err != nil || got.String() != want.String() {
			t.Errorf("%s: %v\n%.200s\nwant\n%.200s", what, err, got.String(), want.String())
		}
		if got.torn {
			t.Errorf("%s: a write ends within an item", what)
		}
	}
	if err := text.WriteJSON(full{}, long); err == nil {
		t.Error("a full disk is no error")
	}
	if err := text.WriteJSON(&bytes.Buffer{}, []any{func() {}}); err == nil {
		t.Error("what is no data is no error")
	}
}

// whole notes a write that ends elsewhere than after an item.
type whole struct {
	bytes.Buffer
	torn bool
}

func (w *whole) Write(p []byte) (int, error) {
	end := p[len(p)-1]
	w.torn = w.torn || end != '}' && end != '\n'
	return w.Buffer.Write(p)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
