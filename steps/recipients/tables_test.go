package recipients_test

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// What main.cf names is made where it is missing, and anew where a table of another type was
// made since; a type that needs a package, and aliases that another step makes, are left alone.
func TestTables(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*step.Input)
		want   string
	}{
		"as it is":       {func(*step.Input) {}, "postalias hash:/etc/aliases; postmap hash:/etc/postfix/virtual"},
		"another since":  {func(in *step.Input) { in.Facts.Postfix.Outdated = []string{"hash:/etc/postfix/virtual"} }, "postalias hash:/etc/aliases; postmap hash:/etc/postfix/virtual always"},
		"root's alias":   {func(in *step.Input) { in.Spec.Host.RootAlias = "ann@lab.example" }, "postmap hash:/etc/postfix/virtual"},
		"Debian 14":      {func(in *step.Input) { in.Facts.Postfix.Version = "3.11.7" }, "postalias hash:/etc/aliases; postmap cdb:/etc/postfix/access; postmap hash:/etc/postfix/virtual"},
		"a rotation":     {func(in *step.Input) { in.KeysOnly = true }, ""},
		"just installed": {func(in *step.Input) { in.Facts.Postfix.Fresh = true }, ""},
	} {
		in := steptest.Installed()
		in.Facts.Postfix.Version = "3.10.13"
		in.Facts.Postfix.Raw = map[string]string{"virtual_alias_maps": "hash:/etc/postfix/virtual", "relay_domains": "cdb:/etc/postfix/access"}
		tt.change(&in)
		got := ""
		st := steptest.Stage(t, steptest.Build(t, in), "Tables")
		for i, d := range st.Derived {
			if i > 0 {
				got += "; "
			}
			got += strings.Join(d.Argv, " ")
			if d.Always {
				got += " always"
			}
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if got != "" && (len(st.Units) != 1 || st.Units[0].Action != state.Reload || st.Units[0].Always) {
			t.Errorf("%s: units %+v", name, st.Units)
		}
	}
}

// A table of /etc/aliases of the wrong type is made anew as well.
func TestAliasesOfAnotherType(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.RootAlias = "ann@lab.example"
	in.Facts.Postfix.Outdated = []string{"hash:/etc/aliases"}
	if all := steptest.Stage(t, steptest.Build(t, in), "Aliases").Derived; len(all) != 1 || !all[0].Always {
		t.Errorf("derived %+v", all)
	}
}
