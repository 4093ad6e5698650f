package templates_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mailsetup/templates"
)

// opendkim runs the real program.
func opendkim(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("opendkim")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/opendkim"); err != nil {
			t.Skip("SKIPPED: opendkim is missing, install Debian package opendkim")
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// install writes what is rendered into a directory and returns the paths.
func install(t *testing.T) (templates.OpenDKIM, string) {
	t.Helper()
	dir := t.TempDir()
	o := conf()
	o.KeyTable, o.SigningTable, o.TrustedHosts = filepath.Join(dir, "KeyTable"), filepath.Join(dir, "SigningTable"), filepath.Join(dir, "TrustedHosts")
	o.TrustAnchor = "" // a file of another package
	file := filepath.Join(dir, "opendkim.conf")
	for path, text := range map[string][]byte{
		o.KeyTable:     must(t)(templates.KeyTable(keyRows())),
		o.SigningTable: must(t)(templates.SigningTable(signingRows())),
		o.TrustedHosts: must(t)(templates.TrustedHosts(hosts(t, "192.0.2.10/32", "2001:db8::/64"))),
		file:           must(t)(templates.OpenDKIMConf(o)),
	} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return o, file
}

func TestOpenDKIMAcceptsTheConfiguration(t *testing.T) {
	_, file := install(t)
	if out, err := opendkim(t, "", "-n", "-x", file); err != nil {
		t.Errorf("refused: %v\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte("\nUMask "), []byte("\nUMasc "), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := opendkim(t, "", "-n", "-x", file); err == nil {
		t.Errorf("a misspelt keyword is accepted, so acceptance proves nothing: %s", out)
	}
}

// TestOpenDKIMFindsTheRows asks the daemon's own table code.
func TestOpenDKIMFindsTheRows(t *testing.T) {
	o, _ := install(t)
	for _, tt := range []struct{ table, query, want string }{
		{o.SigningTable, "any.example/1", "'202611._domainkey.any.example'"},
		{o.SigningTable, ".b.example/1", "'202611._domainkey.b.example'"},
		{o.KeyTable, "202611._domainkey.b.example/3", "'b.example'\n'202611'\n'/etc/dkimkeys/b.example/202611.private'"},
	} {
		out, err := opendkim(t, "file:"+tt.table+"\n"+tt.query+"\n", "-Q")
		if err != nil || strings.TrimSpace(strings.ReplaceAll(out, "> ", "")) != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.query, out, err, tt.want)
		}
	}
	out, err := opendkim(t, "file:"+o.SigningTable+"\nnosuch.example/1\n", "-Q")
	if err != nil || strings.Contains(out, "_domainkey") {
		t.Errorf("a domain without a row: %q, %v", out, err)
	}
}
