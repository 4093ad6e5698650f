package dnsclient

import (
	"context"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// Validated reports whether the resolver says that it has validated the records of a
// type at a name by DNSSEC (RFC 6840 section 5.8). One that does not validate, or that
// serves the zone itself, never says so.
func (c *Client) Validated(ctx context.Context, name, rtype string) (bool, error) {
	t, ok := dns.StringToType[strings.ToUpper(rtype)]
	if !ok {
		return false, fmt.Errorf("look up %s: unknown record type %q", name, rtype)
	}
	m, err := c.recurse(ctx, name, t)
	if err != nil {
		return false, fmt.Errorf("look up %s %s: %w", name, strings.ToUpper(rtype), err)
	}
	return m.AuthenticatedData, nil
}
