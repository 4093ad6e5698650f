package text_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"mailsetup/internal/text"
)

func TestGate(t *testing.T) {
	var out bytes.Buffer
	gate := text.NewSafeWriter(&out)
	n, err := fmt.Fprintf(gate, "relayhost: mail leaves through %s\n\tnext\n", "[\x1b]0;x\a\u009bm\x7f\xff\r")
	if want := "relayhost: mail leaves through [\\x1b]0;x\\x07\\u009bm\\u007f\\xff\\x0d\n\tnext\n"; out.String() != want || n != 51 || err != nil {
		t.Errorf("%q, %d, %v", out.String(), n, err)
	}
	if text.NewSafeWriter(gate) != gate || text.Raw(gate) != &out || text.Raw(&out) != &out || text.NewSafeWriter(nil) != nil {
		t.Error("a gate behind a gate, or nothing behind it")
	}
	r, w := io.Pipe()
	_ = r.CloseWithError(io.ErrClosedPipe)
	if _, err := text.NewSafeWriter(w).Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a reader that is gone: %v", err)
	}
}

// What passes is still the same JSON.
func TestJSONThroughAGate(t *testing.T) {
	var out bytes.Buffer
	const said = "\x00\x1b[2J\x7f\u0085\u009b2J\u00e9 \xff \\x1b"
	if err := json.NewEncoder(text.NewSafeWriter(&out)).Encode(said); err != nil {
		t.Fatal(err)
	}
	got := ""
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != "\x00\x1b[2J\x7f\u0085\u009b2J\u00e9 \ufffd \\x1b" {
		t.Errorf("%q, %v", got, err)
	}
	for _, c := range out.String() {
		if c < ' ' && c != '\n' || c >= 0x7f && c <= 0x9f {
			t.Errorf("%q", out.String())
		}
	}
}
