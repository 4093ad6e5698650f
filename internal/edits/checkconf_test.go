package edits

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// BIND's own checker reads what Named writes, after any text that it reads
// without.
func TestNamedCheckconf(t *testing.T) {
	checker, err := exec.LookPath("named-checkconf")
	if err != nil {
		t.Skip("named-checkconf (package bind9-utils) is not installed")
	}
	for name, current := range map[string]string{
		"empty":            "",
		"no final newline": "acl inside { 192.0.2.0/24; };",
		"comments":         "// one\n# two\n/* zone \"shop.example\" { */\n",
		"another zone":     "zone \"b.example\" { type primary; file \"/b\"; };\n",
	} {
		text, err := Named(namedEdit(), []byte(current))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		second := namedEdit()
		second.Zones[0] = state.NamedZone{Origin: "c.example", File: "/var/lib/bind/c.zone"}
		if text, err = Named(second, text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := filepath.Join(t.TempDir(), "named.conf.local")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(checker, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s\n%s", name, err, out, text)
		}
		out, err := exec.Command(checker, "-p", file).Output()
		if err != nil || len(out) == 0 {
			t.Errorf("%s: print: %v", name, err)
		}
		for _, want := range []string{"zone \"shop.example\" {\n\ttype primary;", "zone \"c.example\" {\n\ttype primary;"} {
			if n := strings.Count(string(out), want); n != 1 {
				t.Errorf("%s: %q is there %d times in\n%s", name, want, n, out)
			}
		}
	}
}
