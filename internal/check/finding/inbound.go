package finding

// inboundKinds are those of package inbound.
var inboundKinds = []Kind{
	{ID: "in.service", Title: "what checks incoming mail", Why: "While a policy server or a milter is missing, Postfix puts off all mail, or takes it unchecked.", Source: "postconf(5), check_policy_service; milter_default_action"},
	{ID: "in.place", Title: "place of the SPF check", Why: "Your own users send from anywhere, so their mail must have passed before SPF is checked.", Source: "postfix-policyd-spf-python, policyd-spf(1)"},
	{ID: "in.policyd", Title: "settings of policyd-spf", Why: "Its values are compared letter by letter and checked by nobody: one that is not known means the default, or stops all mail.", Source: "policyd-spf.conf(5)"},
	{ID: "in.milters", Title: "OpenDMARC behind OpenDKIM", Why: "OpenDMARC judges by the results that OpenDKIM wrote into a message before.", Source: "postconf(5), smtpd_milters"},
	{ID: "in.dmarc", Title: "what DMARC is judged by", Why: "OpenDMARC starts without a word where what it judges by is missing, and then fails good mail or passes forged mail.", Source: "opendmarc.conf(5)"},
	{ID: "in.stale", Title: "OpenDMARC and its files", Why: "OpenDMARC reads its files when it starts: a reload says that it worked, and changes nothing.", Source: "opendmarc(8)"},
	{ID: "in.codes", Title: "answers of block lists that count", Why: "A slip in them stops all mail, and without them an answer by which a list refuses to answer refuses all mail.", Source: "postconf(5), reject_rbl_client"},
	{ID: "in.lists", Title: "block lists that this server asks", Why: "A list that is dead or refuses this server's resolver keeps nothing away, or everything.", Source: "RFC 5782 section 5", Needs: Resolver},
	{ID: "in.resolver", Title: "resolvers in the chroot", Why: "What Postfix runs in its chroot asks the resolvers of a copy that is made when Postfix starts.", Source: "postconf(5), queue_directory"},
	{ID: "in.open", Title: "checks that were left out", Why: "Mail that comes in while a check is not answered passes without it, and nobody is told.", Source: "postconf(5), milter_default_action", Needs: Root},
	{ID: "in.srs", Title: "forwarding and SPF", Why: "Mail that an alias passes on keeps its sender, whose SPF record does not have this server.", Source: "RFC 7208 section D"},
}
