package nsupdate

import (
	"context"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// Coverage asks a primary which wildcards answer for some names; see
// dnsclient.Client.Coverage.
func (s *Session) Coverage(ctx context.Context, server string, key Key, origin string, names []string, ours []state.Record) (dnsclient.Coverage, error) {
	c, err := s.conn(ctx, server, key)
	if err != nil {
		return dnsclient.Coverage{}, err
	}
	return dnsclient.FindCoverage(origin, names, ours, func(name string, kind uint16) (*dns.Msg, error) {
		return c.ask(ctx, dnsclient.Query(name, kind, false))
	})
}

// ownRecords returns the records that exist at their names. The others are those of a
// wildcard, which the server returns under the queried name.
func (c *conn) ownRecords(ctx context.Context, origin string, have []dns.RR) ([]dns.RR, error) {
	covered, there := map[string]bool{}, map[string]bool{}
	var list []dns.RR
	for _, rr := range have {
		name := dns.CanonicalName(rr.Header().Name)
		above := dnsname.Parent(name)
		if _, known := there[name]; !known {
			there[name] = true
			if _, known := covered[above]; !known && name != origin {
				r, err := c.ask(ctx, dnsclient.Query(dnsclient.UnusedName(above), rr.Header().Rrtype, false))
				if err != nil {
					return nil, err
				}
				covered[above] = len(r.Answer) > 0
			}
			if name != origin && covered[above] {
				used, err := c.inUse(ctx, origin, name)
				if err != nil {
					return nil, err
				}
				there[name] = used
			}
		}
		if there[name] {
			list = append(list, rr)
		}
	}
	return list, nil
}

// inUse reports whether a name has records of its own, by an update that changes nothing
// and has that as its prerequisite (RFC 2136 section 2.4.4).
func (c *conn) inUse(ctx context.Context, origin, name string) (bool, error) {
	m := new(dns.Msg).SetUpdate(dns.CanonicalName(origin))
	m.NameUsed([]dns.RR{deleteRRset(name, dns.TypeANY)})
	r, err := c.ask(ctx, m)
	switch {
	case err != nil:
		return false, err
	case r.Rcode == dns.RcodeNameError:
		return false, nil
	case r.Rcode == dns.RcodeSuccess:
		return true, nil
	}
	return false, c.refusal(r.Rcode)
}
