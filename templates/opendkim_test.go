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

// TestWhatWasThereReplacesOurs: what a set-up said before stands in the place of
// our lines, and the daemon takes it.
func TestWhatWasThereReplacesOurs(t *testing.T) {
	o, file := install(t)
	o.Overrides = []string{
		"canonicalization simple/simple", "OversignHeaders", "SignHeaders From,To,Subject", "TrustAnchorFile", "On-BadSignature reject", "Mode s",
	}
	text := must(t)(templates.OpenDKIMConf(o))
	got := tail(string(text), 6)
	want := "LogWhy                  yes\n\n# From the set-up that was here before; see opendkim in host.toml.\n" +
		"SignHeaders             From,To,Subject\nOn-BadSignature         reject\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for line, times := range map[string]int{
		"\ncanonicalization        simple/simple\n": 1, "Canonicalization": 0, "\nOversignHeaders": 0, "\nMode                    s\n": 1, "\nMode ": 1, "\nOn-SignatureError": 1,
	} {
		if n := strings.Count(string(text), line); n != times {
			t.Errorf("%q is there %d times, want %d:\n%s", line, n, times, text)
		}
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := opendkim(t, "", "-n", "-x", file); err != nil {
		t.Errorf("refused: %v\n%s", err, out)
	}
	for _, line := range []string{"", "A b\nKeyTable x", "A # b"} {
		o.Overrides = []string{line}
		if text, err := templates.OpenDKIMConf(o); err == nil {
			t.Errorf("%q: accepted:\n%s", line, text)
		}
	}
}

func tail(text string, n int) string {
	lines := strings.SplitAfter(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
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
		{o.SigningTable, ".b.example/2", "'202611._domainkey.b.example'\n'@b.example'"},
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
