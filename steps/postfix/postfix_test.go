package postfix_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

const signer1 = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"

// masterSet are the options that a stage sets in master.cf.
func masterSet(st state.Stage) []string {
	for _, e := range st.Edits {
		if e, ok := e.(state.MasterEdit); ok {
			return e.Settings()
		}
	}
	return nil
}

func mainSet(st state.Stage) []string {
	for _, e := range st.Edits {
		if e, ok := e.(state.PostfixEdit); ok {
			return e.Settings()
		}
	}
	return nil
}

// settled applies what the stages set and insists that nothing is left.
func settled(t *testing.T, in step.Input, want state.State) {
	t.Helper()
	p := *in.Facts.Postfix
	p.Services = slices.Clone(p.Services)
	for _, st := range want.Stages {
		for _, e := range st.Edits {
			switch e := e.(type) {
			case state.PostfixEdit:
				for _, s := range e.Set {
					p.Raw[s.Name], p.Value[s.Name] = s.Value, s.Value
				}
			case state.MasterEdit:
				for _, s := range e.Set {
					i := slices.IndexFunc(p.Services, func(have state.Service) bool { return have.Name == s.Service })
					p.Services[i].Options = append(slices.Clone(p.Services[i].Options), state.Option{Name: s.Name, Value: s.Value})
				}
			}
		}
	}
	in.Facts.Postfix = &p
	in.Facts.OpenDKIM.Endpoint = "local:/var/spool/postfix/opendkim/opendkim.sock"
	again, err := steps.Build(steps.All(), in)
	if err != nil {
		t.Fatalf("the second run: %v", err)
	}
	if len(again.Questions) > 0 {
		t.Errorf("the second run asks %q", again.Questions[0].Text)
	}
	for i, st := range again.Stages {
		if set := masterSet(st); set != nil {
			t.Errorf("the second run sets %q in master.cf", set)
		}
		if was, is := mainSet(want.Stages[i]), mainSet(st); st.Name == "Postfix" && !cmp.Equal(was, is) {
			t.Errorf("the second run sets other parameters: %s", cmp.Diff(was, is))
		}
	}
}

func TestMiltersOfMainCf(t *testing.T) {
	const bounce = "internal_mail_filter_classes = bounce"
	for name, tt := range map[string]struct {
		main []string
		want []string
	}{
		"none": {nil, []string{"smtpd_milters = " + signer1, "non_smtpd_milters = " + signer1, bounce}},
		"one list for both": {
			[]string{"smtpd_milters = inet:localhost:8893", "non_smtpd_milters = $smtpd_milters"},
			[]string{"smtpd_milters = " + signer1 + ", inet:localhost:8893", bounce},
		},
		"OpenDKIM where it listens now": {
			[]string{"smtpd_milters = inet:127.0.0.1:8891, inet:localhost:8893", "non_smtpd_milters = inet:localhost:8891"},
			[]string{"smtpd_milters = " + signer1 + ", inet:localhost:8893", "non_smtpd_milters = " + signer1, bounce},
		},
		"OpenDKIM in a parameter of its own": {
			[]string{"dkim = inet:localhost:8891", "smtpd_milters = $dkim, inet:localhost:8893", "non_smtpd_milters = ${dkim}"},
			[]string{"dkim = " + signer1, bounce},
		},
		"OpenDMARC in a parameter of its own": {
			[]string{"dmarc = inet:localhost:8893", "smtpd_milters = $(dmarc)"},
			[]string{"smtpd_milters = " + signer1 + ", $(dmarc)", "non_smtpd_milters = " + signer1, bounce},
		},
		"OpenDMARC in a list of others, two references deep": {
			[]string{"port = 8893", "a = inet:127.0.0.1:$port", "b = inet:spam:1 ${a}", "smtpd_milters = inet:first:1, $b"},
			[]string{"smtpd_milters = inet:first:1, " + signer1 + ", $b", "non_smtpd_milters = " + signer1, bounce},
		},
		"others in a parameter of their own": {
			[]string{"spam = inet:localhost:11332", "smtpd_milters = $(spam)"},
			[]string{"smtpd_milters = $(spam), " + signer1, "non_smtpd_milters = " + signer1, bounce},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := steptest.Tuned(tt.main)
			want := steptest.Build(t, in)
			if d := cmp.Diff(tt.want, mainSet(steptest.Stage(t, want, "Postfix"))); d != "" {
				t.Error(d)
			}
			settled(t, in, want)
		})
	}
}

