package livepath

import (
	"testing"

	"mailsetup/internal/state"
)

// What comes in by port 25 may not be tried where the signer does not see it.
func TestProxyFilter(t *testing.T) {
	const filter = "127.0.0.1:10024"
	for _, tt := range []struct{ service, command, main, own, want string }{
		{"smtp/inet", "smtpd", filter, "", filter},
		{"smtp/inet", "smtpd", "", filter, filter},
		{"25/inet", "smtpd", "", filter, filter},
		{"192.0.2.10:smtp/inet", "smtpd", "", filter, filter},
		{"smtpd/pass", "smtpd", "", filter, filter},
		{"smtp/inet", "postscreen", filter, "", ""},
		{"submission/inet", "smtpd", "", filter, ""},
		{"127.0.0.1:10025/inet", "smtpd", filter, "", ""},
		{"smtp/inet", "smtpd", "", "", ""},
	} {
		p := &state.Postfix{Raw: map[string]string{}, Value: map[string]string{"smtpd_proxy_filter": tt.main}}
		s := state.Service{Name: tt.service, Command: tt.command}
		if tt.own != "" {
			s.Options = []state.Option{{Name: "smtpd_proxy_filter", Value: tt.own, Expanded: tt.own}}
		}
		p.Services = []state.Service{s}
		if got := proxyFilter(p); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}
