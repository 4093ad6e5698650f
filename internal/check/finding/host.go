package finding

// hostKinds are those of package hosts.
var hostKinds = []Kind{
	{ID: "host.fqdn", Title: "HELO name of this server"},
	{ID: "host.loopback", Title: "the server's name in /etc/hosts"},
	{ID: "host.forward", Title: "addresses of the HELO name in DNS"},
	{ID: "addr.egress", Title: "addresses from which mail leaves"},
	{ID: "addr.ptr", Title: "PTR of each address"},
	{ID: "addr.fcrdns", Title: "PTR that leads back to its address"},
	{ID: "addr.helo", Title: "PTR and HELO name"},
	{ID: "addr.ptr-source", Title: "PTR as the world sees it"},
	{ID: "net.out25", Title: "port 25 of others"},
	{ID: "net.in25", Title: "port 25 of this server from outside"},
	{ID: "net.resolver", Title: "resolver of this server"},
	{ID: "net.search", Title: "names that are asked absolute"},
	{ID: "net.clock", Title: "clock"},
	{ID: "net.rpki", Title: "routes with ROAs"},
}
