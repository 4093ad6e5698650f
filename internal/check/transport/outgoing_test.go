package transport_test

import (
	"strings"
	"testing"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/check/transport"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// postfix has the services of Debian, and parameters in main.cf.
func postfix(settings ...string) *state.Postfix {
	p := &state.Postfix{
		Version: "3.10.13", Raw: map[string]string{}, Value: map[string]string{"default_transport": "smtp", "smtp_use_tls": "no", "smtp_enforce_tls": "no"},
		Services: []state.Service{
			{Name: "smtp/inet", Command: "smtpd"}, {Name: "smtp/unix", Command: "smtp"}, {Name: "relay/unix", Command: "smtp"},
		},
	}
	for i := 0; i < len(settings); i += 2 {
		p.Raw[settings[i]], p.Value[settings[i]] = settings[i+1], settings[i+1]
	}
	return p
}

// with adds an option to a service, or a further one.
func with(p *state.Postfix, service, name, value string) *state.Postfix {
	o := state.Option{Name: name, Value: value, Expanded: value}
	for i := range p.Services {
		if p.Services[i].Name == service {
			p.Services[i].Options = append(p.Services[i].Options, o)
			return p
		}
	}
	p.Services = append(p.Services, state.Service{Name: service, Command: "smtp", Options: []state.Option{o}})
	return p
}

// reader has one file.
type reader struct {
	system.Reader
	path state.Path
	text string
}

func (r reader) Read(p state.Path) (state.Object, error) {
	if p != r.path {
		return state.Object{Kind: state.Absent}, nil
	}
	return state.Object{Kind: state.Regular, Content: []byte(r.text)}, nil
}

func files(path state.Path, text string) system.Reader { return reader{path: path, text: text} }

// The level of TLS as it is on Debian 12 (may) and 13 (not set), and as people write it.
func TestTLSOfOutgoingMail(t *testing.T) {
	const set = "postconf -e smtp_tls_security_level=may && postfix reload"
	for _, tt := range []struct {
		name      string
		postfix   *state.Postfix
		smarthost string
		want      string
		remedy    string
		fixable   bool
	}{
		{"Debian 12", postfix("smtp_tls_security_level", "may"), "", "ok tls.out smtp/unix", "", false},
		{"Debian 13", postfix(), "", "problem tls.out smtp/unix", set, true},
		{"none", postfix("smtp_tls_security_level", "none"), "", "problem tls.out smtp/unix", set, false},
		{"None", postfix("smtp_tls_security_level", "None"), "", "problem tls.out smtp/unix", set, false},
		{"empty", postfix("smtp_tls_security_level", ""), "", "problem tls.out smtp/unix", set, false},
		{"as in Postfix 2.2", postfix("smtp_use_tls", "yes"), "", "ok tls.out smtp/unix", "", false},
		{"dane", postfix("smtp_tls_security_level", "dane"), "", "ok tls.out smtp/unix", "", false},
		{
			"option of the transport", with(postfix("smtp_tls_security_level", "may"), "smtp/unix", "smtp_tls_security_level", "none"), "",
			"problem tls.out smtp/unix", "postconf -P smtp/unix/smtp_tls_security_level=may && postfix reload", false,
		},
		{"option that mends it", with(postfix(), "smtp/unix", "smtp_tls_security_level", "encrypt"), "", "ok tls.out smtp/unix", "", false},
		{
			"another transport", with(postfix("smtp_tls_security_level", "may"), "slow/unix", "smtp_tls_security_level", "none"), "",
			"ok tls.out smtp/unix|note tls.out slow/unix", "postconf -P slow/unix/smtp_tls_security_level=may && postfix reload", false,
		},
		{
			"a content filter", with(postfix("smtp_tls_security_level", "may", "content_filter", "amavis:[127.0.0.1]:10024"), "amavis/unix", "smtp_tls_security_level", "none"), "",
			"ok tls.out smtp/unix", "", false,
		},
		{"policies for some", postfix("smtp_tls_policy_maps", "hash:/etc/postfix/tls"), "", "warning tls.out smtp/unix", set, true},
		{"a smarthost", postfix(), "[smtp.other.example]:587", "note tls.out smtp/unix", set, true},
		{"a smarthost with a password", postfix("smtp_sasl_auth_enable", "yes"), "[smtp.other.example]:587", "warning tls.out smtp/unix", set, true},
		{"another default transport", with(postfix("default_transport", "out"), "out/unix", "smtp_helo_timeout", "60s"), "", "problem tls.out out/unix", set, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := subject.Server{Smarthost: tt.smarthost, SetUp: true, Now: now, Facts: state.Facts{Postfix: tt.postfix}}
			r := transport.Check(t.Context(), nil, s, receives("lab.example"), transport.Options{})
			expect(t, lines(r, "tls"), strings.Split(tt.want, "|")...)
			for _, f := range r.Findings {
				if f.ID == "tls.out" && f.Severity != finding.OK && (f.Remedy.String() != tt.remedy || f.Fixable != tt.fixable) {
					t.Errorf("%+v", f)
				}
			}
		})
	}
	// Without Postfix, or where mailsetup has not run.
	expect(t, lines(transport.Check(t.Context(), nil, subject.Server{}, nil, transport.Options{}), "tls", "sts", "tlsrpt"))
	r := transport.Check(t.Context(), nil, subject.Server{Facts: state.Facts{Postfix: postfix()}}, nil, transport.Options{})
	if f := find(t, r, "tls.out"); f.Fixable || f.Seen != "mail leaves without TLS: smtp_tls_security_level is not set" {
		t.Errorf("%+v", f)
	}
}

