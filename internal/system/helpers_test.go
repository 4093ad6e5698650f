package system

import (
	"os"
	"path/filepath"
	"testing"

	"mailsetup/internal/state"
)

// regular is a file of root's.
func regular(content string, mode os.FileMode) state.Object {
	return state.Object{Kind: state.Regular, Mode: mode, Owner: state.Root, Content: []byte(content)}
}

func write(t *testing.T, file, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}
