package finding

// rfcSPF is the section of RFC 7208 that most kinds of this group are about.
const rfcSPF = "RFC 7208 section "

// spfKinds are those of package spf.
var spfKinds = []Kind{
	{
		ID: "spf.one", Title: "one SPF record", Needs: Resolver, Source: rfcSPF + "3.2",
		Why: "without an SPF record, or with two, receivers cannot tell your mail from forged mail, and big ones refuse it",
	},
	{
		ID: "spf.prefix", Title: "how the SPF record begins", Needs: Resolver, Source: rfcSPF + "4.5",
		Why: "receivers pass over a text that does not begin with v=spf1 and a space or the end, as if there were no record",
	},
	{
		ID: "spf.syntax", Title: "syntax of the SPF record", Needs: Resolver, Source: rfcSPF + "4.6",
		Why: "one mistake anywhere makes the whole record a permanent error, also for addresses that match before it",
	},
	{
		ID: "spf.pass", Title: "SPF of each address, for MAIL FROM", Needs: Resolver, Source: rfcSPF + "2.4",
		Why: "mail from an address that the record does not pass is refused or taken for spam",
	},
	{
		ID: "spf.helo", Title: "SPF of the HELO name", Needs: Resolver, Source: rfcSPF + "2.3",
		Why: "bounces have no sender, so receivers check the name that the server greets with",
	},
	{
		ID: "spf.lookups", Title: "look-ups of the SPF record", Needs: Resolver, Source: rfcSPF + "4.6.4",
		Why: "receivers stop after ten terms with DNS queries, those of all includes counted, and take the record for a permanent error",
	},
	{
		ID: "spf.voids", Title: "void look-ups", Needs: Resolver, Source: rfcSPF + "4.6.4",
		Why: "receivers stop at the third name without records and take the record for a permanent error",
	},
	{
		ID: "spf.voids-v6", Title: "void look-ups, for receivers that ask one address family", Needs: Resolver, Source: rfcSPF + "5",
		Why: "some receivers count names that have addresses of the other family alone as void, and stop at the third",
	},
	{
		ID: "spf.size", Title: "size of the SPF record", Needs: Resolver, Source: rfcSPF + "3.4",
		Why: "receivers get all TXT records of the name in one answer, and a large one has to be asked for again over TCP",
	},
	{
		ID: "spf.all", Title: "what becomes of all other senders", Needs: Resolver, Source: rfcSPF + "5.1",
		Why: "a record that does not end in -all or ~all says nothing about forged mail, or passes it",
	},
	{
		ID: "spf.ptr", Title: "ptr in SPF", Needs: Resolver, Source: rfcSPF + "5.5",
		Why: "ptr is slow, depends on the DNS of others, and some receivers skip it",
	},
	{
		ID: "spf.mx10", Title: "names of an mx in SPF", Needs: Resolver, Source: rfcSPF + "4.6.4",
		Why: "an mx with more than ten hosts is a permanent error",
	},
	{
		ID: "spf.loop", Title: "SPF record that includes itself", Needs: Resolver, Source: rfcSPF + "4.6.4",
		Why: "receivers go round until they give up, and take the record for a permanent error",
	},
	{
		ID: "spf.include-dead", Title: "include without a record", Needs: Resolver, Source: rfcSPF + "5.2",
		Why: "an include or redirect of a name without an SPF record is a permanent error",
	},
	{
		ID: "spf.type99", Title: "SPF records of type 99", Needs: Resolver, Source: rfcSPF + "3.1",
		Why: "nobody reads records of type SPF any more, and one that differs misleads whoever looks at it",
	},
	{
		ID: "spf.senderid", Title: "Sender ID", Needs: Resolver, Source: "RFC 6686 section 6",
		Why: "nobody reads spf2.0 records any more",
	},
	{
		ID: "spf.redirect-lost", Title: "redirect beside all", Needs: Resolver, Source: rfcSPF + "6.1",
		Why: "a redirect beside an all is never followed",
	},
	{
		ID: "spf.hidden", Title: "errors behind the matching term", Needs: Resolver, Source: rfcSPF + "4.6",
		Why: "receivers that stop at the matching term do not see the error, others meet it: mail passes at some and not at others",
	},
	{
		ID: "spf.ours-first", Title: "order of SPF terms", Needs: Resolver, Source: rfcSPF + "4.6.4",
		Why: "in front, our own addresses cost no look-up, and no name of others can keep a receiver from reaching them",
	},
}
