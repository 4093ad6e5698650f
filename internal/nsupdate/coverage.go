package nsupdate

import (
	"context"
	"slices"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
)

// Coverage asks a primary which wildcards answer for some names; see
// dnsclient.Client.Coverage.
func (s *Session) Coverage(ctx context.Context, server string, key Key, origin string, names []string, ours []state.Record) (dnsclient.Coverage, error) {
	parts := slices.Collect(slices.Chunk(names, partOf(len(names))))
	found := make([]dnsclient.Coverage, len(parts))
	err := parallel.Do(len(parts), atOnce, func(i int) error {
		return s.with(ctx, server, key, func(c *conn) (err error) {
			found[i], err = dnsclient.FindCoverage(origin, parts[i], ours, func(name string, kind uint16) (*dns.Msg, error) {
				return c.ask(ctx, dnsclient.Query(name, kind, false))
			})
			return err
		})
	})
	if err != nil || len(found) == 0 {
		return dnsclient.Coverage{Origin: origin}, err
	}
	all := found[0]
	for _, f := range found[1:] {
		for _, r := range f.Records {
			if !slices.ContainsFunc(all.Records, func(o state.Record) bool { return dnsclient.Same(o, r) }) {
				all.Records = append(all.Records, r)
			}
		}
		all.Names = append(all.Names, f.Names...)
	}
	if len(found) > 1 {
		slices.Sort(all.Names)
		all.Names = slices.Compact(all.Names)
	}
	return all, nil
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
