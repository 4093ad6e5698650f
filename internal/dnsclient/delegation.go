package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"

	"github.com/miekg/dns"
)

// Delegation returns the name servers that the parent zone delegates a zone to, sorted,
// as absolute names. Known is false if that could not be found out, and err says why;
// known without servers means that the name is not delegated. It queries the parent's
// own servers, since this machine's resolver may serve a copy of the zone that the
// world does not see.
func (c *Client) Delegation(ctx context.Context, zone string) (ns []string, known bool, err error) {
	zone = dns.CanonicalName(zone)
	ns, err = c.delegations.getOrFind(ctx, zone, func() ([]string, error) { return findDelegation(ctx, c, zone) })
	if err != nil {
		return nil, false, fmt.Errorf("find delegation of %s: %w", zone, err)
	}
	return slices.Clone(ns), true, nil
}

func findDelegation(ctx context.Context, c *Client, zone string) ([]string, error) {
	if zone == "." {
		return nil, errors.New("the root has no parent")
	}
	parent, err := c.parentZone(ctx, zone)
	if err != nil {
		return nil, err
	}
	// A zone cut between the parent found and the zone shows as a referral to
	// a name in between; each one is a label longer, so the walk ends.
	for range dns.CountLabel(zone) {
		servers, err := c.serversOf(ctx, parent)
		if err != nil {
			return nil, err
		}
		ns, next, err := askParent(ctx, c, servers, parent, zone)
		if err != nil {
			return nil, err
		}
		if next == "" {
			return ns, nil
		}
		parent = next
	}
	return nil, errors.New("its parents refer to each other")
}

// parentZone returns the closest zone strictly above the given one, as the
// resolver sees it.
func (c *Client) parentZone(ctx context.Context, zone string) (string, error) {
	for at := dnsname.Parent(zone); ; at = dnsname.Parent(at) {
		records, status, err := c.Lookup(ctx, at, "SOA")
		if status == Unknown {
			return "", err
		}
		if status == Found && records[0].Type == "SOA" {
			return at, nil
		}
		if at == "." {
			return "", errors.New("the resolver does not know the root")
		}
	}
}

// serversOf returns the addresses with port of a zone's name servers.
func (c *Client) serversOf(ctx context.Context, zone string) ([]string, error) {
	names, status, err := c.Lookup(ctx, zone, "NS")
	if status == Unknown {
		return nil, err
	}
	var out []string
	for _, n := range names {
		if n.Type != "NS" {
			continue
		}
		for _, t := range []string{"A", "AAAA"} {
			addresses, _, _ := c.Lookup(ctx, n.Value, t)
			for _, a := range addresses {
				if a.Type == t {
					out = append(out, net.JoinHostPort(a.Value, c.Port))
				}
			}
		}
		if len(out) >= 4 {
			break // enough to ask; a large parent has thirteen with two each
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no address of a name server of %s is known", zone)
	}
	return out, nil
}

// askParent queries the servers of parent about zone. Next is a zone between the two to
// continue with.
func askParent(ctx context.Context, c *Client, servers []string, parent, zone string) (ns []string, next string, err error) {
	var errs []error
	for _, server := range servers {
		m, err := exchange(ctx, c, server, Query(zone, dns.TypeNS, false))
		if err == nil {
			ns, next, err = delegated(m, parent, zone)
		}
		if err == nil {
			return ns, next, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", server, err))
	}
	return nil, "", errors.Join(errs...)
}

// delegated parses a parent server's answer about the zone's NS records (RFC 1034
// section 4.3.2).
func delegated(m *dns.Msg, parent, zone string) (ns []string, next string, err error) {
	switch {
	case m.Rcode == dns.RcodeNameError && m.Authoritative:
		return nil, "", nil
	case m.Rcode != dns.RcodeSuccess:
		return nil, "", fmt.Errorf("answers %s", dns.RcodeToString[m.Rcode])
	}
	// The server of the parent that also serves the zone answers from the zone.
	if ns = targets(m.Answer, zone); len(ns) > 0 && m.Authoritative {
		return ns, "", nil
	}
	switch to := Referral(m); {
	case to == zone:
		return targets(m.Ns, zone), "", nil
	case to != "" && to != parent && dns.IsSubDomain(parent, to) && dns.IsSubDomain(to, zone):
		return nil, to, nil
	case m.Authoritative:
		return nil, "", nil
	default:
		return nil, "", fmt.Errorf("is not responsible for %s", parent)
	}
}

func targets(rrs []dns.RR, owner string) []string {
	var out []string
	for _, rr := range rrs {
		if ns, ok := rr.(*dns.NS); ok && strings.EqualFold(ns.Hdr.Name, owner) {
			out = append(out, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Primary returns the primary that the SOA record of the closest zone at or above a
// name gives, with port.
func (c *Client) Primary(ctx context.Context, name string) (string, error) {
	for at := dns.CanonicalName(ZoneQueryName(name)); at != "."; at = dnsname.Parent(at) {
		list, status, err := c.Lookup(ctx, at, "SOA")
		if status == Unknown {
			return "", err
		}
		if status == Found && list[0].Type == "SOA" {
			mname, _, _ := strings.Cut(list[0].Value, " ")
			if mname == "" || mname == "." {
				return "", errors.New("its SOA record names none; --rfc2136-server does")
			}
			return net.JoinHostPort(dnsname.TrimDot(mname), c.Port), nil
		}
	}
	return "", errors.New("no zone holds it; --rfc2136-server names the server that has it")
}
