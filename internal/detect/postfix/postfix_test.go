package postfix

import (
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestPostfixUnit(t *testing.T) {
	for kind, want := range map[string]string{"oneshot": "postfix@-.service", "forking": "postfix.service"} {
		m := detecttest.New()
		m.Units["postfix.service"] = system.UnitStatus{Load: "loaded", Type: kind}
		if got, err := postfixUnit(t.Context(), m); got != want || err != nil {
			t.Errorf("unit of type %s: %q, %v", kind, got, err)
		}
	}
}

// A reload with such a file would fail there and back.
func TestRestartable(t *testing.T) {
	const other = "/etc/postfix/main.cf: Postfix runs, but not with what is written here: "
	running := system.Result{Code: 1} // of master -t
	for _, c := range []struct {
		name, active  string
		reads, master system.Result
		queue         state.Kind
		want          string
	}{
		{"runs", "active", system.Result{}, running, state.Directory, ""},
		{"its queue is elsewhere", "active", system.Result{}, running, state.Symlink, ""},
		{"does not run", "inactive", system.Result{Code: 1}, system.Result{}, state.Absent, ""},
		{
			"not to be read", "active",
			system.Result{Code: 1, Stderr: []byte("postmap: warning: x\npostmap: fatal: bad numerical configuration: message_size_limit = abc\n")},
			running, state.Directory, other + "bad numerical configuration: message_size_limit = abc",
		},
		{"no queue", "active", system.Result{}, running, state.Absent, other + "/srv/queue is no directory"},
		{"another queue", "active", system.Result{}, system.Result{}, state.Directory, other + "no master has the queue in /srv/queue"},
	} {
		m := detecttest.New()
		m.Units["postfix@-.service"] = system.UnitStatus{Active: c.active}
		m.Answers["postmap -q mailsetup static:mailsetup"] = c.reads
		m.Answers[`sh -c "$0" -t; exit $? /usr/lib/postfix/sbin/master`] = c.master
		if c.queue != state.Absent {
			m.Put("/srv/queue", state.Object{Kind: c.queue})
		}
		err := checkReloadable(t.Context(), m, &state.Postfix{
			Unit: "postfix@-.service", QueueDirectory: "/srv/queue", Value: map[string]string{"daemon_directory": "/usr/lib/postfix/sbin"},
		})
		if c.want == "" && err != nil || c.want != "" && (err == nil || err.Error() != c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}
