package internal_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// Pure packages reach neither the machine nor the network: directly for the
// standard library (fmt pulls in os already), transitively for our own.
func TestPurePackagesStayPure(t *testing.T) {
	const format = `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`
	out, err := exec.Command("go", "list", "-f", format, "mailsetup/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	pure := strings.Fields("steps templates keygen zonefile internal/spec internal/keyring internal/state internal/edits internal/opendkim internal/milters internal/mastercf internal/policy")
	seen := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "|")
		if !slices.Contains(pure, strings.TrimPrefix(f[0], "mailsetup/")) {
			continue
		}
		seen++
		for _, bad := range []string{"os", "os/exec", "net", "syscall"} {
			if slices.Contains(strings.Fields(f[1]), bad) {
				t.Errorf("%s imports %s", f[0], bad)
			}
		}
		if slices.Contains(strings.Fields(f[2]), "mailsetup/internal/system") {
			t.Errorf("%s reaches internal/system", f[0])
		}
	}
	if seen != len(pure) {
		t.Errorf("looked at %d pure packages, want %d", seen, len(pure))
	}
}

// Only the wizard knows huh, only cmd knows the command line library.
func TestLibrariesHaveOneHome(t *testing.T) {
	homes := map[string]string{
		"github.com/charmbracelet/huh": "mailsetup/internal/wizard",
		"github.com/urfave/cli/v2":     "mailsetup/cmd/mailsetup",
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}`, "mailsetup/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), "|")
		for lib, home := range homes {
			if slices.Contains(strings.Fields(imports), lib) && pkg != home {
				t.Errorf("%s imports %s, which belongs to %s", pkg, lib, home)
			}
		}
	}
}
