package nsupdate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// Session asks primaries with a key: where zones are, and what is in them.
// One connection to each is kept until Close. One that cannot be reached, or
// does not answer, is not tried again: each time would cost patience.
type Session struct {
	Resolver *dnsclient.Client // for zones whose server is not named
	conns    map[string]*conn
	dead     map[string]error
}

// Close ends the connections.
func (p *Session) Close() {
	for _, l := range p.conns {
		l.close()
	}
}

func (p *Session) conn(ctx context.Context, server string, key Key) (*conn, error) {
	id := server + " " + key.Name
	if l := p.conns[id]; l != nil {
		return l, l.broken
	}
	if err := p.dead[id]; err != nil {
		return nil, err
	}
	l, err := dial(ctx, p.Resolver, server, key)
	if p.conns == nil {
		p.conns, p.dead = map[string]*conn{}, map[string]error{}
	}
	if err != nil {
		p.dead[id] = err
		return nil, err
	}
	p.conns[id] = l
	return l, nil
}

// Zone finds the zone that holds a name on its primary, which is host:port:
// the server given, or without one that of the SOA record as resolvers see it
// (RFC 2136 section 4.3). The origin is "" if the server has no such zone.
func (p *Session) Zone(ctx context.Context, server string, key Key, name string) (origin, primary string, err error) {
	if server == "" {
		if server, err = p.Resolver.Primary(ctx, name); err != nil {
			return "", "", fmt.Errorf("find the primary of %s: %w", strings.TrimSuffix(name, "."), err)
		}
	}
	server = dnsclient.WithPort(server)
	l, err := p.conn(ctx, server, key)
	if err != nil {
		return "", "", err
	}
	for at := dns.CanonicalName(name); ; at = dnsname.Parent(at) {
		r, err := l.ask(ctx, dnsclient.Query(at, dns.TypeSOA, false))
		if err != nil {
			return "", "", err
		}
		switch origin := authority(r, at); {
		case origin != "":
			return origin, server, nil
		case dnsclient.Referral(r) != "" && r.Rcode == dns.RcodeSuccess && dns.IsSubDomain(dnsclient.Referral(r), dns.CanonicalName(name)) && parentHere(ctx, l, dnsclient.Referral(r)):
			return "", server, nil // others have it
		case at == ".":
			return "", server, nil
		}
	}
}

// authority is the origin of the zone from which an answer about the SOA of a
// name comes, "" without authority. The SOA is the answer, or says that there
// is none; behind an alias it is that of another name.
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

// parentHere tells a delegation out of a zone of the server's own from the
// referral to the root that some servers give for every foreign name.
func parentHere(ctx context.Context, l *conn, cut string) bool {
	r, err := l.ask(ctx, dnsclient.Query(dnsname.Parent(cut), dns.TypeSOA, false))
	return err == nil && cut != "." && authority(r, dnsname.Parent(cut)) != ""
}

// Records returns what a primary has at names, an alias in place of what was
// asked for.
func (p *Session) Records(ctx context.Context, server string, key Key, list []Question) ([]state.Record, error) {
	l, err := p.conn(ctx, server, key)
	if err != nil {
		return nil, err
	}
	found, err := l.read(ctx, list)
	return dnsclient.FromRRs(found), err
}
