package spec_test

import (
	"runtime"
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
)

// Settings files that took the decoder minutes, and findings without end: one clear
// answer each, with work in proportion to the length of the file.
func TestUnreasonableFiles(t *testing.T) {
	const host = "version = 1\nhostname = \"mail.lab.example\"\ndomain = \"lab.example\"\n"
	const domain = "domain = \"lab.example\"\nselector = \"s\"\n"
	deep := strings.Repeat("a.", 100_000) + "a = 1\n"
	for name, tt := range map[string]struct {
		host, domain, want string
		findings           int
	}{
		"a deep host file":   {host + deep, domain, "/etc/mailsetup/host.toml:4: is nested too deeply", 1},
		"a deep domain":      {host, domain + deep, "/etc/mailsetup/domains.d/lab.example.toml:3: is nested too deeply", 1},
		"a long file":        {host, domain + strings.Repeat("#\n", 1<<20), "/etc/mailsetup/domains.d/lab.example.toml: is too long: 2048 KiB, and a settings file has at most 256", 1},
		"wrong values":       {host, domain + "identities = [" + strings.Repeat(`"a",`, 50_000) + "]\n", `/etc/mailsetup/domains.d/lab.example.toml:3: identities "a" is not two words`, 20},
		"keys without end":   {host, domain + strings.Repeat("x", 100_000) + " = 1\n", "/etc/mailsetup/domains.d/lab.example.toml:3: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: is no key of this file", 1},
		"tables without end": {host, domain + "[x]\n" + strings.Repeat("[[y]]\n", 30_000), "/etc/mailsetup/domains.d/lab.example.toml:3: x: is no key of this file", 20},
	} {
		before := allocated()
		_, err := spec.Parse([]byte(tt.host), map[string][]byte{"lab.example": []byte(tt.domain)})
		f, _ := err.(syntax.Findings)
		if len(f) != tt.findings || f[0].String()[:min(len(f[0].String()), len(tt.want))] != tt.want {
			t.Errorf("%s: %d findings, %.300s", name, len(f), err)
		}
		if each := (allocated() - before) / uint64(len(tt.host)+len(tt.domain)); each > 5_000 {
			t.Errorf("%s: %d octets of memory for each of the text", name, each)
		}
	}
}

// allocated is how much memory was asked for so far, in all.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