// TestServicesWithMiltersOfTheirOwn: each gets the signer among its milters, on
// a consent of its own, and no other that it did not have.
func TestServicesWithMiltersOfTheirOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		main     []string
		service  state.Service
		leave    string
		set      []string // in master.cf
		ask      string   // the beginning of the question
		declined string
		line     int
		after    string
	}{
		"main.cf's":      {nil, steptest.Service("submission/inet smtpd", "syslog_name=postfix/submission"), "", nil, "", "", 0, ""},
		"behind a pass":  {nil, steptest.Service("smtpd/pass smtpd", "smtpd_tls_security_level=may"), "", nil, "", "", 0, ""},
		"main.cf's list": {nil, steptest.Service("submission/inet smtpd", "smtpd_milters=$non_smtpd_milters"), "", nil, "", "", 0, ""},
		"others": {
			nil, steptest.Service("submission/inet smtpd", "syslog_name=x", "smtpd_milters=inet:127.0.0.1:11332"), "",
			[]string{"submission/inet: -o smtpd_milters=inet:127.0.0.1:11332, " + signer1},
			"submission/inet in /etc/postfix/master.cf has milters of its own, without the signer: mail that comes in by submission/inet would leave unsigned.",
			"mail that comes in by submission/inet leaves unsigned", 12, "-o { smtpd_milters = inet:127.0.0.1:11332, " + signer1 + " }",
		},
		"OpenDMARC": {
			nil, steptest.Service("smtps/inet smtpd", "smtpd_milters=inet:[::1]:8893"), "",
			[]string{"smtps/inet: -o smtpd_milters=" + signer1 + ", inet:[::1]:8893"},
			"smtps/inet in /etc/postfix/master.cf has milters of its own",
			"mail that comes in by smtps/inet leaves unsigned", 11, "-o { smtpd_milters = " + signer1 + ", inet:[::1]:8893 }",
		},
		"none": {
			nil, steptest.Service("submission/inet smtpd", "smtpd_milters="), "",
			[]string{"submission/inet: -o smtpd_milters=" + signer1},
			"submission/inet in /etc/postfix/master.cf switches milters off",
			"mail that comes in by submission/inet leaves unsigned", 11, "-o smtpd_milters=" + signer1,
		},
		"left alone": {nil, steptest.Service("submission/inet smtpd", "smtpd_milters="), "submission/inet", nil, "", "", 0, ""},
		"a parameter without ours": {
			[]string{"mua_milters = inet:127.0.0.1:11332"},
			steptest.Service("submission/inet smtpd", "smtpd_milters=$mua_milters"), "",
			[]string{"submission/inet: -o smtpd_milters=$mua_milters, " + signer1},
			"submission/inet in /etc/postfix/master.cf has milters of its own",
			"mail that comes in by submission/inet leaves unsigned", 11, "-o { smtpd_milters = $mua_milters, " + signer1 + " }",
		},
		"a parameter with ours": {
			[]string{"mua_milters = " + signer1 + ", inet:127.0.0.1:11332"},
			steptest.Service("submission/inet smtpd", "smtpd_milters=${mua_milters}"), "", nil, "", "", 0, "",
		},
		"a parameter with OpenDKIM": {
			[]string{"mua_milters = inet:localhost:8891"},
			steptest.Service("submission/inet smtpd", "smtpd_milters=${mua_milters}"), "", nil, "", "", 0, "",
		},
		"a parameter of the service": {
			[]string{"smtpd_milters = $those, inet:localhost:8891", "those = inet:127.0.0.1:11332"},
			steptest.Service("submission/inet smtpd", "those="), "", nil, "", "", 0, "",
		},
		"ours": {nil, steptest.Service("submission/inet smtpd", "smtpd_milters="+signer1), "", nil, "", "", 0, ""},
		"ours, bypassed when down": {
			nil, steptest.Service("submission/inet smtpd", "smtpd_milters=unix:/opendkim/opendkim.sock"), "",
			[]string{"submission/inet: -o smtpd_milters=" + signer1},
			"", "", 0, "",
		},
		"OpenDKIM where it listens now": {
			nil, steptest.Service("submission/inet smtpd", "smtpd_milters=inet:127.0.0.1:8891,inet:127.0.0.1:11332"), "submission/inet",
			[]string{"submission/inet: -o smtpd_milters=" + signer1 + ",inet:127.0.0.1:11332"},
			"submission/inet in /etc/postfix/master.cf asks OpenDKIM at inet:127.0.0.1:8891, where it will no longer listen", "", 11,
			"-o smtpd_milters=" + signer1 + ",inet:127.0.0.1:11332",
		},
		"no_milters": {
			[]string{"smtpd_milters = inet:127.0.0.1:11332"},
			steptest.Service("submission/inet smtpd", "receive_override_options=no_milters,no_header_body_checks"), "",
			[]string{"submission/inet: -o receive_override_options=no_header_body_checks", "submission/inet: -o smtpd_milters=" + signer1},
			"submission/inet in /etc/postfix/master.cf switches milters off (no_milters)",
			"mail that comes in by submission/inet leaves unsigned", 11,
			"-o receive_override_options=no_header_body_checks -o { smtpd_milters = " + signer1 + " }",
		},
		"no_milters in a parameter": {
			[]string{"mua_overrides = no_milters"},
			steptest.Service("submission/inet smtpd", "receive_override_options=$mua_overrides"), "",
			[]string{"submission/inet: -o receive_override_options=", "submission/inet: -o smtpd_milters=" + signer1},
			"submission/inet in /etc/postfix/master.cf switches milters off (no_milters)",
			"mail that comes in by submission/inet leaves unsigned", 11, "-o receive_override_options= -o { smtpd_milters = " + signer1 + " }",
		},
		"another cleanup for mail by SMTP": {
			nil, steptest.Service("pre/unix cleanup", "non_smtpd_milters="), "", nil, "", "", 0, "",
		},
		"another cleanup for local mail": {
			[]string{"cleanup_service_name = pre", "internal_mail_filter_classes = bounce"},
			steptest.Service("pre/unix cleanup", "non_smtpd_milters=inet:127.0.0.1:11332"), "",
			[]string{"pre/unix: -o non_smtpd_milters=inet:127.0.0.1:11332, " + signer1},
			"pre/unix in /etc/postfix/master.cf has milters of its own",
			"mail from programs on this machine (pre/unix) leaves unsigned", 11,
			"-o { non_smtpd_milters = inet:127.0.0.1:11332, " + signer1 + " }",
		},
		"QMQP": {
			nil, steptest.Service("628/inet qmqpd", "receive_override_options=no_milters"), "",
			[]string{"628/inet: -o receive_override_options="},
			"628/inet in /etc/postfix/master.cf switches milters off (no_milters)",
			"mail that comes in by 628/inet leaves unsigned", 11, "-o receive_override_options=",
		},
		"QMQP, left alone": {
			[]string{"non_smtpd_milters = inet:127.0.0.1:11332", "internal_mail_filter_classes = bounce"},
			steptest.Service("628/inet qmqpd", "receive_override_options=no_milters"), "628/inet", nil, "", "", 0, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := steptest.Tuned(tt.main, tt.service)
			if tt.leave != "" {
				in.Spec.Host.LeaveServices = []string{tt.leave}
			}
			want := steptest.Build(t, in)
			st := steptest.Stage(t, want, "Postfix")
			if d := cmp.Diff(tt.set, masterSet(st)); d != "" {
				t.Error(d)
			}
			if !slices.ContainsFunc(mainSet(st), func(s string) bool { return strings.Contains(s, signer1) }) {
				t.Errorf("main.cf's own lists are forgotten: %q", mainSet(st))
			}
			asks(t, want, tt.ask, state.Question{
				ID: "service " + tt.service.Name, Kind: state.AskService, Subject: tt.service.Name, Declined: tt.declined,
				Path: "/etc/postfix/master.cf", Line: tt.line, After: tt.after,
			})
			settled(t, in, want)
		})
	}
}

