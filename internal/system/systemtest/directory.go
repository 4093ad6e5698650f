package systemtest

import (
	"os"
	"path/filepath"
	"testing"

	"mailsetup/internal/state"
)

// Directory returns a directory that stands for a machine, with files that everybody may
// read.
func Directory(t *testing.T, files map[state.Path][]byte) string {
	t.Helper()
	root := t.TempDir()
	for p, text := range files {
		file := filepath.Join(root, string(p))
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if err == nil {
			err = os.WriteFile(file, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}
