package postconf_test

import (
	"slices"
	"testing"

	"mailsetup/internal/postconf"
	"mailsetup/internal/state"
)

// What a service sets for itself counts before main.cf, and what main.cf says before
// the default, with references to other parameters put in.
func TestTheValueOfAParameterInAService(t *testing.T) {
	p := &state.Postfix{
		Raw: map[string]string{
			"mua_milters": "inet:127.0.0.1:1, inet:127.0.0.1:2", "smtpd_milters": "$mua_milters", "loop": "$loop",
			"content_filter": "  smtp:[127.0.0.1]:10024  ",
		},
		Value: map[string]string{"inet_protocols": "all", "smtpd_milters": "of postconf"},
	}
	own := &state.Service{Options: []state.Option{
		{Name: "mua_milters", Value: "inet:127.0.0.1:3"},
		{Name: "content_filter", Value: ""},
		{Name: "inet_protocols", Value: "$there_is_none", Expanded: " ipv4 "},
	}}
	for _, tt := range []struct {
		name    string
		service *state.Service
		want    string
	}{
		{"smtpd_milters", nil, "inet:127.0.0.1:1, inet:127.0.0.1:2"},
		{"smtpd_milters", own, "inet:127.0.0.1:3"},
		{"mua_milters", own, "inet:127.0.0.1:3"},
		{"content_filter", nil, "smtp:[127.0.0.1]:10024"},
		{"content_filter", own, ""},
		{"inet_protocols", nil, "all"},
		{"inet_protocols", own, "ipv4"},
		{"relayhost", own, ""},
	} {
		if got := postconf.Effective(p, tt.service, tt.name); got != tt.want {
			t.Errorf("%s (of a service: %v): %q, want %q", tt.name, tt.service != nil, got, tt.want)
		}
	}
	postconf.Effective(p, nil, "loop") // ends
}

func TestListsOfWords(t *testing.T) {
	if got, want := postconf.Words(" a, b\tc,,\n d "), []string{"a", "b", "c", "d"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if !postconf.Has("no_address_mappings,no_milters", "no_milters") || postconf.Has("no_milters_at_all", "no_milters") || postconf.Has("", "") {
		t.Error("words of a list")
	}
}

// Addresses of content filters and of services, with brackets and ports.
func TestHostsOfThisMachine(t *testing.T) {
	for address, want := range map[string]string{
		"[127.0.0.1]:10024": "127.0.0.1", "127.0.0.1:10025": "127.0.0.1", "[::1]:10024": "::1", "localhost:10025": "localhost", "10025": "10025",
	} {
		if got := postconf.Host(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	for host, want := range map[string]bool{"localhost": true, "LOCALHOST": true, "127.0.0.53": true, "::1": true, "192.0.2.1": false, "localhost.example": false, "": false} {
		if got := postconf.IsLoopback(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	for networks, want := range map[string]bool{
		"127.0.0.0/8": true, "127.0.0.0/8, [::1]/128 [::ffff:127.0.0.0]/104": true, "127.0.0.0/8 10.0.0.0/8": false, "0.0.0.0/0": false, "": false,
	} {
		if got := postconf.OnlyLoopback(networks); got != want {
			t.Errorf("%q: %v", networks, got)
		}
	}
}

func TestTheUserOfServices(t *testing.T) {
	for set, want := range map[string]string{"": "postfix", "vmail": "vmail"} {
		p := &state.Postfix{Raw: map[string]string{}}
		if set != "" {
			p.Raw["mail_owner"] = set
		}
		if got := postconf.Owner(p); got != want {
			t.Errorf("mail_owner %q: %q, want %q", set, got, want)
		}
	}
}
