package finding

// operationKinds are those of package operation.
var operationKinds = []Kind{
	{ID: "queue.size", Title: "mail that waits"},
	{ID: "queue.why", Title: "why mail waits"},
	{ID: "ops.changed", Title: "published records"},
	{ID: "client.srv", Title: "SRV records for mail clients"},
	{ID: "autoconfig", Title: "automatic configuration of mail clients"},
}
