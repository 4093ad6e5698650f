package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Install builds mailsetup from this source tree, as the release does, and
// puts it into the box as /usr/local/bin/mailsetup.
func (b *Box) Install(t T) {
	t.Helper()
	b.program(t, "./cmd/mailsetup", "/usr/local/bin/mailsetup")
}

// probePath is the lab's own helper inside a box: sink, client and verifiers.
const probePath = "/usr/local/lib/lab/probe"

func (b *Box) probe(t T) {
	t.Helper()
	if !b.Exists(probePath) {
		b.program(t, "./internal/e2e/cmd/probe", probePath)
	}
}

// program builds a main package statically and copies it into the box. The
// program is kept, so that go build has nothing to do the next time.
func (b *Box) program(t T, pkg, path string) {
	t.Helper()
	source, err := sourceTree()
	if err != nil {
		t.Fatalf("build %s: %v", pkg, err)
	}
	// Working copies that share a lab do not share programs.
	sum := sha256.Sum256([]byte(source))
	built := filepath.Join(b.lab.programs(), filepath.Base(pkg)+"-"+hex.EncodeToString(sum[:6]))
	held, err := lockFile(built+".lock", syscall.LOCK_EX)
	if err != nil {
		t.Fatalf("build %s: %v", pkg, err)
	}
	defer held.Close()
	cmd := exec.Command("go", "build", "-trimpath", "-o", built, pkg)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	data, err := os.ReadFile(built)
	if err != nil {
		t.Fatalf("build %s: %v", pkg, err)
	}
	b.Write(t, path, string(data), 0o755)
}

// sourceTree is the directory of the module around the working directory.
func sourceTree() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if mod == "" || mod == os.DevNull {
		return "", errors.New("the working directory is in no Go module")
	}
	return filepath.Dir(mod), nil
}
