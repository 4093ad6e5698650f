package zones

import (
	"context"
	"fmt"

	"mailsetup/internal/detect/source"
	"mailsetup/internal/state"
)

// NamedUnit is the unit of BIND.
const NamedUnit = "named.service"

// Server finds out which software answers DNS here: if several run, an authoritative
// one rather than a resolver. A BIND that is down counts, since records are to be
// published in it.
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
