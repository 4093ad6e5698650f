package console_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/internal/console"
)

// A list may stand in a file or come from a pipe, and neither fills the memory.
func TestReadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		most int64
		want string
		err  string
	}{
		{file, 5, "12345", ""},
		{file, 4, "", file + ": is longer than 4 octets"},
		{"-", 5, "typed", ""},
		{"-", 4, "", "-: is longer than 4 octets"},
		{file + "s", 5, "", "open " + file + "s: no such file or directory"},
	} {
		got, err := console.Console{In: strings.NewReader("typed")}.ReadFile(t.Context(), tt.name, tt.most)
		if string(got) != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
			t.Errorf("%s of %d: %q, %v", tt.name, tt.most, got, err)
		}
	}
}
