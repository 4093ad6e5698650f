package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"

	"github.com/miekg/dns"
)

// Resolvers returns the addresses, with port, of the recursive servers.
func (c *Client) Resolvers() []string { return slices.Clone(c.servers) }

// Exchange puts a question of the caller's making (its flags, its EDNS) to one server. A
// lost datagram is sent again, and any response code is an answer.
func (c *Client) Exchange(ctx context.Context, server string, m *dns.Msg) (*dns.Msg, error) {
	var r *dns.Msg
	err := errors.New("not asked")
	for range attempts {
		if r, err = exchange(ctx, c, server, m); err == nil || ctx.Err() != nil {
			break
		}
	}
	return r, err
}

// ExchangeUDP is Exchange over UDP alone, once: a truncated answer stays so.
func (c *Client) ExchangeUDP(ctx context.Context, server string, m *dns.Msg) (*dns.Msg, error) {
	return c.send(ctx, "udp", server, m)
}

// ExchangeTCP is Exchange over TCP alone, once.
func (c *Client) ExchangeTCP(ctx context.Context, server string, m *dns.Msg) (*dns.Msg, error) {
	return c.send(ctx, "tcp", server, m)
}

// RcodeError is the response code of a resolver that did not answer the question.
type RcodeError int

// Error implements error.
func (e RcodeError) Error() string { return "answers " + dns.RcodeToString[int(e)] }

// ServerFailed reports whether a resolver answered a question of Lookup with SERVFAIL:
// it works, and could get no answer that it believes.
func ServerFailed(err error) bool {
	var code RcodeError
	return errors.As(err, &code) && code == dns.RcodeServerFailure
}

// maxZones is how many zones the aliases of one name may lead through.
const maxZones = 8

// LookupAuthoritative is Lookup that queries authoritative servers, which no cache and
// no file of this machine stands in front of. Aliases are followed from zone to zone, as
// those of delegated parts of a reverse zone (RFC 2317).
func (c *Client) LookupAuthoritative(ctx context.Context, name, rtype string) ([]state.Record, Status, error) {
	t, ok := dns.StringToType[rtype]
	if !ok {
		return nil, Unknown, fmt.Errorf("look up %s: unknown record type %q", name, rtype)
	}
	var all []state.Record
	for range maxZones {
		records, status, err := c.askZone(ctx, name, t)
		if err != nil {
			return nil, Unknown, fmt.Errorf("look up %s %s: %w", dnsname.TrimDot(name), rtype, err)
		}
		all = append(all, records...)
		if last := len(records) - 1; status != NoData || last < 0 || t == dns.TypeCNAME || records[last].Type != "CNAME" {
			return all, status, nil
		}
		name = all[len(all)-1].Value
	}
	return nil, Unknown, fmt.Errorf("look up %s %s: its aliases lead on and on", dnsname.TrimDot(name), rtype)
}

// askZone queries the servers of the zone that holds a name until one answers: those
// that it is delegated to, where that is known. A zone that nobody delegates is a copy
// that this network has for itself; then its parent decides.
func (c *Client) askZone(ctx context.Context, name string, t uint16) ([]state.Record, Status, error) {
	zone, err := c.ZoneOf(ctx, name)
	if err != nil {
		return nil, Unknown, err
	}
	a, err := c.Authority(ctx, zone)
	for err == nil && a.DelegationError == nil && len(a.Delegated) == 0 {
		parent, wrong := c.parentZone(ctx, zone)
		if wrong != nil || parent == "." {
			return nil, NXDomain, wrong
		}
		zone = parent
		a, err = c.Authority(ctx, zone)
	}
	if err != nil {
		return nil, Unknown, err
	}
	err = errors.New("no name server of " + dnsname.TrimDot(zone) + " can be asked")
	for _, n := range a.Servers {
		if a.DelegationError == nil && !slices.Contains(a.Delegated, dns.CanonicalName(n.Name)) {
			continue
		}
		m, wrong := c.Ask(ctx, n, zone, name, t)
		if wrong.Fault == OK {
			got := answerOf(m, name, t)
			return got.records, got.status, nil
		}
		err = fmt.Errorf("%s: %s", n, wrong.Text)
	}
	return nil, Unknown, err
}
