package exim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/exim"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
)

const byHand = "DKIM_DOMAIN = lab.example\nDKIM_SELECTOR = s\nDKIM_PRIVATE_KEY = CONFDIR/dkim.key\n"

func find(t *testing.T, split string, files map[state.Path]string) *state.Exim {
	t.Helper()
	m := detecttest.New()
	for p, text := range files {
		m.PutFile(p, text)
	}
	m.PutFile("/etc/exim4/update-exim4.conf.conf", "dc_eximconfig_configtype='internet'\ndc_use_split_config='"+split+"'\n")
	f := state.Facts{Installed: map[string]bool{"exim4-daemon-light": true}}
	if err := exim.Find(t.Context(), m, source.Options{}, &f); err != nil {
		t.Fatal(err)
	}
	return f.Exim
}

// DKIM that somebody has set up by hand is read where exim4 reads it.
func TestByHand(t *testing.T) {
	const macros, split = "/etc/exim4/exim4.conf.localmacros", "/etc/exim4/conf.d/main/01_dkim"
	hand := func(at string) *state.EximDKIM {
		return &state.EximDKIM{Domain: "lab.example", Selector: "s", Key: "/etc/exim4/dkim.key", At: at}
	}
	for _, tt := range []struct {
		name, split string
		files       map[state.Path]string
		hand        *state.EximDKIM
		signs       []string
		ignored     state.Path
	}{
		{"nothing", "false", map[state.Path]string{macros: "# DKIM_CANON = relaxed\n"}, nil, nil, ""},
		{"not split", "false", map[state.Path]string{macros: byHand}, hand(macros + ":3"), []string{macros + ":1", macros + ":2", macros + ":3"}, ""},
		{"split", "true", map[state.Path]string{split: "\n" + byHand}, hand(split + ":4"), []string{split + ":2", split + ":3", split + ":4"}, ""},
		{"where nobody reads it", "true", map[state.Path]string{macros: byHand}, nil, nil, macros},
		{
			"below lines of ours", "false",
			map[state.Path]string{macros: "# mailsetup: DKIM\nDKIM_DOMAIN = x\n# mailsetup: end of DKIM\n" + byHand},
			hand(macros + ":6"),
			[]string{macros + ":4", macros + ":5", macros + ":6"},
			"",
		},
		{"not understood", "false", map[state.Path]string{macros: byHand + "DKIM_STRICT = 1\n"}, nil, []string{macros + ":4", macros + ":1", macros + ":2", macros + ":3"}, ""},
	} {
		e := find(t, tt.split, tt.files)
		if d := cmp.Diff([]any{tt.hand, tt.signs, tt.ignored}, []any{e.Hand, e.Signs, e.Ignored}); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
