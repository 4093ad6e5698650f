package dnscheck

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
	"mailsetup/keygen"
)

// ObserveKey queries every authoritative server, and then the resolver, for the record
// of a key. The resolver comes last, so that it does not cache for long that there is
// none.
func ObserveKey(ctx context.Context, c *dnsclient.Client, domain string, ttl uint32, k keyring.Key) keyring.Observation {
	if k.SlotZone != "" {
		return observeSlot(ctx, c, domain, ttl, k)
	}
	want := ForKey(domain, ttl, k)
	r := Check(ctx, c, want, Result{})
	if problem := serverProblem(r); problem != "" {
		return keyring.Observation{Problem: problem}
	}
	zone := r.Servers[0].Zone
	above, problem := "", ""
	if dnsname.Same(zone, dnsname.KeyZone(domain)) {
		if above, problem = delegationAbove(ctx, c, r.found[want.Records[0].Name]); problem != "" {
			return keyring.Observation{Problem: problem}
		}
	}
	longest, problem := negativeTTLs(ctx, c, zone, above, func() string { return resolverProblem(ctx, c, want.Records[0].Name, k.Public) })
	if problem != "" {
		return keyring.Observation{Problem: problem}
	}
	return keyring.Observation{Published: true, MaxCacheTTL: max(longest, time.Duration(ttl)*time.Second)}
}

// serverProblem names a server that does not serve the one record of a check, "" if all
// do. Some addresses of a server may be unreachable from here, but not all.
func serverProblem(r Result) string {
	if len(r.NoServer) > 0 {
		return r.NoServer[0].Text
	}
	asked := map[string]bool{}
	for _, s := range r.Servers {
		switch {
		case s.NotAsked():
		case !s.ServerProblem.OK():
			return fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
		case len(s.Records) != 1:
			return fmt.Sprintf("%s was not asked for the record", s)
		case !s.Records[0].OK():
			return fmt.Sprintf("%s: %s", s, s.Records[0].Text)
		default:
			asked[s.Name] = true
		}
	}
	for _, s := range r.Servers {
		if !asked[s.Name] {
			return fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
		}
	}
	if len(r.Servers) == 0 {
		return "no name server was found"
	}
	return ""
}

// resolverProblem describes what the resolver answers if that is not exactly one record
// with the key.
func resolverProblem(ctx context.Context, c *dnsclient.Client, name, public string) string {
	records, _, err := c.Lookup(ctx, name, "TXT")
	if err != nil {
		return "the resolver: " + err.Error()
	}
	records = slices.DeleteFunc(records, func(r state.Record) bool { return r.Type != "TXT" })
	if len(records) != 1 {
		return fmt.Sprintf("the resolver of this machine has %s at the name; it may remember an older answer for a while", text.Count(len(records), "record"))
	}
	r, err := keygen.ParseRecord(records[0].Value)
	if err != nil || r.Public != public {
		return "the resolver of this machine has another key"
	}
	return ""
}

// negativeTTL returns how long resolvers may cache that a name of the zone does not
// exist (RFC 2308 section 5).
func negativeTTL(ctx context.Context, c *dnsclient.Client, zone string) (time.Duration, error) {
	records, _, err := c.Lookup(ctx, zone, "SOA")
	for _, r := range records {
		f := strings.Fields(r.Value)
		if r.Type != "SOA" || len(f) != 7 {
			continue
		}
		if n, err := strconv.ParseUint(f[6], 10, 32); err == nil {
			return time.Duration(n) * time.Second, nil
		}
	}
	return 0, fmt.Errorf("how long %s lets others remember that a record is missing is not known: %v", dnsname.TrimDot(zone), err)
}
