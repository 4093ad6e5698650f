package finding

// reputationKinds are those of package reputation. Lists that host.toml names are asked
// without --online, too.
var reputationKinds = []Kind{
	{
		ID: "bl.health", Title: "block lists that answer", Needs: Resolver | Outside, Source: "RFC 5782 section 5",
		Why: "A list that does not have its own test entry, or has everything, is dead or refuses this resolver: its answers mean nothing.",
	},
	{
		ID: "bl.ip", Title: "addresses on block lists", Needs: Resolver | Outside, Source: "RFC 5782 section 2.1",
		Why: "Receivers refuse mail from addresses that are on the lists they use.",
	},
	{
		ID: "bl.code", Title: "answers of block lists", Needs: Resolver | Outside, Source: "RFC 5782 section 2.3",
		Why: "Not every answer of a list is a listing: some say that it was asked too often, or by whom it will not be asked.",
	},
	{
		ID: "bl.class", Title: "lists that few receivers use", Needs: Resolver | Outside, Source: "RFC 6471 section 2",
		Why: "Few receivers refuse by these lists, or they list whole providers: a listing says little about this server.",
	},
	{
		ID: "bl.domain", Title: "domains on block lists", Needs: Resolver | Outside, Source: "RFC 5782 section 2.5",
		Why: "Receivers refuse mail in the name of, or with links to, domains that are on these lists, wherever it comes from.",
	},
	{
		ID: "rep.reports", Title: "what receivers report", Source: "RFC 9990",
		Why:      "Aggregate reports say which mail in the name of a domain receivers could authenticate.",
		Excluded: "reports go to a mailbox, and nothing on a mail server reads them: what they say is for a program that collects them for weeks; dmarc.rua and tlsrpt.record tell whether they can arrive",
	},
}
