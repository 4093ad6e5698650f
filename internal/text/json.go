package text

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
)

// WriteJSON prints a value as indented data. A list is encoded item by item: the text of one
// that is about thousands of domains takes several times the memory of the list.
func WriteJSON(w io.Writer, v any) error {
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice || list.Len() == 0 {
		text, err := indented(v, "")
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", text)
		}
		return err
	}
	var out bytes.Buffer // written whole items at a time
	out.WriteString("[\n  ")
	for i := range list.Len() {
		item, err := indented(list.Index(i).Interface(), "  ")
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteString(",\n  ")
		}
		if out.Write(item); out.Len() > 64<<10 {
			if _, err := w.Write(out.Bytes()); err != nil {
				return err
			}
			out.Reset()
		}
	}
	out.WriteString("\n]\n")
	_, err := w.Write(out.Bytes())
	return err
}

// indented encodes a value; each line but the first begins with the prefix.
func indented(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent(prefix, "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
