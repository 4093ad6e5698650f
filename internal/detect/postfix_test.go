package detect

import (
	"testing"

	"mailsetup/internal/system"
)

func TestPostfixUnit(t *testing.T) {
	for kind, want := range map[string]string{"oneshot": "postfix@-.service", "forking": "postfix.service"} {
		m := newMachine()
		m.units["postfix.service"] = system.UnitStatus{Load: "loaded", Type: kind}
		if got, err := postfixUnit(t.Context(), m); got != want || err != nil {
			t.Errorf("unit of type %s: %q, %v", kind, got, err)
		}
	}
}

// A reload with such a file would fail there and back.
func TestRestartable(t *testing.T) {
	for _, c := range []struct {
		name, active, user string
		status             system.Result
		want               string
	}{
		{"runs", "active", "0\n", system.Result{}, ""},
		{"does not run", "inactive", "0\n", system.Result{Code: 1}, ""},
		{"nobody may ask", "active", "1000\n", system.Result{Code: 1}, ""},
		{
			"Debian 12", "active", "0\n",
			system.Result{Code: 1},
			"/etc/postfix/main.cf: Postfix runs, but not with what is written here: postmulti -i - -p status fails",
		},
		{
			"Debian 13", "active", "0\n",
			system.Result{Code: 1, Stderr: []byte("postfix: warning: x\npostfix: fatal: bad numerical configuration: message_size_limit = abc\n")},
			"/etc/postfix/main.cf: Postfix runs, but not with what is written here: postmulti -i - -p status fails: bad numerical configuration: message_size_limit = abc",
		},
	} {
		m := newMachine()
		m.units["postfix@-.service"] = system.UnitStatus{Active: c.active}
		m.says("id -u", c.user)
		m.answers["postmulti -i - -p status"] = c.status
		err := restartable(t.Context(), m, "postfix@-.service")
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}
