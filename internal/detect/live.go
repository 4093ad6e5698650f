package detect

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"mailsetup/internal/dnspub"
	"mailsetup/internal/state"
)

// Live asks what the world sees at each name, keyed by the name as given. MX
// holds host names in order of preference, without the final dot ("." for the
// null MX of RFC 7505). A name that is an address is asked for its PTR instead,
// host names without the final dot. Asked is set only when every question was
// answered.
func Live(ctx context.Context, r dnspub.Resolver, names []string) map[string]state.LiveDNS {
	out := map[string]state.LiveDNS{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range names {
		wg.Go(func() {
			live := liveName(ctx, r, name)
			mu.Lock()
			defer mu.Unlock()
			out[name] = live
		})
	}
	wg.Wait()
	return out
}

func liveName(ctx context.Context, r dnspub.Resolver, name string) state.LiveDNS {
	live := state.LiveDNS{Asked: true}
	ask := func(rtype string) []string {
		records, status, _ := r.Lookup(ctx, name, rtype)
		if status == dnspub.Unknown {
			live.Asked = false
		}
		var values []string
		for _, rec := range records {
			if rec.Type == rtype {
				values = append(values, rec.Value)
			}
		}
		return values
	}
	if a, err := netip.ParseAddr(name); err == nil {
		name, _ = dns.ReverseAddr(a.String())
		for _, host := range ask("PTR") {
			live.PTR = append(live.PTR, strings.TrimSuffix(host, "."))
		}
		return live
	}
	live.MX = exchangers(ask("MX"))
	for _, v := range append(ask("A"), ask("AAAA")...) {
		if a, err := netip.ParseAddr(v); err == nil {
			live.Addresses = append(live.Addresses, a)
		}
	}
	live.TXT = ask("TXT")
	return live
}

// exchangers sorts MX values by preference and returns their hosts.
func exchangers(values []string) []string {
	type mx struct {
		preference int
		host       string
	}
	var list []mx
	for _, v := range values {
		p, host, _ := strings.Cut(v, " ")
		n, _ := strconv.Atoi(p)
		if host != "." {
			host = strings.TrimSuffix(host, ".")
		}
		list = append(list, mx{n, host})
	}
	slices.SortStableFunc(list, func(a, b mx) int {
		return cmp.Or(cmp.Compare(a.preference, b.preference), cmp.Compare(a.host, b.host))
	})
	var hosts []string
	for _, m := range list {
		hosts = append(hosts, m.host)
	}
	return hosts
}
