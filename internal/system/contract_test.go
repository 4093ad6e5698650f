package system_test

import (
	"os"
	"path/filepath"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

func newImage(t *testing.T, dir string) *system.Image {
	t.Helper()
	m, err := system.NewRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestContractImage(t *testing.T) {
	systemtest.Contract(t, func(t *testing.T) system.System {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		return newImage(t, dir)
	})
}

func TestContractHost(t *testing.T) {
	h := system.NewHost(system.Options{})
	if !h.Root() {
		t.Skip("owners can only be set by root")
	}
	systemtest.ContractAt(t, func(t *testing.T) (system.System, state.Path) {
		return h, state.Path(t.TempDir())
	})
}
