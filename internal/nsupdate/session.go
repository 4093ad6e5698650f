package nsupdate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
)

// Session queries primaries with a key for zones and their records, also for several
// callers at the same time. It keeps a few connections to each until Close. A primary that
// cannot be reached or does not answer is not tried again, since each attempt may take as
// long as the timeout.
type Session struct {
	Resolver *dnsclient.Client // for zones whose server is not named

	mu      sync.Mutex
	servers map[string]*connections // by address and key
}

// atOnce is the number of connections to a primary: BIND takes 150 of all clients together
// (tcp-clients), and others less.
const atOnce = 8

// connections are those to one primary, for one key.
type connections struct {
	turns chan struct{} // as many as there may be

	mu     sync.Mutex
	idle   []*conn
	failed error // why nothing more is asked
}

// Close ends the connections.
func (s *Session) Close() {
	for _, list := range s.servers {
		for _, c := range list.idle {
			c.close()
		}
	}
}

// to returns the connections to a primary.
func (s *Session) to(server string, key Key) *connections {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := server + " " + key.Name
	if s.servers[id] == nil {
		if s.servers == nil {
			s.servers = map[string]*connections{}
		}
		s.servers[id] = &connections{turns: make(chan struct{}, atOnce)}
	}
	return s.servers[id]
}

// with calls do with a connection that nobody else uses meanwhile.
func (s *Session) with(ctx context.Context, server string, key Key, do func(c *conn) error) error {
	list := s.to(server, key)
	select {
	case list.turns <- struct{}{}:
		defer func() { <-list.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := list.take()
	if err == nil && c == nil {
		c, err = dial(ctx, s.Resolver, server, key)
		list.note(err)
	}
	if err != nil {
		return err
	}
	err = do(c)
	list.give(c)
	return err
}

// take returns a connection that is there, nil if one has to be made.
func (l *connections) take() (*conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if l.failed != nil || n == 0 {
		return nil, l.failed
	}
	c := l.idle[n-1]
	l.idle = l.idle[:n-1]
	return c, nil
}

// give takes a connection back.
func (l *connections) give(c *conn) {
	if c.broken != nil {
		c.close()
		l.note(c.broken)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, c)
}

// note notes why a primary is not asked again.
func (l *connections) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = cmp.Or(l.failed, err)
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
	err = s.with(ctx, server, key, func(c *conn) error {
		origin, err = c.zoneOf(ctx, name)
		return err
	})
	if err != nil {
		return "", "", err
	}
	return origin, server, nil
}

// zoneOf finds the zone that holds a name, "" if the server has none.
func (c *conn) zoneOf(ctx context.Context, name string) (string, error) {
	for at := dns.CanonicalName(name); ; at = dnsname.Parent(at) {
		r, err := c.ask(ctx, dnsclient.Query(at, dns.TypeSOA, false))
		if err != nil {
			return "", err
		}
		switch origin := authority(r, at); {
		case origin != "":
			return origin, nil
		case dnsclient.Referral(r) != "" && r.Rcode == dns.RcodeSuccess && dns.IsSubDomain(dnsclient.Referral(r), dns.CanonicalName(name)) && parentHere(ctx, c, dnsclient.Referral(r)):
			return "", nil // others have it
		case at == ".":
			return "", nil
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
	parts := slices.Collect(slices.Chunk(list, partOf(len(list))))
	found := make([][]dns.RR, len(parts))
	err := parallel.Do(len(parts), atOnce, func(i int) error {
		return s.with(ctx, server, key, func(c *conn) (err error) {
			found[i], err = c.read(ctx, parts[i])
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return dnsclient.FromRRs(dnsclient.Distinct(slices.Concat(found...))), nil
}

// partOf returns how many of n questions one connection gets: not few, since it takes a
// while to make one.
func partOf(n int) int { return max(20, (n+atOnce-1)/atOnce) }
