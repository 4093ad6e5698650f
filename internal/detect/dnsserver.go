package detect

import (
	"context"
	"fmt"

	"mailsetup/internal/state"
)

// dnsServer names what answers DNS here: of several that are installed, the
// one that runs.
func dnsServer(ctx context.Context, s Source, _ Options, f *state.Facts) error {
	servers := []struct {
		kind          state.DNSServer
		unit, program string
	}{
		{state.BIND, "named.service", "bind9"},
		{state.PowerDNS, "pdns.service", "pdns-server"},
		{state.NSD, "nsd.service", "nsd"},
		{state.Dnsmasq, "dnsmasq.service", "dnsmasq"},
		{state.Unbound, "unbound.service", "unbound"},
	}
	first := state.NoDNSServer
	for _, d := range servers {
		if !f.Installed[d.program] {
			continue
		}
		status, err := s.Status(ctx, d.unit)
		if err != nil {
			return fmt.Errorf("look at unit %s: %w", d.unit, err)
		}
		if status.Active == "active" {
			f.DNS = d.kind
			return nil
		}
		if first == state.NoDNSServer {
			first = d.kind
		}
	}
	f.DNS = first
	return nil
}
