package finding

// transportKinds are those of package transport.
var transportKinds = []Kind{
	{
		ID: "tls.starttls", Title: "STARTTLS of each MX", Needs: Resolver, Source: "RFC 3207",
		Why: "Without TLS everybody on the way can read mail to here.",
	},
	{
		ID: "tls.cert", Title: "certificate of each MX", Needs: Resolver, Source: "RFC 8461 section 4.2",
		Why: "Senders that follow an MTA-STS policy deliver only where the certificate is valid; others do not look at it.",
	},
	{
		ID: "tls.version", Title: "versions of TLS", Needs: Resolver, Source: "RFC 8996",
		Why: "Senders that know TLS 1.2 and later only cannot deliver by TLS to a server that has none of them.",
	},
	{
		ID: "tls.out", Title: "TLS of outgoing mail", Source: "postconf(5), smtp_tls_security_level",
		Why: "Mail that leaves without TLS can be read on its way, and Google refuses it (5.7.29).",
	},
	{
		ID: "sts.record", Title: "MTA-STS record", Needs: Resolver, Source: "RFC 8461 section 3.1",
		Why: "Senders look for an MTA-STS policy only where this record, and no second one, says that there is one.",
	},
	{
		ID: "sts.policy", Title: "MTA-STS policy", Needs: Resolver | Outside, Source: "RFC 8461 section 3.3",
		Why: "A policy that cannot be fetched or read protects no mail, although the record announces it.",
	},
	{
		ID: "sts.mx", Title: "MX and MTA-STS policy", Needs: Resolver | Outside, Source: "RFC 8461 section 4.1",
		Why: "Senders that enforce the policy deliver only to hosts that it names.",
	},
	{
		ID: "sts.mode", Title: "mode of MTA-STS", Needs: Resolver | Outside, Source: "RFC 8461 section 5",
		Why: "Only in mode enforce is mail held back rather than sent without TLS.",
	},
	{
		ID: "sts.age", Title: "max_age of MTA-STS", Needs: Resolver | Outside, Source: "RFC 8461 section 3.2",
		Why: "Senders forget a policy after max_age, and whoever can keep them from fetching it waits for that.",
	},
	{
		ID: "sts.out", Title: "MTA-STS of others", Source: "RFC 8461 section 4",
		Why: "Postfix does not look at MTA-STS policies by itself, so mail to those who have one may go without TLS.",
	},
	{
		ID: "tlsrpt.record", Title: "TLS-RPT record", Needs: Resolver, Source: "RFC 8460 section 3",
		Why: "By this record senders tell where mail to here fails over TLS; nobody else notices.",
	},
	{
		ID: "tlsrpt.send", Title: "TLS reports to others", Source: "postconf(5), smtp_tlsrpt_enable",
		Why: "Reports tell others where mail from here fails over TLS.",
	},
	{
		ID: "dane.match", Title: "TLSA and the key in use", Needs: Resolver, Source: "RFC 7672 section 2.2",
		Why: "Senders that look at DANE do not deliver to a server whose key no TLSA record of a signed zone names.",
	},
	{
		ID: "dane.rollover", Title: "TLSA of the next key", Needs: Resolver, Source: "RFC 7671 section 8.1",
		Why: "When the certificate is renewed with a new key, mail stops until the TLSA record follows.",
	},
	{
		ID: "dane.usage", Title: "usage of TLSA", Needs: Resolver, Source: "RFC 7672 section 3.1",
		Why: "Senders verify a server by the usages 2 and 3 only.",
	},
	{
		ID: "caa", Title: "CAA and the CA in use", Needs: Resolver, Source: "RFC 8659 section 3",
		Why: "An authority that CAA does not allow will not renew the certificate in use.",
	},
}
