package completion_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/completion"
)

func program() completion.Program {
	return completion.Program{
		Flags: []completion.Flag{{Names: []string{"--version", "-v"}, Help: "the version"}},
		Commands: []completion.Command{
			{Name: "init", Help: "set up", Flags: []completion.Flag{
				{Names: []string{"--dns"}, Help: "`WHERE` records go: bind or manual", Value: "WHERE"},
				{Names: []string{"--selector"}, Help: "`NAME` of the key", Value: "NAME"},
				{Names: []string{"--domain"}, Help: "`DOMAIN`", Value: "DOMAIN"},
				{Names: []string{"--key"}, Help: "`FILE`", Value: "FILE"},
				{Names: []string{"--root"}, Help: "`DIR`", Value: "DIR"},
				{Names: []string{"--note"}, Help: "`TEXT`", Value: "TEXT"},
				{Names: []string{"--yes", "-y"}, Help: "do not ask"},
			}},
			{Name: "status", Help: "show keys"},
			{Name: "check", Help: "will mail arrive", Flags: []completion.Flag{{Names: []string{"--only"}, Help: "`IDS`", Value: "IDS"}}},
			{Name: "rollback", Help: "take back", Flags: []completion.Flag{{Names: []string{"--root"}, Help: "`DIR`", Value: "DIR"}}},
			{Name: "recover", Help: "put back"},
			{Name: "help", Help: "help"},
			{Name: "__complete", Hidden: true},
		},
	}
}

// tree is a machine with two domains and two runs.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"etc/mailsetup/domains.d/a.example.toml":          "selector = \"s1\"\n",
		"etc/mailsetup/domains.d/b.example.toml":          "# selector = \"no\"\n  selector=\"s2\"\n",
		"etc/mailsetup/domains.d/b.example.toml~":         "",
		"etc/mailsetup/domains.d/.toml":                   "",
		"var/lib/mailsetup/keyring/a.example.json":        "{\"keys\": [\n{\n  \"selector\": \"s3\",\n",
		"var/lib/mailsetup/journal/20261130T1-abcd/x":     "",
		"var/lib/mailsetup/journal/20261201T1-abcd/run.j": "",
	} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestComplete(t *testing.T) {
	root := tree(t)
	for typed, want := range map[string]string{
		"":                                    "init status check rollback recover help",
		"r":                                   "rollback recover",
		"-":                                   "--version --help",
		"__":                                  "",
		"nonsense ":                           "",
		"--version st":                        "status",
		"init --d":                            "--dns --domain",
		"init -":                              "--dns --selector --domain --key --root --note --yes --help",
		"init --dns ":                         "bind rfc2136 hook slots delegate manual",
		"init --dns=m":                        "--dns=manual",
		"init --dns = m":                      "manual",
		"init --dns =":                        "bind rfc2136 hook slots delegate manual",
		"init --dns manual --k":               "--key",
		"init --key ":                         ":files",
		"init --key /e":                       ":files",
		"init --root=/e":                      ":dirs",
		"init --note ":                        "",
		"init --note --d":                     "", // the value of --note
		"init --yes ":                         "",
		"init --domain ":                      "a.example b.example",
		"init --selector ":                    "s1 s2 s3",
		"init --domain b.example --sel":       "--selector",
		"init --domain b.example --selector ": "s2",
		"init --domain=a.example --selector ": "s1 s3",
		"status ":                             "a.example b.example",
		"status b":                            "b.example",
		"status b.example ":                   "a.example",
		"status -- -":                         "",
		"check --only spf.al":                 "spf.all",
		"check --only dmarc,spf.al":           "dmarc,spf.all",
		"rollback ":                           "20261201T1-abcd 20261130T1-abcd",
		"rollback 20261130T1-abcd ":           "",
		"help re":                             "recover",
		"recover ":                            "",
	} {
		var got []string
		for _, c := range program().Complete(strings.Split(typed, " "), completion.Sources{Root: root}) {
			got = append(got, c.Word)
		}
		if !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

// Where nothing is set up, or may be read, nothing is offered.
func TestCompleteWithoutAnything(t *testing.T) {
	for _, typed := range []string{"status ", "rollback ", "init --selector "} {
		if got := program().Complete(strings.Split(typed, " "), completion.Sources{Root: t.TempDir()}); len(got) > 0 {
			t.Errorf("%q: %v", typed, got)
		}
	}
	if got := program().Complete(nil, completion.Sources{}); len(got) != 6 || got[0] != (completion.Candidate{Word: "init", Help: "set up"}) {
		t.Errorf("without a word: %v", got)
	}
}

func FuzzComplete(f *testing.F) {
	f.Add("init --dns = m")
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, typed string) {
		program().Complete(strings.Split(typed, " "), completion.Sources{Root: root})
	})
}

// Each shell that is named has a script, and asks what it is to ask.
func TestScripts(t *testing.T) {
	for _, shell := range completion.Shells() {
		if script := completion.Script(shell); !strings.Contains(script, " __complete ") {
			t.Errorf("%s:\n%s", shell, script)
		}
	}
	if completion.Script("csh") != "" {
		t.Error("a script for csh")
	}
}
