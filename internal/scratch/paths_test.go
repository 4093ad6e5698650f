package scratch_test

import (
	"strings"
	"testing"

	"mailsetup/internal/scratch"
	"mailsetup/internal/state"
)

func TestPathsInText(t *testing.T) {
	m := scratch.NewPaths("/S", []state.Path{"/etc/opendkim/KeyTable", "/etc/opendkim", "/etc/bind/a.zone", "/etc/bind/Meine Zone.db"})
	for in, want := range map[string]string{
		"KeyTable file:/etc/opendkim/KeyTable\n":             "KeyTable file:/S/etc/opendkim/KeyTable\n",
		"/etc/opendkim/KeyTable":                             "/S/etc/opendkim/KeyTable",
		"/etc/opendkim/KeyTable2 /etc/opendkim/Other":        "/etc/opendkim/KeyTable2 /etc/opendkim/Other",
		`$INCLUDE "/etc/bind/a.zone" d.example.`:             `$INCLUDE "/S/etc/bind/a.zone" d.example.`,
		"/srv/etc/bind/a.zone /etc/bind/a.zone~":             "/srv/etc/bind/a.zone /etc/bind/a.zone~",
		`file "/etc/bind/Meine Zone.db";`:                    `file "/S/etc/bind/Meine Zone.db";`,
		"csl:/etc/opendkim,/etc/bind/a.zone;{/etc/opendkim}": "csl:/S/etc/opendkim,/S/etc/bind/a.zone;{/S/etc/opendkim}",
		"":            "",
		"ü \xff /etc": "ü \xff /etc",
	} {
		if got := string(m.InText([]byte(in))); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

// Going there and back again gives the text, whatever it is.
func FuzzPaths(f *testing.F) {
	f.Add("KeyTable file:/etc/opendkim/KeyTable\n")
	f.Add("\xff/etc/a\x00 /etc/a")
	f.Fuzz(func(t *testing.T, text string) {
		m := scratch.NewPaths("/scratch-base", []state.Path{"/etc/a", "/etc/opendkim/KeyTable"})
		if strings.Contains(text, "/scratch-base") {
			t.Skip()
		}
		if back := m.Restore(string(m.InText([]byte(text)))); back != text {
			t.Errorf("%q became %q", text, back)
		}
	})
}
