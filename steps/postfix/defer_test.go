package postfix_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps/signer"
	"mailsetup/steps/steptest"
)

// TestMailWaitsWhereverTheSignerIsAsked while it restarts, in lists of
// services, too, and where it listens until then.
func TestMailWaitsWhereverTheSignerIsAsked(t *testing.T) {
	accepts := "{ unix:opendkim/opendkim.sock, default_action=accept }"
	for name, tt := range map[string]struct {
		main         []string
		service      state.Service
		set, own     []string
		waitsForThat string
	}{
		"nowhere": {nil, steptest.Service("submission/inet smtpd"), nil, nil, ""},
		"it waits": {
			[]string{"milter_default_action = tempfail", "smtpd_milters = inet:localhost:8891"},
			steptest.Service("submission/inet smtpd", "smtpd_milters="+signer1), nil, nil, "",
		},
		"where it listens now": {
			[]string{"milter_default_action = accept", "smtpd_milters = inet:localhost:8891, inet:localhost:8893", "non_smtpd_milters = $smtpd_milters"},
			steptest.Service("submission/inet smtpd"),
			[]string{"smtpd_milters = { inet:localhost:8891, default_action=tempfail }, inet:localhost:8893"},
			nil, "/etc/postfix/main.cf",
		},
		"mail of this machine only": {
			[]string{"smtpd_milters = ", "non_smtpd_milters = $dkim", "dkim = " + accepts},
			steptest.Service("submission/inet smtpd"),
			[]string{"dkim = " + signer1},
			nil, "/etc/postfix/main.cf",
		},
		"a service's own list": {
			nil, steptest.Service("submission/inet smtpd", "smtpd_milters=inet:127.0.0.1:11332,"+accepts), nil,
			[]string{"submission/inet: -o smtpd_milters=inet:127.0.0.1:11332," + signer1},
			"/etc/postfix/master.cf",
		},
		"a service's own action": {
			[]string{"milter_default_action = tempfail", "smtpd_milters = inet:localhost:8891"},
			steptest.Service("submission/inet smtpd", "milter_default_action=accept"),
			[]string{"smtpd_milters = { inet:localhost:8891, default_action=tempfail }"},
			nil, "/etc/postfix/main.cf",
		},
		"a cleanup's": {
			nil, steptest.Service("cleanup2/unix cleanup", "non_smtpd_milters="+accepts), nil,
			[]string{"cleanup2/unix: -o non_smtpd_milters=" + signer1},
			"/etc/postfix/master.cf",
		},
		"both files": {
			[]string{"smtpd_milters = " + accepts},
			steptest.Service("submission/inet smtpd", "smtpd_milters=inet:127.0.0.1:8891"),
			[]string{"smtpd_milters = " + signer1},
			[]string{"submission/inet: -o smtpd_milters={ inet:127.0.0.1:8891, default_action=tempfail }"},
			"/etc/postfix/main.cf",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := steptest.Tuned(tt.main, tt.service)
			in.Facts.Files = map[state.Path][]byte{signer.ConfFile: []byte("Socket inet:8891@localhost\n")}
			st := steptest.Stage(t, steptest.Build(t, in), "DeferMail")
			if d := cmp.Diff(tt.set, mainSet(st)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.own, masterSet(st)); d != "" {
				t.Error(d)
			}
			waits := ""
			for _, u := range st.Units {
				if last := u.Probes[len(u.Probes)-1]; last.Kind == state.ProbeSessions {
					waits = last.Address
				}
			}
			if waits != tt.waitsForThat {
				t.Errorf("waits for sessions under the old %q, want %q", waits, tt.waitsForThat)
			}
		})
	}
}

func TestMailWaitsWhileASignerThatMayBeBypassedRestarts(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Raw["smtpd_milters"] = "{ unix:opendkim/opendkim.sock, default_action=accept }"
	in.Spec.Host.MilterDefaultAction = "accept"
	in.Facts.Files = map[state.Path][]byte{signer.ConfFile: []byte("Socket local:/run/opendkim/opendkim.sock\n")}
	edit := steptest.Stage(t, steptest.Build(t, in), "DeferMail").Edits[0].(state.PostfixEdit)
	if got := edit.Set[0].Value; !strings.Contains(got, "default_action=tempfail") {
		t.Errorf("guard sets %q, want tempfail", got)
	}
	settled := steptest.Stage(t, steptest.Build(t, in), "DeferMail").Units[0].Probes
	if got := settled[len(settled)-1].Kind; got != state.ProbeSessions {
		t.Errorf("the last probe of the guard is %q, want the end of old sessions", got)
	}
	after := steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit)
	if got := after.Set[0].Value; !strings.Contains(got, "default_action=accept") {
		t.Errorf("in the end %q, want accept again", got)
	}
	in.Facts.Postfix.Raw["smtpd_milters"] = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"
	if got := steptest.Stage(t, steptest.Build(t, in), "DeferMail").Edits; len(got) != 0 {
		t.Errorf("a guard where mail waits anyway: %v", got)
	}
}
