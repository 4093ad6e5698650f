package postfix_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// amavis is the entry of master.cf that hands mail to it, as its README has it.
func amavis() state.Service {
	return steptest.Service("smtp-amavis/unix smtp", "smtp_data_done_timeout=1200", "smtp_send_xforward_command=yes")
}

// back is where amavis hands mail back.
func back(options ...string) state.Service {
	return steptest.Service("127.0.0.1:10025/inet smtpd", append([]string{"content_filter=", "mynetworks=127.0.0.0/8"}, options...)...)
}

// TestReinjections: the signer does not run where mail comes back from a
// content filter; other milters do as before.
func TestReinjections(t *testing.T) {
	amavisEverywhere := []string{"content_filter = smtp-amavis:[127.0.0.1]:10024"}
	for name, tt := range map[string]struct {
		main     []string
		services []state.Service
		set      []string // in master.cf, by Reinjection
		own      []string // in master.cf, by Postfix
	}{
		"no_milters": {
			amavisEverywhere,
			[]state.Service{amavis(), back("receive_override_options=no_header_body_checks,no_milters,no_unknown_recipient_checks")},
			nil, nil,
		},
		"an empty list": {amavisEverywhere, []state.Service{amavis(), back("smtpd_milters=")}, nil, nil},
		"others only":   {amavisEverywhere, []state.Service{amavis(), back("smtpd_milters=inet:127.0.0.1:11332")}, nil, nil},
		"main.cf's": {
			amavisEverywhere,
			[]state.Service{amavis(), back()},
			[]string{"127.0.0.1:10025/inet: -o smtpd_milters="},
			nil,
		},
		"main.cf's with others": {
			append(amavisEverywhere, "smtpd_milters = inet:127.0.0.1:11332 $dmarc inet:localhost:8891", "dmarc = inet:localhost:8893"),
			[]state.Service{amavis(), back()},
			[]string{"127.0.0.1:10025/inet: -o smtpd_milters=inet:127.0.0.1:11332, $dmarc"},
			nil,
		},
		"main.cf's, OpenDKIM among others in a parameter": {
			append(amavisEverywhere, "smtpd_milters = $mine", "mine = { inet:127.0.0.1:11332, connect_timeout=2s }, inet:localhost:8891"),
			[]state.Service{amavis(), back()},
			[]string{"127.0.0.1:10025/inet: -o smtpd_milters={ inet:127.0.0.1:11332, connect_timeout=2s }"},
			nil,
		},
		"OpenDKIM's on purpose": {
			append(amavisEverywhere, "smtpd_milters = inet:127.0.0.1:11332"),
			[]state.Service{amavis(), back("smtpd_milters=inet:127.0.0.1:8891")},
			[]string{"127.0.0.1:10025/inet: -o smtpd_milters="},
			nil,
		},
		"submission to a filter of its own, with milters of its own": {
			amavisEverywhere,
			[]state.Service{
				amavis(), back("smtpd_milters="),
				steptest.Service("submission/inet smtpd", "content_filter=smtp-amavis:[127.0.0.1]:10026", "smtpd_milters="),
			},
			nil,
			[]string{"submission/inet: -o smtpd_milters=" + signer1},
		},
		"only some mail, chosen by tables": {
			nil,
			[]state.Service{amavis(), steptest.Service("[::1]:10025/inet smtpd", "smtpd_authorized_xforward_hosts=[::1]/128")},
			[]string{"[::1]:10025/inet: -o smtpd_milters="},
			nil,
		},
		"bound to all addresses, for this machine only": {
			amavisEverywhere,
			[]state.Service{amavis(), steptest.Service("10025/inet smtpd", "content_filter=", "mynetworks=127.0.0.0/8,[::1]/128")},
			[]string{"10025/inet: -o smtpd_milters="},
			nil,
		},
		"LMTP, by a socket": {
			[]string{"content_filter = lmtp-filter:unix:private/filter"},
			[]state.Service{steptest.Service("lmtp-filter/unix lmtp"), steptest.Service("localhost:10026/inet smtpd", "content_filter=")},
			[]string{"localhost:10026/inet: -o smtpd_milters="},
			nil,
		},
		"a submission for programs of this machine": {
			nil,
			[]state.Service{
				amavis(), back("smtpd_milters="),
				steptest.Service("smtp2/inet smtpd", "content_filter=smtp-amavis:[127.0.0.1]:10024"),
				steptest.Service("127.0.0.1:587/inet smtpd", "smtpd_milters="),
			},
			nil,
			[]string{"127.0.0.1:587/inet: -o smtpd_milters=" + signer1},
		},
		"a service for a LAN that bypasses the filter": {
			amavisEverywhere,
			[]state.Service{
				amavis(), back("smtpd_milters="),
				steptest.Service("2525/inet smtpd", "content_filter=", "mynetworks=10.0.0.0/8", "smtpd_milters="),
			},
			nil,
			[]string{"2525/inet: -o smtpd_milters=" + signer1},
		},
		"a proxy filter for port 25": {
			nil,
			[]state.Service{
				steptest.Service("smtpd/pass smtpd", "smtpd_proxy_filter=127.0.0.1:10024", "smtpd_milters=inet:127.0.0.1:11332"),
				steptest.Service("submission/inet smtpd", "smtpd_proxy_filter=", "smtpd_sasl_auth_enable=yes", "smtpd_milters="),
				steptest.Service("127.0.0.1:10025/inet smtpd", "smtpd_authorized_xforward_hosts=127.0.0.0/8"),
			},
			[]string{"127.0.0.1:10025/inet: -o smtpd_milters="},
			[]string{"submission/inet: -o smtpd_milters=" + signer1},
		},
		"a proxy filter of main.cf": {
			[]string{"smtpd_proxy_filter = 127.0.0.1:10024", "smtpd_sasl_auth_enable = yes"},
			[]state.Service{
				steptest.Service("submission/inet smtpd", "smtpd_proxy_filter="),
				steptest.Service("127.0.0.1:10025/inet smtpd", "smtpd_proxy_filter="),
			},
			[]string{"127.0.0.1:10025/inet: -o smtpd_milters="},
			nil,
		},
		"a program that hands back by SMTP": {
			[]string{"content_filter = zeyple"},
			[]state.Service{
				steptest.Service("zeyple/unix pipe"),
				steptest.Service("localhost:10026/inet smtpd", "content_filter=", "receive_override_options=no_unknown_recipient_checks"),
			},
			[]string{"localhost:10026/inet: -o smtpd_milters="},
			nil,
		},
		"a submission that bypasses the filter": {
			amavisEverywhere,
			[]state.Service{
				amavis(), back("smtpd_milters="),
				steptest.Service("submission/inet smtpd", "content_filter=", "mynetworks=127.0.0.0/8"),
				steptest.Service("127.0.0.1:587/inet smtpd", "smtpd_sasl_auth_enable=yes", "content_filter=smtp-amavis:[127.0.0.1]:10026"),
			},
			nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := steptest.Tuned(append(tt.main, "internal_mail_filter_classes = bounce"), tt.services...)
			want := steptest.Build(t, in)
			if d := cmp.Diff(tt.set, masterSet(steptest.Stage(t, want, "Reinjection"))); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tt.own, masterSet(steptest.Stage(t, want, "Postfix"))); d != "" {
				t.Error(d)
			}
			for _, q := range steptest.Stage(t, want, "Reinjection").Questions {
				if q.Declined != "" || q.Kind != state.AskService || !strings.Contains(q.Text, "takes mail back from the content filter") {
					t.Errorf("asks %+v", q)
				}
			}
			if n := len(steptest.Stage(t, want, "Reinjection").Questions); n != len(tt.set) {
				t.Errorf("%d questions for %d services", n, len(tt.set))
			}
			settled(t, in, want)
		})
	}
}

