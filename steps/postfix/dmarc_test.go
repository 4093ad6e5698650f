package postfix_test

import (
	"strings"
	"testing"

	"mailsetup/internal/inbound"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

const (
	signs  = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"
	judges = "{ unix:opendmarc/opendmarc.sock, default_action=accept }"
)

// judging is a server that is to mark mail by DMARC.
func judging(main []string, services ...state.Service) step.Input {
	in := steptest.Tuned(main, services...)
	in.Spec.Host.Inbound.DMARC = inbound.Mark
	in.Facts.Files = map[state.Path][]byte{
		"/etc/opendmarc.conf":  []byte("Socket local:/run/opendmarc/opendmarc.sock\n"),
		"/etc/postfix/main.cf": []byte(strings.Join(main, "\n") + "\n"),
	}
	return in
}

// lists returns what the stage sets the lists of milters to: main.cf's, then those of services.
func lists(stage state.Stage) map[string]string {
	all := map[string]string{}
	for _, e := range stage.Edits {
		switch e := e.(type) {
		case state.PostfixEdit:
			for _, s := range e.Set {
				all[s.Name] = s.Value
			}
		case state.MasterEdit:
			for _, s := range e.Set {
				all[s.Service+" "+s.Name] = s.Value
			}
		}
	}
	return all
}

func TestOpenDMARCStandsBehindOpenDKIM(t *testing.T) {
	for name, tt := range map[string]struct {
		main, conf string
		want       string
	}{
		"no list":               {"", "", signs + ", " + judges},
		"a filter in front":     {"smtpd_milters = inet:h:1", "", "inet:h:1, " + signs + ", " + judges},
		"a filter behind":       {"smtpd_milters = " + signs + ", inet:h:1", "", signs + ", " + judges + ", inet:h:1"},
		"there":                 {"smtpd_milters = " + signs + ", " + judges, "", ""},
		"there, as decided":     {"smtpd_milters = " + signs + ", { unix:opendmarc/opendmarc.sock, default_action=tempfail }", "", ""},
		"asked at its port":     {"smtpd_milters = " + signs + " inet:localhost:8893", "Socket inet:8893@localhost\n", ""},
		"by its address":        {"smtpd_milters = " + signs + ", inet:127.0.0.1:8893", "Socket inet:8893@localhost\n", ""},
		"not asked at its port": {"smtpd_milters = " + signs, "Socket inet:8893@[127.0.0.1]\n", signs + ", { inet:127.0.0.1:8893, default_action=accept }"},
		"asked at its socket":   {"smtpd_milters = " + signs + " unix:/run/opendmarc/opendmarc.sock", "", ""},
	} {
		in := judging([]string{tt.main})
		if tt.main == "" {
			in = judging(nil)
		}
		if tt.conf != "" {
			in.Facts.Files["/etc/opendmarc.conf"] = []byte(tt.conf)
		}
		in.Facts.OpenDKIM.Endpoint = "local:/var/spool/postfix/opendkim/opendkim.sock"
		stage, _, err := postfix.Configure(in)
		if got := lists(stage)["smtpd_milters"]; err != nil || got != tt.want && (tt.want != "" || got != strings.TrimPrefix(tt.main, "smtpd_milters = ")) {
			t.Errorf("%s: %q, %v\nwant %q", name, got, err, tt.want)
		}
		if got := lists(stage)["non_smtpd_milters"]; strings.Contains(got, "dmarc") {
			t.Errorf("%s: mail from here is judged: %s", name, got)
		}
	}
	in := judging([]string{"smtpd_milters = inet:localhost:8893, " + signs})
	in.Facts.Files["/etc/opendmarc.conf"] = []byte("Socket inet:8893@localhost\n")
	if _, _, err := postfix.Configure(in); err == nil || !strings.Contains(err.Error(), "smtpd_milters asks OpenDMARC before OpenDKIM, so that no signature counts") {
		t.Errorf("in front: %v", err)
	}
}

func TestOpenDMARCInListsOfServices(t *testing.T) {
	main := []string{"mua_milters = inet:h:1"}
	in := judging(main, steptest.Service("submission/inet smtpd", "smtpd_milters=$mua_milters"), steptest.Service("2525/inet smtpd", "smtpd_milters=inet:h:2"))
	in.Spec.Host.LeaveServices = []string{"2525/inet"}
	stage, _, err := postfix.Configure(in)
	got := lists(stage)
	if err != nil || got["submission/inet smtpd_milters"] != "$mua_milters, "+signs+", "+judges || got["2525/inet smtpd_milters"] != "" {
		t.Errorf("%v\n%v", err, got)
	}
}

func TestOpenDMARCGoesWithoutATrace(t *testing.T) {
	const block = "# mailsetup: DMARC\nSocket local:/var/spool/postfix/opendmarc/opendmarc.sock\n# mailsetup: end of DMARC\n"
	for conf, want := range map[string]string{
		"Socket local:/run/opendmarc/opendmarc.sock\n" + block: signs,
		"": signs, // the package is gone
		"Socket local:/var/spool/postfix/opendmarc/opendmarc.sock\n": signs + ", " + judges,
	} {
		in := judging([]string{"smtpd_milters = " + signs + ", " + judges})
		in.Spec.Host.Inbound.DMARC = inbound.Off
		in.Facts.Files["/etc/opendmarc.conf"] = []byte(conf)
		if conf == "" {
			delete(in.Facts.Files, "/etc/opendmarc.conf")
		}
		stage, _, err := postfix.Configure(in)
		if got := lists(stage)["smtpd_milters"]; err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", conf, got, err, want)
		}
	}
}
