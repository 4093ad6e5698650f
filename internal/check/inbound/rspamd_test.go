package inbound_test

import (
	"strings"
	"testing"

	"mailsetup/internal/state"
)

// Where rspamd stands at the door, it has to run, to listen, and to be told what host.toml
// asks for.
func TestRspamd(t *testing.T) {
	const rules, settings = "/etc/rspamd/local.d/force_actions.conf", "/etc/rspamd/local.d/settings.conf"
	make := func() *world {
		w := newWorld()
		w.p.Value["smtpd_milters"], w.p.Value["smtpd_recipient_restrictions"] = "inet:127.0.0.1:11332", "reject_unauth_destination"
		w.s.SetUp, w.s.Facts.Rspamd, w.s.Facts.Installed = true, true, map[string]bool{"rspamd": true}
		w.s.Spec.Host.Inbound.SPF = "mark"
		w.s.Facts.Daemons["rspamd.service"] = state.Daemon{Running: true}
		w.m.Says("ss", "LISTEN 0 4096 127.0.0.1:11332 0.0.0.0:*\n")
		w.m.PutFile("/etc/rspamd/local.d/milter_headers.conf", "# Made by mailsetup: see [inbound] of /etc/mailsetup/host.toml.\nuse = [\"authentication-results\"];\n")
		return w
	}
	if lines := bad(make().check(t)); lines != nil {
		t.Errorf("well: %s", strings.Join(lines, "\n"))
	}
	for name, tt := range map[string]struct {
		fault func(*world)
		want  string
	}{
		"down": {
			func(w *world) { w.s.Facts.Daemons["rspamd.service"] = state.Daemon{} },
			"problem in.service inet:127.0.0.1:11332: rspamd: it does not run: all mail is put off (default_action = tempfail)",
		},
		"another port": {
			func(w *world) { w.m.Says("ss", "LISTEN 0 4096 127.0.0.1:11333 0.0.0.0:*\n") },
			"problem in.service inet:127.0.0.1:11332: rspamd: nothing listens at 127.0.0.1:11332: all mail is put off (default_action = tempfail)",
		},
		"not told": {
			func(w *world) { w.s.Spec.Host.Inbound.SPF = "reject" },
			"warning in.dmarc rspamd: not what host.toml asks for: " + rules + ", " + settings,
		},
	} {
		w := make()
		tt.fault(w)
		if lines := bad(w.check(t)); len(lines) != 1 || lines[0] != tt.want {
			t.Errorf("%s: %s", name, strings.Join(lines, "\n"))
		}
	}
}
