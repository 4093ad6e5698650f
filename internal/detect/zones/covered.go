package zones

import (
	"context"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/parallel"
	"mailsetup/internal/state"
)

// Coverer asks authoritative servers about wildcards; see dnsclient.Client.
type Coverer interface {
	Coverage(ctx context.Context, names []string, ours []state.Record) (dnsclient.Coverage, error)
}

const (
	coverAtOnce = 256              // zones; the client bounds the questions
	coverWithin = 10 * time.Second // for one zone
)

// Covered returns the zones of others in which the records of domains will be
// published, with the wildcards that answer for their names. Each list has the records
// of one domain, its own name first. A zone that cannot be asked is left out.
func Covered(ctx context.Context, ask Coverer, domains [][]state.Record) state.Zones {
	found := make([][]state.Zone, len(domains))
	_ = parallel.Do(len(domains), coverAtOnce, func(i int) error {
		found[i] = coveredBy(ctx, ask, domains[i])
		return nil
	})
	var zones []state.Zone
	index := map[string]int{} // by origin
	for _, z := range slices.Concat(found...) {
		at, known := index[z.Origin]
		if !known {
			index[z.Origin] = len(zones)
			zones = append(zones, z)
			continue
		}
		for _, r := range z.Records {
			if !slices.Contains(zones[at].Records, r) {
				zones[at].Records = append(zones[at].Records, r)
			}
		}
		zones[at].Names = append(zones[at].Names, z.Names...)
	}
	return state.SortZones(zones)
}

// coveredBy looks up the zones of one domain's records: its own, and others that have
// the name of the host.
func coveredBy(ctx context.Context, ask Coverer, records []state.Record) []state.Zone {
	var zones []state.Zone
	var names []string
	for _, r := range records {
		if !slices.Contains(names, r.Name) {
			names = append(names, r.Name)
		}
	}
	for len(names) > 0 {
		within, cancel := context.WithTimeout(ctx, coverWithin)
		c, err := ask.Coverage(within, names, records)
		cancel()
		if err != nil {
			return zones
		}
		zones = append(zones, state.Zone{Origin: c.Origin, Records: c.Records, Names: c.Names})
		rest := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
			return n == c.Origin || strings.HasSuffix(n, "."+c.Origin)
		})
		if len(rest) == len(names) {
			return zones
		}
		names = rest
	}
	return zones
}
