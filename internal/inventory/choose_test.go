package inventory_test

import (
	"slices"
	"testing"

	"mailsetup/internal/hint"
	"mailsetup/internal/inventory"
	"mailsetup/internal/spec"
)

func TestChoose(t *testing.T) {
	sp := spec.Spec{Domains: []spec.Domain{{Name: "lab.example"}, {Name: "xn--bcher-kva.example"}}}
	for _, tt := range []struct{ given, want []string }{
		{nil, []string{"lab.example", "xn--bcher-kva.example"}},
		{[]string{"LAB.example."}, []string{"lab.example"}},
		{[]string{"bücher.example", "lab.example", "xn--bcher-kva.example"}, []string{"xn--bcher-kva.example", "lab.example"}},
	} {
		list, err := inventory.Choose(sp, tt.given)
		var got []string
		for _, d := range list {
			got = append(got, d.Name)
		}
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v, %v", tt.given, got, err)
		}
	}
	for given, want := range map[string]string{
		"shop.example": "it has lab.example, xn--bcher-kva.example",
		"no domain":    "a name such as example.org",
	} {
		_, err := inventory.Choose(sp, []string{given})
		if !hint.IsUsage(err) || !slices.Contains(hint.Of(err), want) {
			t.Errorf("%s: %v, hints %q", given, err, hint.Of(err))
		}
	}
}
