package finding

// hostKinds are those of package hosts.
var hostKinds = []Kind{
	{
		ID: "host.fqdn", Title: "HELO name of this server",
		Why:    "Receivers refuse mail from servers that do not give a full name in EHLO.",
		Source: "RFC 5321 section 4.1.1.1; postconf(5) smtp_helo_name",
	},
	{
		ID: "host.loopback", Title: "the server's name in /etc/hosts",
		Why:    "Programs that ask the C library, and not DNS, see another address than the world does.",
		Source: "hosts(5); Debian Reference section 5.1.1",
	},
	{
		ID: "host.forward", Title: "addresses of the HELO name in DNS",
		Why:    "Receivers look up the name that the server gives, and refuse one without addresses.",
		Source: "RFC 5321 section 4.1.1.1", Needs: Resolver,
	},
	{
		ID: "addr.egress", Title: "addresses from which mail leaves",
		Why:    "SPF, PTR records and block lists are about the address that receivers see, and about no other.",
		Source: "postconf(5) smtp_bind_address; RFC 6724 section 5",
	},
	{
		ID: "addr.ptr", Title: "PTR of each address",
		Why:    "Large receivers refuse mail from addresses without a PTR record (Gmail: 5.7.25).",
		Source: "RFC 1912 section 2.1; Google's Email sender guidelines", Needs: Resolver,
	},
	{
		ID: "addr.fcrdns", Title: "PTR that leads back to its address",
		Why:    "Anybody can write any name into a PTR record: receivers count it only if that name has the address.",
		Source: "RFC 8601 section 3 (iprev); Google's Email sender guidelines", Needs: Resolver,
	},
	{
		ID: "addr.helo", Title: "PTR and HELO name",
		Why:    "Filters take a server whose names differ for a less serious one.",
		Source: "RFC 1912 section 2.1; RFC 5321 section 4.1.4", Needs: Resolver,
	},
	{
		ID: "addr.ptr-source", Title: "PTR as the world sees it",
		Why:    "A resolver that adds names by itself hides that the world sees another PTR, or none.",
		Source: "RFC 2317; RFC 1034 section 4.3.2", Needs: Resolver,
	},
	{
		ID: "net.out25", Title: "port 25 of others",
		Why:    "Many providers close port 25 to the outside until they are asked: then no mail leaves.",
		Source: "RFC 5321 section 4.5.4.1", Needs: Resolver | Outside,
	},
	{
		ID: "net.in25", Title: "port 25 of this server from outside",
		Why:    "A firewall of the provider may keep mail out, which nobody can see from inside.",
		Source: "RFC 5321 section 4.5.4.2", Needs: Outside,
	},
	{
		ID: "net.resolver", Title: "resolver of this server",
		Why:    "Block lists refuse public resolvers, DANE needs one that validates, and without an answer no mail leaves.",
		Source: "RFC 6840 section 5.7; RFC 7672 section 2.2; resolv.conf(5)", Needs: Resolver,
	},
	{
		// mailsetup itself asks for absolute names only. Where a search list would
		// mislead others on this machine is what the finding says.
		ID: "net.search", Title: "names that are asked absolute",
		Why:    "A wildcard in the search list answers for names that do not exist, with records of another domain.",
		Source: "resolv.conf(5) search; RFC 1535", Needs: Resolver,
	},
	{
		ID: "net.clock", Title: "clock",
		Why:    "Signatures with a wrong time fail, and name servers refuse updates whose time is off by five minutes.",
		Source: "RFC 8945 section 5.2.3; RFC 6376 section 3.5 (t=); adjtimex(2)",
	},
	{
		// Which routes have a ROA is decided by the owner of the addresses. What is
		// said comes from RIPEstat, which sees the routes of the world.
		ID: "net.rpki", Title: "routes with ROAs",
		Why:    "A route without a valid ROA can be taken over more easily; only the owner of the addresses can add one.",
		Source: "RFC 6811", Needs: Resolver | Outside,
	},
}
