package detect

import (
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestPostfixUnit(t *testing.T) {
	for kind, want := range map[string]string{"oneshot": "postfix@-.service", "forking": "postfix.service"} {
		m := newMachine()
		m.units["postfix.service"] = system.UnitStatus{Load: "loaded", Type: kind}
		if got, err := postfixUnit(t.Context(), m); got != want || err != nil {
			t.Errorf("unit of type %s: %q, %v", kind, got, err)
		}
	}
}

func TestDNSServer(t *testing.T) {
	up := system.UnitStatus{Active: "active"}
	for _, c := range []struct {
		name      string
		installed []string
		units     map[string]system.UnitStatus
		want      state.DNSServer
	}{
		{"none", nil, nil, state.NoDNSServer},
		{"bind", []string{"bind9"}, nil, state.BIND},
		{"the one that runs", []string{"bind9", "dnsmasq"}, map[string]system.UnitStatus{"dnsmasq.service": up}, state.Dnsmasq},
		{"bind before a forwarder", []string{"bind9", "unbound"}, map[string]system.UnitStatus{"named.service": up, "unbound.service": up}, state.BIND},
		{"powerdns", []string{"pdns-server"}, nil, state.PowerDNS},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMachine()
			m.units = c.units
			f := state.Facts{Installed: map[string]bool{}}
			for _, p := range c.installed {
				f.Installed[p] = true
			}
			if err := dnsServer(t.Context(), m, Options{}, &f); err != nil || f.DNS != c.want {
				t.Errorf("%q, %v; want %q", f.DNS, err, c.want)
			}
		})
	}
}
