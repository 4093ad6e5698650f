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

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
)

// Live looks up names in public DNS, keyed by the name as given. MX has host names in
// order of preference, without the final dot ("." for the null MX of RFC 7505). For a
// name that is an address it looks up the PTR. Asked is set only if every question was
// answered.
func Live(ctx context.Context, r dnsclient.Resolver, names []string) map[string]state.LiveDNS {
	out := map[string]state.LiveDNS{}
	var mu sync.Mutex
	_ = parallel.Do(len(names), namesAtOnce, func(i int) error {
		live := liveName(ctx, r, names[i])
		mu.Lock()
		defer mu.Unlock()
		out[names[i]] = live
		return nil
	})
	return out
}

// namesAtOnce is the number of names looked up at a time, with up to four questions each.
// Not so many are on their way: the client bounds that.
const namesAtOnce = 256

func liveName(ctx context.Context, r dnsclient.Resolver, name string) state.LiveDNS {
	if a, err := netip.ParseAddr(name); err == nil {
		name, _ = dns.ReverseAddr(a.String())
		values, asked := ask(ctx, r, name, "PTR")
		return state.LiveDNS{Asked: asked, PTR: trimDots(values[0])}
	}
	if strings.HasPrefix(name, "_") { // of a policy: nobody receives or listens there
		values, asked := ask(ctx, r, name, "TXT")
		return state.LiveDNS{Asked: asked, TXT: values[0]}
	}
	values, asked := ask(ctx, r, name, "MX", "A", "AAAA", "TXT")
	live := state.LiveDNS{Asked: asked, MX: exchangers(values[0]), TXT: values[3]}
	for _, v := range slices.Concat(values[1], values[2]) {
		if a, err := netip.ParseAddr(v); err == nil {
			live.Addresses = append(live.Addresses, a)
		}
	}
	return live
}

// ask asks all questions about a name at once, since each may time out. Asked is false
// if one got no answer.
func ask(ctx context.Context, r dnsclient.Resolver, name string, types ...string) (values [][]string, asked bool) {
	values = make([][]string, len(types))
	status := make([]dnsclient.Status, len(types))
	var wg sync.WaitGroup
	for i, rtype := range types {
		wg.Go(func() {
			var records []state.Record
			records, status[i], _ = r.Lookup(ctx, name, rtype)
			for _, rec := range records {
				if rec.Type == rtype {
					values[i] = append(values[i], rec.Value)
				}
			}
		})
	}
	wg.Wait()
	return values, !slices.Contains(status, dnsclient.Unknown)
}

func trimDots(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, dnsname.TrimDot(n))
	}
	return out
}

// exchangers returns the hosts of MX records, sorted by preference.
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
			host = dnsname.TrimDot(host)
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
