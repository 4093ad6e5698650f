package zones

import (
	"strings"
	"testing"

	"mailsetup/internal/detect/detecttest"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

func TestDNSServer(t *testing.T) {
	for _, c := range []struct {
		name            string
		installed, runs string
		want            state.DNSServer
	}{
		{"nothing", "", "", state.NoDNSServer},
		{"BIND", "bind9", "named", state.BIND},
		{"BIND, stopped", "bind9", "", state.BIND},
		{"a stopped BIND and Unbound", "bind9 unbound", "unbound", state.Unbound},
		{"BIND and a resolver", "bind9 dnsmasq", "named dnsmasq", state.BIND},
		{"authoritative before resolver", "nsd unbound", "nsd unbound", state.NSD},
		{"PowerDNS and dnsmasq", "pdns-server dnsmasq", "pdns dnsmasq", state.PowerDNS},
		{"stopped, so it answers nothing", "unbound", "", state.NoDNSServer},
	} {
		m, f := detecttest.New(), state.Facts{Installed: map[string]bool{}}
		for name := range strings.FieldsSeq(c.installed) {
			f.Installed[name] = true
		}
		for name := range strings.FieldsSeq(c.runs) {
			m.Units[name+".service"] = system.UnitStatus{Load: "loaded", Active: "active"}
		}
		if err := Server(t.Context(), m, source.Options{}, &f); err != nil || f.DNS != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, f.DNS, err, c.want)
		}
	}
}

func TestZonesOfABINDThatDoesNotAnswer(t *testing.T) {
	m := detecttest.Bookworm()
	f := state.Facts{Installed: map[string]bool{"bind9": true}, DNS: state.Unbound}
	if err := Find(t.Context(), m, source.Options{}, &f); err != nil || f.Zones != nil {
		t.Errorf("another server answers: zones %+v, %v", f.Zones, err)
	}
	m.Units["named.service"] = system.UnitStatus{Load: "loaded", Active: "failed"}
	f.DNS = state.BIND
	if err := Find(t.Context(), m, source.Options{}, &f); err != nil || len(f.Zones) != 1 ||
		f.Zones[0].Problem != "BIND does not run: named.service is failed" || f.Zones[0].Hint != "journalctl -u named, then systemctl start named; or --dns manual" {
		t.Errorf("BIND is down: zones %+v, %v", f.Zones, err)
	}
}
