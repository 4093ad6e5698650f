package finding

// reputationKinds are those of package reputation.
var reputationKinds = []Kind{
	{ID: "bl.health", Title: "block lists that answer"},
	{ID: "bl.ip", Title: "addresses on block lists"},
	{ID: "bl.code", Title: "answers of block lists"},
	{ID: "bl.class", Title: "lists that few receivers use"},
	{ID: "bl.domain", Title: "domains on block lists"},
	{ID: "rep.reports", Title: "what receivers report"},
}
