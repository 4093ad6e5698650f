package finding

// zoneKinds are those of package zone.
var zoneKinds = []Kind{
	{ID: "dns.delegation", Title: "delegation and name servers"},
	{ID: "dns.same", Title: "the same data on all name servers"},
	{ID: "dns.cname", Title: "aliases in the way"},
	{ID: "dns.wildcard", Title: "wildcards"},
	{ID: "dns.nxdomain-tree", Title: "NXDOMAIN above existing names"},
	{ID: "dns.size", Title: "answers that need TCP"},
	{ID: "dns.dnssec", Title: "DNSSEC"},
	{ID: "dns.expiry", Title: "end of the registration"},
	{ID: "dns.age", Title: "age of the registration"},
	{ID: "mx.exists", Title: "MX"},
	{ID: "mx.addr", Title: "addresses of MX targets"},
	{ID: "mx.form", Title: "form of the MX"},
	{ID: "mx.ours", Title: "MX that leads here"},
	{ID: "mx.v6", Title: "IPv6 of MX targets"},
	{ID: "zone.soa", Title: "SOA of the zone"},
}
