package recipients_test

import (
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
	if d := cmp.Diff([]state.Setting{{Name: "root", Value: "ops@lab.example"}}, edit.Set); d != "" {
		t.Error(d)
	}
	if len(st.Derived) != 1 || st.Derived[0].Path != "/etc/aliases.db" {
		t.Errorf("derived %v, want aliases.db", st.Derived)
	}
}
