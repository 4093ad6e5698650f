package finding

// transportKinds are those of package transport.
var transportKinds = []Kind{
	{ID: "tls.starttls", Title: "STARTTLS of each MX"},
	{ID: "tls.cert", Title: "certificate of each MX"},
	{ID: "tls.version", Title: "versions of TLS"},
	{ID: "tls.out", Title: "TLS of outgoing mail"},
	{ID: "sts.record", Title: "MTA-STS record"},
	{ID: "sts.policy", Title: "MTA-STS policy"},
	{ID: "sts.mx", Title: "MX and MTA-STS policy"},
	{ID: "sts.mode", Title: "mode of MTA-STS"},
	{ID: "sts.age", Title: "max_age of MTA-STS"},
	{ID: "sts.out", Title: "MTA-STS of others"},
	{ID: "tlsrpt.record", Title: "TLS-RPT record"},
	{ID: "tlsrpt.send", Title: "TLS reports to others"},
	{ID: "dane.match", Title: "TLSA and the key in use"},
	{ID: "dane.rollover", Title: "TLSA of the next key"},
	{ID: "dane.usage", Title: "usage of TLSA"},
	{ID: "caa", Title: "CAA and the CA in use"},
}
