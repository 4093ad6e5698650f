package facts

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/inbound"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/internal/state"
)

// Bounds of the look at MX records: nothing is lost where it does not see all.
const (
	exchangersTime    = 5 * time.Second
	exchangersDomains = 500
	exchangersAtOnce  = 32
	exchangersHosts   = 10 // of a domain
)

// Secondaries looks for other MX hosts of the domains that a spec receives: those that
// DNS prefers no more than this server, since they hand its mail on. Whole says that every
// question got its answer.
func (c *Collector) Secondaries(ctx context.Context, sp spec.Spec, f state.Facts) (found []inbound.Secondary, whole bool) {
	ctx, cancel := context.WithTimeout(ctx, exchangersTime)
	defer cancel()
	var domains []string
	for _, d := range sp.Domains {
		if d.Receive {
			domains = append(domains, d.Name)
		}
	}
	whole = len(domains) <= exchangersDomains
	domains = domains[:min(len(domains), exchangersDomains)]
	own := slices.Concat(sp.Host.Addresses, f.Addresses)
	each := make([][]inbound.Secondary, len(domains))
	unanswered := make([]bool, len(domains))
	client := c.Client()
	_ = parallel.Do(len(domains), exchangersAtOnce, func(i int) error {
		each[i], unanswered[i] = secondariesOf(ctx, client, domains[i], sp.Host.Hostname, own)
		return nil
	})
	for i := range each {
		whole = whole && !unanswered[i]
		for _, s := range each[i] {
			if !slices.Contains(found, s) {
				found = append(found, s)
			}
		}
	}
	return found, whole
}

// secondariesOf returns the other MX hosts of a domain, and whether a question about them
// was not answered.
func secondariesOf(ctx context.Context, client *dnsclient.Client, domain, self string, own []netip.Addr) (found []inbound.Secondary, unanswered bool) {
	records, _, err := client.Lookup(ctx, dnsname.Absolute(domain), "MX")
	if err != nil {
		return nil, true
	}
	type exchanger struct {
		preference int
		addresses  []netip.Addr
		self       bool
	}
	hosts, all := []string{}, map[string]exchanger{}
	best := -1 // preference of this server
	for _, r := range records {
		words := strings.Fields(r.Value)
		if r.Type != "MX" || len(words) != 2 || words[1] == "." || len(hosts) == exchangersHosts {
			continue
		}
		host := strings.ToLower(dnsname.TrimDot(words[1]))
		preference, err := strconv.Atoi(words[0])
		if _, twice := all[host]; err != nil || twice {
			continue
		}
		e := exchanger{preference: preference, self: dnsname.Same(host, self)}
		for _, t := range []string{"A", "AAAA"} {
			answers, _, err := client.Lookup(ctx, dnsname.Absolute(host), t)
			unanswered = unanswered || err != nil
			for _, r := range answers {
				if a, err := netip.ParseAddr(r.Value); err == nil && r.Type == t {
					e.addresses = append(e.addresses, a.Unmap())
					e.self = e.self || slices.Contains(own, a.Unmap())
				}
			}
		}
		if e.self && (best < 0 || preference < best) {
			best = preference
		}
		hosts, all[host] = append(hosts, host), e
	}
	slices.Sort(hosts)
	for _, host := range hosts {
		e := all[host]
		if best < 0 || e.self || e.preference < best { // this server is no MX, or hands mail on to it
			continue
		}
		slices.SortFunc(e.addresses, netip.Addr.Compare)
		for _, a := range e.addresses {
			if public, err := syntax.Address(a.String()); err == nil {
				found = append(found, inbound.Secondary{Host: host, Address: public})
			}
		}
	}
	return found, unanswered
}
