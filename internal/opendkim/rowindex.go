package opendkim

import "slices"

// rowIndex has the effective rows in order, and finds them by host: in tables of
// thousands of domains, few rows overlap.
type rowIndex struct {
	rows []Row
	// at has the rows of a host, below those of all hosts within it: indexes.
	at, below map[string][]int
}

func (c *rowIndex) add(r Row) {
	if c.at == nil {
		c.at, c.below = map[string][]int{}, map[string][]int{}
	}
	i := len(c.rows)
	c.rows = append(c.rows, r)
	c.at[r.match.host] = append(c.at[r.match.host], i)
	for _, h := range enclosingHosts(r.match.host) {
		c.below[h] = append(c.below[h], i)
	}
}

// related returns the indexes of the rows whose hosts overlap with one, in order.
func (c *rowIndex) related(host string) []int {
	found := slices.Concat(c.at[host], c.below[host])
	for _, h := range enclosingHosts(host) {
		found = append(found, c.at[h]...)
	}
	slices.Sort(found)
	return found
}

// enclosingHosts returns the host patterns that another one is within, without itself.
func enclosingHosts(host string) []string {
	if host == "*" {
		return nil
	}
	hosts := []string{"*"}
	for i := 1; i < len(host); i++ {
		if host[i] == '.' {
			hosts = append(hosts, host[i:])
		}
	}
	return hosts
}
