package postfix_test

import (
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
	"mailsetup/steps/steptest"
)

// Outgoing mail gets TLS where nobody decided about it (the main.cf of Debian 13), and
// what somebody wrote stays, whatever it is.
func TestOutgoingTLS(t *testing.T) {
	tlsmgr, smtp := steptest.Service("tlsmgr/unix tlsmgr"), steptest.Service("smtp/unix smtp")
	for _, tt := range []struct {
		name     string
		main     string // smtp_tls_security_level, as written; "-" for not at all
		raw      map[string]string
		value    string
		services []state.Service
		only     bool
		want     string
	}{
		{"Debian 13 as installed", "-", nil, "", []state.Service{smtp, tlsmgr}, false, "may"},
		{"Debian 12 as installed", "may", nil, "may", []state.Service{smtp, tlsmgr}, false, ""},
		{"Debian 14, whose default is may", "-", nil, "may", []state.Service{smtp, tlsmgr}, false, ""},
		{"switched off", "none", nil, "none", []state.Service{smtp, tlsmgr}, false, ""},
		{"emptied", "", nil, "", []state.Service{smtp, tlsmgr}, false, ""},
		{"stricter", "dane", nil, "dane", []state.Service{smtp, tlsmgr}, false, ""},
		{"in old words", "-", map[string]string{"smtp_use_tls": "no"}, "", []state.Service{smtp, tlsmgr}, false, ""},
		{"for some destinations", "-", map[string]string{"smtp_tls_policy_maps": "hash:/etc/postfix/tls"}, "", []state.Service{smtp, tlsmgr}, false, ""},
		{"for each service", "-", nil, "", []state.Service{steptest.Service("smtp/unix smtp", "smtp_tls_security_level=none"), tlsmgr}, false, ""},
		{"for one of two services", "-", nil, "", []state.Service{smtp, steptest.Service("relay/unix smtp", "smtp_tls_security_level=encrypt"), tlsmgr}, false, "may"},
		{"without tlsmgr", "-", nil, "", []state.Service{smtp}, false, ""},
		{"a run about one domain", "-", nil, "", []state.Service{smtp, tlsmgr}, true, ""},
	} {
		in := steptest.Tuned(nil, tt.services...)
		p := in.Facts.Postfix
		if p.Value == nil {
			p.Value = map[string]string{}
		}
		if p.Value["smtp_tls_security_level"] = tt.value; tt.main != "-" {
			p.Raw["smtp_tls_security_level"] = tt.main
		}
		for name, value := range tt.raw {
			p.Raw[name] = value
		}
		if tt.only {
			in.Scope = step.Only("lab.example")
		}
		if got := tlsOf(t, in); got != tt.want {
			t.Errorf("%s: smtp_tls_security_level = %q, want %q", tt.name, got, tt.want)
		}
	}
	in := steptest.Bare()
	if got := tlsOf(t, in); got != "may" {
		t.Errorf("a Postfix that this run installs: smtp_tls_security_level = %q", got)
	}
}

// tlsOf returns what a run sets.
func tlsOf(t *testing.T, in step.Input) string {
	t.Helper()
	stage, _, err := postfix.Configure(in)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range stage.Edits {
		if edit, ok := e.(state.PostfixEdit); ok {
			for _, s := range edit.Set {
				if s.Name == "smtp_tls_security_level" {
					return s.Value
				}
			}
		}
	}
	return ""
}
