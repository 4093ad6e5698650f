package finding

// zoneKinds are those of package zone.
var zoneKinds = []Kind{
	{
		ID: "dns.delegation", Title: "delegation and name servers",
		Why:    "Resolvers that come to a name server which does not have the zone get no answer: mail waits, or is not believed.",
		Source: "RFC 1034 section 4.2.2; RFC 1912 section 2.8", Needs: Resolver,
	},
	{
		ID: "dns.same", Title: "the same data on all name servers",
		Why:    "Each receiver asks another name server: where they differ, mail arrives by chance.",
		Source: "RFC 1034 section 4.3.5; RFC 1912 section 2.2", Needs: Resolver,
	},
	{
		ID: "dns.cname", Title: "aliases in the way",
		Why:    "Nothing can stand beside an alias, and what it leads to has to be there.",
		Source: "RFC 1034 section 3.6.2; RFC 2181 section 10.1", Needs: Resolver,
	},
	{
		ID: "dns.wildcard", Title: "wildcards",
		Why:    "A wildcard answers for names that were never published, and hides that a record is missing.",
		Source: "RFC 4592 section 2.2", Needs: Resolver,
	},
	{
		ID: "dns.nxdomain-tree", Title: "NXDOMAIN above existing names",
		Why:    "A resolver that hears that a name does not exist need not ask for those below it, where the keys are.",
		Source: "RFC 8020 section 2", Needs: Resolver,
	},
	{
		ID: "dns.size", Title: "answers that need TCP",
		Why:    "An answer that does not fit into UDP is lost where port 53 is closed for TCP.",
		Source: "RFC 7766 section 5", Needs: Resolver,
	},
	{
		ID: "dns.dnssec", Title: "DNSSEC",
		Why:    "Receivers that validate get no answer at all from a zone whose signatures are wrong.",
		Source: "RFC 4035 section 5.5", Needs: Resolver,
	},
	{
		ID: "dns.expiry", Title: "end of the registration",
		Why:    "A domain that is not renewed takes all of its mail with it.",
		Source: "RFC 9083 section 4.5", Needs: Resolver | Outside,
	},
	{
		ID: "dns.age", Title: "age of the registration",
		Why:    "Filters distrust domains that are only weeks old.",
		Source: "RFC 9083 section 4.5", Needs: Resolver | Outside,
	},
	{
		ID: "mx.exists", Title: "MX",
		Why:    "Without an MX, or an address in its place, nobody can answer mail.",
		Source: "RFC 5321 section 5.1; RFC 7505", Needs: Resolver,
	},
	{
		ID: "mx.addr", Title: "addresses of MX targets",
		Why:    "A host without an address, or with one of a private network, takes no mail.",
		Source: "RFC 5321 section 5.1; RFC 1918 section 3", Needs: Resolver,
	},
	{
		ID: "mx.form", Title: "form of the MX",
		Why:    "An MX names a host by its own name: senders do not follow anything else.",
		Source: "RFC 2181 section 10.3; RFC 5321 section 5.1; RFC 7505 section 3", Needs: Resolver,
	},
	{
		ID: "mx.ours", Title: "MX that leads here",
		Why:    "This server takes mail for the domain, which others bring to where its MX leads.",
		Source: "RFC 5321 section 5.1", Needs: Resolver,
	},
	{
		ID: "mx.v6", Title: "IPv6 of MX targets",
		Why:    "Senders without IPv4 reach only hosts with IPv6 addresses; there are few of them.",
		Source: "RFC 3974 section 3", Needs: Resolver,
	},
	{
		ID: "zone.soa", Title: "SOA of the zone",
		Why:    "Secondaries go by these times and by the serial: they drop the zone, or never fetch it again.",
		Source: "RFC 1912 section 2.2; RFC 1982", Needs: Resolver,
	},
}
