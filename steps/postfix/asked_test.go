package postfix

import (
	"strings"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// What each service shows the signer: by its own list or that of main.cf, once or twice,
// before or after OpenDMARC, or not at all.
func TestAskedBy(t *testing.T) {
	const ours = "unix:opendkim/opendkim.sock"
	service := func(name, command string, options ...string) state.Service {
		s := state.Service{Name: name, Command: command}
		for _, o := range options {
			n, v, _ := strings.Cut(o, "=")
			s.Options = append(s.Options, state.Option{Name: n, Value: v, Expanded: v})
		}
		return s
	}
	in := step.Input{Spec: spec.Spec{Host: spec.Host{LeaveServices: []string{"2525/inet"}}}, Facts: state.Facts{Postfix: &state.Postfix{
		QueueDirectory: "/var/spool/postfix",
		Raw:            map[string]string{"smtpd_milters": "$mua, inet:localhost:8893", "mua": "{ " + ours + ", default_action=tempfail }", "non_smtpd_milters": ours},
		Value:          map[string]string{"milter_default_action": "accept"},
		Services: []state.Service{
			service("smtp/inet", "smtpd"),
			service("submission/inet", "smtpd", "smtpd_milters="),
			service("smtps/inet", "smtpd", "receive_override_options=no_milters"),
			service("2525/inet", "smtpd", "smtpd_milters=inet:localhost:8893 "+ours+" "+ours),
			service("127.0.0.1:10025/inet", "smtpd", "content_filter="),
			service("127.0.0.1:10026/inet", "smtpd", "smtpd_proxy_filter=127.0.0.1:10024"),
			service("cleanup/unix", "cleanup"),
			service("pickup/unix", "pickup"),
			service("smtp/unix", "smtp"),
		},
	}}}
	want := []struct {
		name, list, action, off        string
		found, twice, dmarc, own, left bool
	}{
		{name: "smtp/inet", list: "smtpd_milters", action: "tempfail", found: true},
		{name: "submission/inet", list: "smtpd_milters", action: "accept", off: "smtpd_milters =", own: true},
		{name: "smtps/inet", list: "smtpd_milters", action: "tempfail", off: "receive_override_options = no_milters", own: true},
		{name: "2525/inet", list: "smtpd_milters", action: "accept", found: true, twice: true, dmarc: true, left: true},
		{name: "cleanup/unix", list: "non_smtpd_milters", action: "accept", found: true},
	}
	got := AskedBy(in)
	if len(got) != len(want) {
		t.Fatalf("%d services: %+v", len(got), got)
	}
	for i, w := range want {
		g := got[i]
		if g.Service.Name != w.name || g.List != w.list || g.Action != w.action || g.Off != w.off || g.Found != w.found || g.Twice != w.twice ||
			g.DMARCFirst != w.dmarc || g.Own != w.own || g.Left != w.left || w.found && g.Endpoint != ours {
			t.Errorf("%+v\nwant %+v", g, w)
		}
	}
	if AskedBy(step.Input{}) != nil {
		t.Error("services without a Postfix")
	}
}