func TestPoliciesAndReportsOfThisServer(t *testing.T) {
	old := postfix()
	old.Version = "3.7.11"
	for _, tt := range []struct {
		postfix   *state.Postfix
		smarthost string
		want      []string
	}{
		{postfix(), "", []string{"note sts.out smtp_tls_policy_maps", "note tlsrpt.send smtp_tlsrpt_enable"}},
		{old, "", []string{"note sts.out smtp_tls_policy_maps", "note tlsrpt.send smtp_tlsrpt_enable"}},
		{postfix(), "[smtp.other.example]", nil},
		{
			postfix("smtp_tls_policy_maps", "hash:/etc/postfix/tls, socketmap:inet:127.0.0.1:8461:postfix", "smtp_tlsrpt_enable", "yes", "smtp_tlsrpt_socket_name", "run/tlsrpt.sock"), "",
			[]string{"ok sts.out smtp_tls_policy_maps", "ok tlsrpt.send smtp_tlsrpt_enable"},
		},
		{postfix("smtp_tlsrpt_enable", "yes"), "", []string{"note sts.out smtp_tls_policy_maps", "warning tlsrpt.send smtp_tlsrpt_enable"}},
	} {
		s := subject.Server{Smarthost: tt.smarthost, Facts: state.Facts{Postfix: tt.postfix}}
		expect(t, lines(transport.Check(t.Context(), nil, s, nil, transport.Options{}), "sts", "tlsrpt"), tt.want...)
	}
}

// A Postfix that compares the MX with the policy has to be told those of the policy.
func TestPoliciesWithoutTheirMX(t *testing.T) {
	const resolver, tlspol = "socketmap:inet:127.0.0.1:8461:postfix", "socketmap:inet:127.0.0.1:8642:QUERY"
	for _, tt := range []struct{ maps, enforces, yml, want, remedy string }{
		{resolver, "yes", "port: 8461\n", "note", "tlsrpt: true in /etc/mta-sts-daemon.yml, where its version knows that, then:\nsystemctl restart postfix-mta-sts-resolver"},
		{resolver, "yes", "port: 8461\ntlsrpt: True\n", "ok", ""},
		{resolver, "yes", "# tlsrpt: true\n", "note", "tlsrpt: true in /etc/mta-sts-daemon.yml, where its version knows that, then:\nsystemctl restart postfix-mta-sts-resolver"},
		{resolver, "yes", "", "ok", ""}, // of another program
		{resolver, "", "port: 8461\n", "ok", ""},
		{resolver, "no", "port: 8461\n", "ok", ""},
		{tlspol, "yes", "", "note", "write QUERYwithTLSRPT in place of QUERY in smtp_tls_policy_maps, then:\npostfix reload"},
		{tlspol + "withTLSRPT", "yes", "", "ok", ""},
	} {
		path := state.Path("/etc/mta-sts-daemon.yml")
		if tt.yml == "" {
			path = "/etc/none"
		}
		p := postfix("smtp_tls_policy_maps", tt.maps)
		p.Value["smtp_tls_enforce_sts_mx_patterns"] = tt.enforces
		f := find(t, transport.Check(t.Context(), nil, subject.Server{Facts: state.Facts{Postfix: p}}, nil, transport.Options{Files: files(path, tt.yml)}), "sts.out")
		if string(f.Severity) != tt.want || f.Remedy.String() != tt.remedy {
			t.Errorf("%+v: %+v", tt, f)
		}
	}
}
