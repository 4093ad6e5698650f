package nsupdate

import (
	"context"
	"fmt"
	"slices"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// Session queries primaries with a key for zones and their records. It keeps one
// connection to each until Close. A primary that cannot be reached or does not answer
// is not tried again, since each attempt may take as long as the timeout.
type Session struct {
	Resolver    *dnsclient.Client // for zones whose server is not named
	conns       map[string]*conn
	unreachable map[string]error
}

// Close ends the connections.
func (s *Session) Close() {
	for _, c := range s.conns {
		c.close()
	}
}

func (s *Session) conn(ctx context.Context, server string, key Key) (*conn, error) {
	id := server + " " + key.Name
	if c := s.conns[id]; c != nil {
		return c, c.broken
	}
	if err := s.unreachable[id]; err != nil {
		return nil, err
	}
	c, err := dial(ctx, s.Resolver, server, key)
	if s.conns == nil {
		s.conns, s.unreachable = map[string]*conn{}, map[string]error{}
	}
	if err != nil {
		s.unreachable[id] = err
		return nil, err
	}
	s.conns[id] = c
	return c, nil
}

// Zone finds the zone that holds a name on its primary, which is host:port:
// the server given, or without one that of the SOA record as resolvers see it
// (RFC 2136 section 4.3). The origin is "" if the server has no such zone.
func (s *Session) Zone(ctx context.Context, server string, key Key, name string) (origin, primary string, err error) {
	if server == "" {
		if server, err = s.Resolver.Primary(ctx, name); err != nil {
			return "", "", fmt.Errorf("find the primary of %s: %w", dnsname.TrimDot(name), err)
		}
	}
	server = dnsclient.WithPort(server)
	c, err := s.conn(ctx, server, key)
	if err != nil {
		return "", "", err
	}
	for at := dns.CanonicalName(name); ; at = dnsname.Parent(at) {
		r, err := c.ask(ctx, dnsclient.Query(at, dns.TypeSOA, false))
		if err != nil {
			return "", "", err
		}
		switch origin := authority(r, at); {
		case origin != "":
			return origin, server, nil
		case dnsclient.Referral(r) != "" && r.Rcode == dns.RcodeSuccess && dns.IsSubDomain(dnsclient.Referral(r), dns.CanonicalName(name)) && parentHere(ctx, c, dnsclient.Referral(r)):
			return "", server, nil // others have it
		case at == ".":
			return "", server, nil
		}
	}
}

// authority returns the origin of the zone whose server answered a query for the SOA
// record of a name, "" where the answer has no authority. The SOA record is in the
// answer, or beside the statement that there is none; behind an alias it belongs to
// another name.
func authority(r *dns.Msg, name string) string {
	if !r.Authoritative || r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
		return ""
	}
	for _, rr := range slices.Concat(r.Answer, r.Ns) {
		if rr.Header().Rrtype == dns.TypeSOA && dns.IsSubDomain(rr.Header().Name, name) {
			return dns.CanonicalName(rr.Header().Name)
		}
	}
	return ""
}

// parentHere reports whether the server has the zone above a delegation. Some servers
// refer every name of a foreign zone to the root.
func parentHere(ctx context.Context, c *conn, cut string) bool {
	r, err := c.ask(ctx, dnsclient.Query(dnsname.Parent(cut), dns.TypeSOA, false))
	return err == nil && cut != "." && authority(r, dnsname.Parent(cut)) != ""
}

// Records returns the records of some names and types on a primary. A name that is an
// alias has its CNAME record in their place.
func (s *Session) Records(ctx context.Context, server string, key Key, list []Question) ([]state.Record, error) {
	c, err := s.conn(ctx, server, key)
	if err != nil {
		return nil, err
	}
	found, err := c.read(ctx, list)
	return dnsclient.FromRRs(found), err
}
