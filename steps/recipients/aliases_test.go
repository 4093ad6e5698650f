package recipients_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps/steptest"
)

func TestAliases(t *testing.T) {
	in := steptest.Installed()
	in.Spec.Host.RootAlias = "ops@lab.example"
	in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte("# See man 5 aliases\npostmaster:    root\n")}
	st := steptest.Stage(t, steptest.Build(t, in), "Aliases")
	edit := st.Edits[0].(state.AliasEdit)
	if d := cmp.Diff([]state.Setting{{Name: "root", Value: "ops@lab.example"}, {Name: "abuse", Value: "root"}}, edit.Set); d != "" {
		t.Error(d)
	}
	if len(st.Derived) != 1 || st.Derived[0].Path != "/etc/aliases.db" {
		t.Errorf("derived %v, want aliases.db", st.Derived)
	}
}

// Mail for abuse goes where that for postmaster goes, unless somebody has it.
func TestAliasForAbuse(t *testing.T) {
	for _, tt := range []struct{ aliases, users, maps, want string }{
		{"postmaster: root\n", "root:x:0:0::/root:/bin/sh\n", "hash:/etc/aliases", "root: ops@lab.example, abuse: root"},
		{"", "", "hash:/etc/aliases", "root: ops@lab.example, postmaster: root, abuse: root"},
		{"postmaster: root\nAbuse: ann\n", "", "hash:/etc/aliases", "root: ops@lab.example"},
		{"postmaster: root\n", "abuse:x:1000:1000::/home/abuse:/bin/sh\n", "hash:/etc/aliases", "root: ops@lab.example"},
		{"postmaster: root\n", "", "hash:/etc/aliases, hash:/etc/mail/lists", "root: ops@lab.example"},
	} {
		in := steptest.Installed()
		in.Spec.Host.RootAlias = "ops@lab.example"
		in.Facts.Postfix.Value["alias_maps"] = tt.maps
		in.Facts.Files = map[state.Path][]byte{"/etc/aliases": []byte(tt.aliases), "/etc/passwd": []byte(tt.users)}
		got := ""
		for i, s := range steptest.Stage(t, steptest.Build(t, in), "Aliases").Edits[0].(state.AliasEdit).Set {
			if i > 0 {
				got += ", "
			}
			got += s.Name + ": " + s.Value
		}
		if got != tt.want {
			t.Errorf("%q, users %q, %s: %s, want %s", tt.aliases, tt.users, tt.maps, got, tt.want)
		}
	}
}

// Postfix of Debian 14 makes tables of type cdb, and reads no other unless told to.
func TestAliasesOfAPostfixThatIsToBeInstalled(t *testing.T) {
	for release, want := range map[string][]string{
		"12": {"postalias", "hash:/etc/aliases"}, "13": {"postalias", "hash:/etc/aliases"}, "14": {"postalias", "cdb:/etc/aliases"},
	} {
		in := steptest.Bare()
		in.Facts.Release = state.Release{ID: "debian", Version: release}
		in.Spec.Host.RootAlias = "ops@lab.example"
		st := steptest.Stage(t, steptest.Build(t, in), "Aliases")
		if len(st.Derived) != 1 || !slices.Equal(st.Derived[0].Argv, want) {
			t.Errorf("Debian %s: derived %v, want by %q", release, st.Derived, want)
		}
	}
}
