package finding

// operationKinds are those of package operation.
var operationKinds = []Kind{
	{
		ID: "queue.size", Title: "mail that waits", Source: "mailq(1)",
		Why: "Mail that cannot be delivered for five days goes back to its sender.",
	},
	{
		ID: "queue.why", Title: "why mail waits", Source: "RFC 7372, RFC 3463, postqueue(1)",
		Why: "What receivers refuse for a fault of this server or its DNS waits until that is mended, and then goes back.",
	},
	{
		ID: "ops.changed", Title: "published records", Needs: Resolver | Setup, Source: "RFC 6376 section 3.6.2, RFC 7208 section 3",
		Why: "Whoever changes a zone by hand or by a panel may take away what mail needs, and nobody notices.",
	},
	{
		ID: "client.srv", Title: "SRV records for mail clients", Needs: Resolver, Source: "RFC 6186, RFC 8314 section 5.1",
		Why: "Mail programs that find the server by themselves are set up with the right port and with TLS.",
	},
	{
		ID: "autoconfig", Title: "automatic configuration of mail clients", Needs: Resolver, Source: "autoconfig of Thunderbird",
		Why: "Mail programs that find their settings by themselves are set up with the right port and with TLS.",
	},
}
