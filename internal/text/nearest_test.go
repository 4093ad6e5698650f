package text_test

import (
	"testing"

	"mailsetup/internal/text"
)

func TestNearest(t *testing.T) {
	names := []string{"init", "add-domain", "remove-domain", "rotate-dkim", "rollback", "recover", "history"}
	for typed, want := range map[string]string{
		"add-domian": "add-domain", "rotate": "rotate-dkim", "roll": "rollback", "inti": "init", "recovery": "recover",
		"frobnicate": "", "r": "", "ro": "", "x": "", "": "",
	} {
		if got := text.Nearest(typed, names); got != want {
			t.Errorf("%q is taken for %q, want %q", typed, got, want)
		}
	}
}
