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

// What an administrator has Debian's ACL check is theirs; our macro is nobody's setting.
func TestChecksOfIncomingMail(t *testing.T) {
	const macros, ours = "/etc/exim4/exim4.conf.localmacros", "# mailsetup: incoming mail\nCHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mailsetup.rcpt\n# mailsetup: end of incoming mail\n"
	got := find(t, "false", map[state.Path]string{macros: ours + "CHECK_RCPT_SPF = true\n"}).Checks
	if d := cmp.Diff(map[string]state.EximMacro{"CHECK_RCPT_SPF": {Value: "true", At: macros + ":4"}}, got); d != "" {
		t.Error(d)
	}
	got = find(t, "true", map[state.Path]string{
		"/etc/exim4/conf.d/main/00_mailsetup_inbound": "CHECK_RCPT_LOCAL_ACL_FILE = /etc/exim4/mailsetup.rcpt\n", macros: "CHECK_RCPT_SPF = true\n",
	}).Checks
	if len(got) > 0 {
		t.Errorf("%+v", got)
	}
	for text, included := range map[string]bool{".include_if_exists /etc/exim4/mailsetup.rcpt\n": true, "deny\n": false} {
		m := find(t, "true", map[state.Path]string{"/etc/exim4/conf.d/main/00_local": "CHECK_RCPT_LOCAL_ACL_FILE = CONFDIR/mine\n", "/etc/exim4/mine": text}).Checks["CHECK_RCPT_LOCAL_ACL_FILE"]
		if m.Value != "CONFDIR/mine" || m.At != "/etc/exim4/conf.d/main/00_local:1" || m.Includes != included {
			t.Errorf("%q: %+v", text, m)
		}
	}
}
