package nsupdate

import (
	"context"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// Coverage asks a primary; see Client.Cover.
func (p *Session) Coverage(ctx context.Context, server string, key Key, origin string, names []string, ours []state.Record) (dnsclient.Coverage, error) {
	l, err := p.conn(ctx, server, key)
	if err != nil {
		return dnsclient.Coverage{}, err
	}
	return dnsclient.FindCoverage(origin, names, ours, func(name string, kind uint16) (*dns.Msg, error) {
		return l.ask(ctx, dnsclient.Query(name, kind, false))
	})
}

// ownRecords are those of some records that stand in a zone: a wildcard answers
// with records under whatever name was asked for.
func (l *conn) ownRecords(ctx context.Context, origin string, have []dns.RR) ([]dns.RR, error) {
	covered, there := map[string]bool{}, map[string]bool{}
	var list []dns.RR
	for _, rr := range have {
		name := dns.CanonicalName(rr.Header().Name)
		above := dnsname.Parent(name)
		if _, known := there[name]; !known {
			there[name] = true
			if _, known := covered[above]; !known && name != origin {
				r, err := l.ask(ctx, dnsclient.Query(dnsclient.UnusedName(above), rr.Header().Rrtype, false))
				if err != nil {
					return nil, err
				}
				covered[above] = len(r.Answer) > 0
			}
			if name != origin && covered[above] {
				used, err := l.inUse(ctx, origin, name)
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

// inUse asks whether a name has records of its own: by an update that changes
// nothing, on the condition that it has (RFC 2136 section 2.4.4).
func (l *conn) inUse(ctx context.Context, origin, name string) (bool, error) {
	m := new(dns.Msg).SetUpdate(dns.CanonicalName(origin))
	m.NameUsed([]dns.RR{anyOf(name, dns.TypeANY)})
	r, err := l.ask(ctx, m)
	switch {
	case err != nil:
		return false, err
	case r.Rcode == dns.RcodeNameError:
		return false, nil
	case r.Rcode == dns.RcodeSuccess:
		return true, nil
	}
	return false, l.refusal(r.Rcode)
}
