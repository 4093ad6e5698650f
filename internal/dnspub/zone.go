package dnspub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
)

// Primaries asks primaries with a key: where zones are, and what is in them.
// One connection to each is kept until Close. One that cannot be reached, or
// does not answer, is not tried again: each time would cost patience.
type Primaries struct {
	Resolver *Client // for zones whose server is not named
	lines    map[string]*line
	dead     map[string]error
}

// Close ends the connections.
func (p *Primaries) Close() {
	for _, l := range p.lines {
		l.close()
	}
}

func (p *Primaries) line(ctx context.Context, server string, key Key) (*line, error) {
	id := server + " " + key.Name
	if l := p.lines[id]; l != nil {
		return l, l.broken
	}
	if err := p.dead[id]; err != nil {
		return nil, err
	}
	l, err := call(ctx, p.Resolver, server, key)
	if p.lines == nil {
		p.lines, p.dead = map[string]*line{}, map[string]error{}
	}
	if err != nil {
		p.dead[id] = err
		return nil, err
	}
	p.lines[id] = l
	return l, nil
}

// Zone finds the zone that holds a name on its primary, which is host:port:
// the server given, or without one that of the SOA record as resolvers see it
// (RFC 2136 section 4.3). The origin is "" if the server has no such zone.
func (p *Primaries) Zone(ctx context.Context, server string, key Key, name string) (origin, primary string, err error) {
	if server == "" {
		if server, err = p.Resolver.mname(ctx, name); err != nil {
			return "", "", fmt.Errorf("find the primary of %s: %w", strings.TrimSuffix(name, "."), err)
		}
	}
	server = withPort(server)
	l, err := p.line(ctx, server, key)
	if err != nil {
		return "", "", err
	}
	for at := dns.CanonicalName(name); ; at = above(at) {
		r, err := l.ask(ctx, question(at, dns.TypeSOA, false))
		if err != nil {
			return "", "", err
		}
		switch origin := authority(r, at); {
		case origin != "":
			return origin, server, nil
		case referral(r) != "" && r.Rcode == dns.RcodeSuccess && dns.IsSubDomain(referral(r), dns.CanonicalName(name)) && parentHere(ctx, l, referral(r)):
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
func parentHere(ctx context.Context, l *line, cut string) bool {
	r, err := l.ask(ctx, question(above(cut), dns.TypeSOA, false))
	return err == nil && cut != "." && authority(r, above(cut)) != ""
}

// mname is the primary that the SOA of the closest zone at or above a name
// tells of.
func (c *Client) mname(ctx context.Context, name string) (string, error) {
	for at := dns.CanonicalName(asked(name)); at != "."; at = above(at) {
		list, status, err := c.Lookup(ctx, at, "SOA")
		if status == Unknown {
			return "", err
		}
		if status == Found && list[0].Type == "SOA" {
			mname, _, _ := strings.Cut(list[0].Value, " ")
			if mname == "" || mname == "." {
				return "", errors.New("its SOA record names none; --rfc2136-server does")
			}
			return net.JoinHostPort(strings.TrimSuffix(mname, "."), c.port), nil
		}
	}
	return "", errors.New("no zone holds it; --rfc2136-server names the server that has it")
}

// Records returns what a primary has at names, an alias in place of what was
// asked for.
func (p *Primaries) Records(ctx context.Context, server string, key Key, list []Question) ([]state.Record, error) {
	l, err := p.line(ctx, server, key)
	if err != nil {
		return nil, err
	}
	found, err := l.look(ctx, list)
	return recordsOf(found), err
}
