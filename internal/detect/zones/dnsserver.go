package zones

import (
	"context"
	"fmt"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
)

// NamedUnit is the unit of BIND.
const NamedUnit = "named.service"

// Server names what answers DNS here: of several that run, one that is
// there for zones rather than for looking up names. A BIND that is down counts,
// since it is what the records are for.
func Server(ctx context.Context, s source.Source, _ source.Options, f *state.Facts) error {
	servers := []struct {
		kind          state.DNSServer
		unit, program string
	}{
		{state.BIND, NamedUnit, "bind9"},
		{state.PowerDNS, "pdns.service", "pdns-server"},
		{state.NSD, "nsd.service", "nsd"},
		{state.Dnsmasq, "dnsmasq.service", "dnsmasq"},
		{state.Unbound, "unbound.service", "unbound"},
	}
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
	}
	if f.Installed["bind9"] {
		f.DNS = state.BIND
	}
	return nil
}
