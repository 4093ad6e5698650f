package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/console"
	"mailsetup/internal/text"
)

func TestFlagsFirst(t *testing.T) {
	for _, tt := range []struct{ name, given, want string }{
		{"nothing", "mailsetup", "mailsetup"},
		{"flags of the program", "mailsetup --version", "mailsetup --version"},
		{"in order already", "mailsetup rollback --dry-run ID", "mailsetup rollback --dry-run ID"},
		{"after a positional", "mailsetup rollback ID --dry-run", "mailsetup rollback --dry-run ID"},
		{"short", "mailsetup rollback ID -n", "mailsetup rollback -n ID"},
		{"with a value", "mailsetup rollback ID --root DIR -n", "mailsetup rollback --root DIR -n ID"},
		{"with = and a value", "mailsetup rollback ID --root=DIR X", "mailsetup rollback --root=DIR ID X"},
		{"a boolean takes no value", "mailsetup rollback --yes ID", "mailsetup rollback --yes ID"},
		{"a boolean with a value", "mailsetup rollback ID --yes=false", "mailsetup rollback --yes=false ID"},
		{"the value looks like a flag", "mailsetup init x --domain --yes", "mailsetup init --domain --yes x"},
		{"the value is missing", "mailsetup init x --domain", "mailsetup init --domain x"},
		{"after --", "mailsetup rollback -n -- --root", "mailsetup rollback -n -- --root"},
		{"before and after --", "mailsetup rollback ID -n -- -x", "mailsetup rollback -n ID -- -x"},
		{"a dash is no flag", "mailsetup rollback - -n", "mailsetup rollback -n -"},
		{"repeated", "mailsetup init x --ip A y --ip B", "mailsetup init --ip A --ip B x y"},
		{"an unknown flag", "mailsetup rollback ID --frob", "mailsetup rollback --frob ID"},
		{"an unknown command", "mailsetup frob ID -n", "mailsetup frob ID -n"},
		{"flags before the command", "mailsetup --help rollback ID -n", "mailsetup --help rollback -n ID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := flagsFirst(app(console.Console{}), strings.Fields(tt.given))
			if d := cmp.Diff(strings.Fields(tt.want), got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFlagError(t *testing.T) {
	for given, want := range map[string]string{
		"flag provided but not defined: -frob":                           "no flag --frob",
		"flag provided but not defined: -x":                              "no flag -x",
		"flag needs an argument: -domain":                                "--domain needs a value",
		`invalid boolean value "maybe" for -yes: parse error`:            `invalid boolean value "maybe" for -yes: parse error`,
		"flag provided but not defined: -" + strings.Repeat("long", 100): "no flag --" + strings.Repeat("long", 42),
	} {
		if got := text.FlagError(errors.New(given)); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}
