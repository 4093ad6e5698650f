package dnsclient

import (
	"context"
	"fmt"

	"mailsetup/internal/dnsname"

	"github.com/miekg/dns"
)

// TXTExists reports whether an authoritative server of a name has TXT records there. It
// does not ask the resolver, which would cache for the negative TTL of the zone (RFC
// 2308) that there are none yet. It is an error if no server answers.
func (c *Client) TXTExists(ctx context.Context, name string) (bool, error) {
	zone, err := c.ZoneOf(ctx, ZoneQueryName(name))
	if err != nil {
		return false, err
	}
	a, err := c.Authority(ctx, zone)
	if err != nil {
		return false, err
	}
	answered := false
	for _, n := range a.Servers {
		m, wrong := c.Ask(ctx, n, zone, name, dns.TypeTXT)
		if wrong.Fault == OK && len(m.Answer) > 0 {
			return true, nil
		}
		answered = answered || wrong.Fault == OK
	}
	if !answered {
		return false, fmt.Errorf("no name server of %s can be asked", dnsname.TrimDot(zone))
	}
	return false, nil
}

// ZoneQueryName returns the name to query a resolver for the zone of a record. The zone
// of one key is that of all keys of its domain, and a resolver that is asked for a key
// before it is published caches that it does not exist.
func ZoneQueryName(name string) string {
	if _, domain, isKey := dnsname.SplitKey(dns.CanonicalName(name)); isKey {
		return "_domainkey." + domain
	}
	return name
}
