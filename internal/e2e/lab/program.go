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
	"sync"
	"syscall"
)

// Install builds mailsetup from this source tree, as the release does, and
// puts it into the box as /usr/local/bin/mailsetup. The box gets a user ann as
// well, who has a mailbox and so may read root's mail.
func (b *Box) Install(t T) {
	t.Helper()
	if b.staged() {
		return
	}
	b.Sh(t, "id -u ann >/dev/null 2>&1 || useradd -m ann")
	b.put(t, productPackage, "/usr/local/bin/mailsetup")
}

const (
	productPackage = "./cmd/mailsetup"
	probePackage   = "./internal/e2e/cmd/probe"
)

// probePath is the lab's own helper inside a box: sink, client and verifiers.
const probePath = "/usr/local/lib/lab/probe"

func (b *Box) probe(t T) {
	t.Helper()
	if !b.Exists(probePath) {
		b.put(t, probePackage, probePath)
	}
}

// put puts a main package, built statically, into the box.
func (b *Box) put(t T, pkg, path string) {
	t.Helper()
	program, err := b.lab.program(pkg)
	if err != nil {
		t.Fatalf("%v", err)
	}
	b.Write(t, path, program, 0o755)
}

// program is a main package, built statically.
func (l *Lab) program(pkg string) (string, error) {
	build, _ := programs.LoadOrStore(pkg, sync.OnceValues(func() (string, error) { return l.compile(pkg) }))
	program, err := build.(func() (string, error))()
	if err != nil {
		return "", fmt.Errorf("build %s: %w", pkg, err)
	}
	return program, nil
}

// programs are those that this process has built, by package: a second of go
// build to see that there is nothing to do is too much for each of a hundred
// boxes.
var programs sync.Map

// compile builds a main package. The program is kept, so that go build has
// nothing to do in the next process.
func (l *Lab) compile(pkg string) (string, error) {
	source, err := sourceTree()
	if err != nil {
		return "", err
	}
	// Working copies that share a lab do not share programs.
	sum := sha256.Sum256([]byte(source))
	built := filepath.Join(l.programs(), filepath.Base(pkg)+"-"+hex.EncodeToString(sum[:6]))
	held, err := lockFile(built+".lock", syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer held.Close()
	cmd := exec.Command("go", "build", "-trimpath", "-o", built, pkg)
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	data, err := os.ReadFile(built)
	return string(data), err
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