// asks insists on one question, or on none without a text.
func asks(t *testing.T, want state.State, text string, q state.Question) {
	t.Helper()
	if text == "" {
		if len(want.Questions) > 0 {
			t.Errorf("asks %+v", want.Questions)
		}
		return
	}
	if len(want.Questions) != 1 {
		t.Fatalf("questions %+v, want one", want.Questions)
	}
	got := want.Questions[0]
	if !strings.HasPrefix(got.Text, text) {
		t.Errorf("asks %q, want %q", got.Text, text)
	}
	q.Text, q.Before = got.Text, got.Before
	if d := cmp.Diff(q, got); d != "" {
		t.Error(d)
	}
}

func TestAQuestionAnswered(t *testing.T) {
	in := steptest.Tuned(nil, steptest.Service("submission/inet smtpd", "smtpd_milters="))
	in.Consents = map[string]bool{"service submission/inet": true}
	want := steptest.Build(t, in)
	if len(want.Questions) > 0 || len(masterSet(steptest.Stage(t, want, "Postfix"))) != 1 {
		t.Errorf("after a yes: asks %v, sets %q", want.Questions, masterSet(steptest.Stage(t, want, "Postfix")))
	}
}

func TestServicesRefused(t *testing.T) {
	for want, in := range map[string]step.Input{
		"/etc/postfix/master.cf:11: service submission/inet: smtpd_milters refers to itself": steptest.Tuned(nil,
			steptest.Service("submission/inet smtpd", "smtpd_milters=$smtpd_milters, inet:127.0.0.1:11332")),
		"/etc/postfix/master.cf:12: service submission/inet: smtpd_milters refers to itself": steptest.Tuned(nil,
			steptest.Service("submission/inet smtpd", "mine=inet:a:1 ${smtpd_milters}", "smtpd_milters=$mine")),
		"/etc/postfix/main.cf: smtpd_milters refers to itself": steptest.Tuned([]string{"smtpd_milters = $a", "a = $smtpd_milters"}),
		"/etc/postfix/main.cf: smtpd_milters asks OpenDKIM twice, through smtpd_milters and through a": steptest.Tuned(
			[]string{"smtpd_milters = inet:127.0.0.1:8891, $a", "a = inet:localhost:8891"}),
		"/etc/postfix/master.cf:11: service submission/inet: smtpd_milters: milter list": steptest.Tuned(nil,
			steptest.Service("submission/inet smtpd", "smtpd_milters={ unix:a")),
		"/etc/postfix/master.cf:11: service submission/inet sets smtpd_milter_maps=cidr:/x, which may keep mail away from the signer": steptest.Tuned(nil,
			steptest.Service("submission/inet smtpd", "smtpd_milter_maps=cidr:/x")),
		"/etc/postfix/master.cf:11: service smtp2/inet sets smtpd_proxy_filter=127.0.0.1:10024, which takes the message before any milter sees it (MILTER_README, Limitations): mail of users who log in cannot be signed": steptest.Tuned(
			nil, steptest.Service("smtp2/inet smtpd", "smtpd_proxy_filter=127.0.0.1:10024", "smtpd_sasl_auth_enable=yes"),
			steptest.Service("127.0.0.1:10025/inet smtpd", "smtpd_proxy_filter=", "smtpd_sasl_auth_enable=yes")),
		"/etc/postfix/main.cf: smtpd_proxy_filter = 127.0.0.1:10024 (smtp/inet): no service in /etc/postfix/master.cf could be recognised that takes mail back": steptest.Tuned(
			[]string{"smtpd_proxy_filter = 127.0.0.1:10024"}),
		"/etc/postfix/main.cf: smtpd_proxy_filter = 192.0.2.7:10024 (smtp/inet): the filter is not on this machine": steptest.Tuned(
			[]string{"smtpd_proxy_filter = 192.0.2.7:10024"}),
		"/etc/postfix/main.cf: receive_override_options = no_milters keeps mail away from the signer": steptest.Tuned(
			[]string{"receive_override_options = no_milters"}),
		"Postfix reads its configuration from /srv/postfix": steptest.Tuned([]string{"config_directory = /srv/postfix"}),
		"/etc/postfix/master.cf:11: service 628/inet sets receive_override_options=no_milters, which keeps mail away from the signer": steptest.Tuned(
			[]string{"non_smtpd_milters = inet:127.0.0.1:11332"}, steptest.Service("628/inet qmqpd", "receive_override_options=no_milters")),
	} {
		_, err := steps.Build(steps.All(), in)
		if err == nil || !strings.HasPrefix(err.Error(), "Postfix: "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAFreshHostNamedLikeItsDomainDoesNotSwallowTheDomainsMail(t *testing.T) {
	in := steptest.Bare()
	in.Spec.Host.Hostname, in.Spec.Domains[0].Receive = "lab.example", false
	set := func() map[string]string {
		m := map[string]string{}
		for _, s := range steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit).Set {
			m[s.Name] = s.Value
		}
		return m
	}
	if got := set()["mydestination"]; got != "localhost" {
		t.Errorf("mydestination is %q", got)
	}
	in.Facts.Postfix = steptest.Installed().Facts.Postfix
	if got, ok := set()["mydestination"]; ok {
		t.Errorf("an existing mydestination is set to %q", got)
	}
}

func TestNotesOnWhatMailWouldMiss(t *testing.T) {
	for _, c := range []struct {
		name, topic string
		spoil       func(in *step.Input)
		want        bool
	}{
		{"on every address", "inet_interfaces", listens("all"), false},
		{"on the loopback only", "inet_interfaces", listens("loopback-only"), true},
		{"on localhost", "inet_interfaces", listens("localhost"), true},
		{"on an address as well", "inet_interfaces", listens("192.0.2.10, localhost"), false},
		{"where nothing is received", "inet_interfaces", func(in *step.Input) {
			listens("loopback-only")(in)
			in.Spec.Domains[0].Receive = false
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := steptest.Installed()
			c.spoil(&in)
			notes := postfix.ReceptionNotes(in)
			got := slices.ContainsFunc(notes, func(n state.Note) bool { return n.Topic == c.topic })
			if got != c.want {
				t.Errorf("a note on %s: %v, want %v: %+v", c.topic, got, c.want, notes)
			}
		})
	}
}

func listens(on string) func(in *step.Input) {
	return func(in *step.Input) { in.Facts.Postfix.Value["inet_interfaces"] = on }
}

func TestPostfixSettings(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Raw["smtpd_milters"] = "inet:localhost:11332"
	in.Facts.Postfix.Raw["non_smtpd_milters"] = "$smtpd_milters"
	in.Facts.Postfix.Raw["internal_mail_filter_classes"] = "notify"
	edit := steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit)
	want := []state.Setting{
		{Name: "smtpd_milters", Value: "inet:localhost:11332, { unix:opendkim/opendkim.sock, default_action=tempfail }"},
		{Name: "internal_mail_filter_classes", Value: "notify, bounce"},
	}
	if d := cmp.Diff(want, edit.Set); d != "" {
		t.Error(d)
	}
}

func TestMyhostnameIsSetOnlyOnAPostfixOfThisRun(t *testing.T) {
	in := steptest.Installed()
	in.Facts.Postfix.Value["myhostname"] = "old.lab.example"
	has := func() bool {
		e := steptest.Stage(t, steptest.Build(t, in), "Postfix").Edits[0].(state.PostfixEdit)
		return slices.ContainsFunc(e.Set, func(s state.Setting) bool { return s.Name == "myhostname" })
	}
	if has() {
		t.Error("the myhostname of a Postfix that was here before us would be changed")
	}
	in.Facts.Postfix.Fresh = true
	if !has() {
		t.Error("the myhostname of a Postfix of this run is not set")
	}
}