// TestFilteredMailIsExplained: what a filter means for signatures, and the script by
// which OpenDKIM lets pass what one hands back by sendmail(1).
func TestFilteredMailIsExplained(t *testing.T) {
	const script = "SetupPolicyScript       /etc/opendkim/resubmitted.lua\n"
	pipe := []state.Service{steptest.Service("smtp2/inet smtpd", "content_filter=spamassassin"), steptest.Service("spamassassin/unix pipe")}
	proxy := []state.Service{
		steptest.Service("smtp2/inet smtpd", "smtpd_proxy_filter=127.0.0.1:10024"),
		steptest.Service("127.0.0.1:10025/inet smtpd", "smtpd_authorized_xforward_hosts=127.0.0.0/8"),
	}
	byTable := steptest.Service("spamassassin/unix pipe")
	byTable.Args = []string{"user=debian-spamd", "argv=/usr/bin/spamc", "-f", "-e", "/usr/sbin/sendmail", "-oi", "-f", "${sender}", "${recipient}"}
	for name, tt := range map[string]struct {
		services []state.Service
		content  []string
		proxy    []string
		script   bool
	}{
		"by SMTP": {[]state.Service{amavis(), back("smtpd_milters=")}, []string{
			"mail is signed once, before it goes to a content filter, and not when it comes back by 127.0.0.1:10025/inet. A filter that changes bodies (disclaimers) breaks the signature",
		}, nil, false},
		"by sendmail": {pipe, []string{
			"mail is signed once, before it goes to spamassassin, and not when it comes back by sendmail(1). " +
				"Mail by sendmail(1) with a Received field has been signed before or is not ours, so it is left as it is. A filter that changes bodies (disclaimers) breaks the signature",
		}, nil, true},
		"by sendmail, chosen by a table": {[]state.Service{byTable}, []string{
			"mail is signed once, before it goes to a content filter, and not when it comes back by sendmail(1). " +
				"Mail by sendmail(1) with a Received field has been signed before or is not ours, so it is left as it is. A filter that changes bodies (disclaimers) breaks the signature",
		}, nil, true},
		"a program that takes mail": {[]state.Service{steptest.Service("maildrop/unix pipe")}, nil, nil, false},
		"before the queue": {proxy, nil, []string{
			"mail that comes in by smtp2/inet goes to 127.0.0.1:10024 before any milter sees it: what this machine and its networks send that way leaves unsigned",
			"let programs and users send by sendmail(1) or by a service without it, such as submission (port 587)",
		}, false},
	} {
		want := steptest.Build(t, steptest.Tuned(nil, tt.services...))
		if d := cmp.Diff(tt.content, told(want, "content filter")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		if d := cmp.Diff(tt.proxy, told(want, "smtpd_proxy_filter")); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		st := steptest.Stage(t, want, "OpenDKIM")
		if got := strings.Contains(steptest.Content(t, st, "/etc/opendkim.conf"), script); got != tt.script {
			t.Errorf("%s: with the script: %v", name, got)
		}
		if got := slices.ContainsFunc(st.Files, func(f state.File) bool { return f.Path == "/etc/opendkim/resubmitted.lua" }); got != tt.script {
			t.Errorf("%s: the script is made: %v", name, got)
		}
	}
}

// TestFiltersRefused: where mail comes back on ways that cannot be told from
// mail of this machine, it is said which line is in the way.
func TestFiltersRefused(t *testing.T) {
	for want, in := range map[string]step.Input{
		"/etc/postfix/main.cf: content_filter = smtp-amavis:[127.0.0.1]:10024: no service in /etc/postfix/master.cf could be recognised": steptest.Tuned(
			[]string{"content_filter = smtp-amavis:[127.0.0.1]:10024"}, amavis()),
		"/etc/postfix/main.cf: content_filter = smtp-amavis:[127.0.0.1]:10024: /etc/postfix/master.cf has no service smtp-amavis": steptest.Tuned(
			[]string{"content_filter = smtp-amavis:[127.0.0.1]:10024"}, back()),
		"/etc/postfix/main.cf: content_filter = smtp-amavis:[10.0.0.5]:10024: the filter is not on this machine": steptest.Tuned(
			[]string{"content_filter = smtp-amavis:[10.0.0.5]:10024"}, amavis(), back()),
		"/etc/postfix/main.cf: milter_rcpt_macros lacks {rcpt_mailer}, by which the signer tells mail that comes by SMTP from what a content filter hands back": steptest.Tuned(
			[]string{"milter_rcpt_macros = i {rcpt_addr}"}, steptest.Service("smtp2/inet smtpd", "content_filter=spamassassin"), steptest.Service("spamassassin/unix pipe")),
		"/etc/postfix/master.cf:12: service smtp2/inet sets milter_rcpt_macros without {rcpt_mailer}, by which": steptest.Tuned(
			nil, steptest.Service("smtp2/inet smtpd", "content_filter=spamassassin", "milter_rcpt_macros=i"), steptest.Service("spamassassin/unix pipe")),
		"/etc/postfix/main.cf: content_filter = hold:: /etc/postfix/master.cf:10 is a discard": steptest.Tuned(
			[]string{"content_filter = hold:"}, steptest.Service("hold/unix discard")),
	} {
		_, err := steps.Build(steps.All(), in)
		if err == nil || !strings.HasPrefix(err.Error(), "Postfix: "+want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
