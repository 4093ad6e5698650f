package dnsclient

import (
	"context"
	"fmt"

	"mailsetup/internal/dnsname"

	"github.com/miekg/dns"
)

// TXTExists reports whether a server in charge of a name has TXT records there. The
// resolver is not asked for the name: it would remember for the negative TTL of
// the zone (RFC 2308) that there are none yet. That no server can be asked is an
// error.
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

// ZoneQueryName returns the name to ask a resolver for the zone of a record. The zone
// that holds a key holds all keys of its domain, and a resolver that is asked for a key
// before it is published remembers that it does not exist.
func ZoneQueryName(name string) string {
	if _, domain, isKey := dnsname.SplitKey(dns.CanonicalName(name)); isKey {
		return "_domainkey." + domain
	}
	return name
}
