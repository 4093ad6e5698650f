package zones

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

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

// A named that somebody stopped has its sockets, and answers nobody.
func TestZonesOfASuspendedBIND(t *testing.T) {
	m := detecttest.Bookworm()
	f := state.Facts{Installed: map[string]bool{"bind9": true}, DNS: state.BIND}
	m.Units["named.service"] = system.UnitStatus{Load: "loaded", Active: "active", PID: 77}
	m.PutFile("/proc/77/stat", "77 (named (8)) T 1 77 77 0 -1\n")
	if err := Find(t.Context(), m, source.Options{}, &f); err != nil || len(f.Zones) != 1 ||
		f.Zones[0].Problem != "BIND does not answer: somebody stopped its process 77 (SIGSTOP)" || f.Zones[0].Hint != "systemctl kill -s CONT named; or --dns manual" {
		t.Errorf("zones %+v, %v", f.Zones, err)
	}
	m.PutFile("/proc/77/stat", "77 (T) S 1 77 77 0 -1\n")
	f.Zones = nil
	if err := Find(t.Context(), m, source.Options{}, &f); err != nil || len(f.Zones) == 0 || strings.Contains(f.Zones[0].Problem, "answer") {
		t.Errorf("it runs: zones %+v, %v", f.Zones, err)
	}
}

// What BIND's configuration includes may be a pipe.
func TestCheckersAreBounded(t *testing.T) {
	for program, want := range map[string]string{
		"named-checkconf": "named-checkconf did not end within 30s: what it includes may be a pipe or a device",
		"named-checkzone": "named-checkzone did not end within 30s: what the zone includes may be a pipe or a device",
	} {
		m := slowProgram{detecttest.Bookworm(), program}
		m.PutFile("/etc/bind/db.lab", "@ IN SOA ns hostmaster 1 1h 1h 1h 1h\n")
		m.Units["named.service"] = system.UnitStatus{Load: "loaded", Active: "active"}
		f := state.Facts{Installed: map[string]bool{"bind9": true}, DNS: state.BIND}
		if err := Find(t.Context(), m, source.Options{Origins: []string{"lab.example"}}, &f); err != nil || len(f.Zones) == 0 ||
			f.Zones[0].Problem != want || f.Zones[0].Hint == "" {
			t.Errorf("%s: zones %+v, %v", program, f.Zones, err)
		}
	}
}

type slowProgram struct {
	*detecttest.Machine
	name string
}

func (s slowProgram) Run(ctx context.Context, c system.Command) (system.Result, error) {
	if c.Argv[0] != s.name {
		return s.Machine.Run(ctx, c)
	}
	if c.Within <= 0 || c.Within > 30*time.Second {
		return system.Result{}, fmt.Errorf("%s may run %v", s.name, c.Within)
	}
	return system.Result{}, fmt.Errorf("run %s: cut short: %w", s.name, &system.SlowError{Argv: c.Argv, Within: c.Within})
}
