package finding

// spfKinds are those of package spf.
var spfKinds = []Kind{
	{ID: "spf.one", Title: "one SPF record"},
	{ID: "spf.prefix", Title: "how the SPF record begins"},
	{ID: "spf.syntax", Title: "syntax of the SPF record"},
	{ID: "spf.pass", Title: "SPF of each address, for MAIL FROM"},
	{ID: "spf.helo", Title: "SPF of the HELO name"},
	{ID: "spf.lookups", Title: "look-ups of the SPF record"},
	{ID: "spf.voids", Title: "void look-ups"},
	{ID: "spf.voids-v6", Title: "void look-ups, for receivers that ask one address family"},
	{ID: "spf.size", Title: "size of the SPF record"},
	{ID: "spf.all", Title: "what becomes of all other senders"},
	{ID: "spf.ptr", Title: "ptr in SPF"},
	{ID: "spf.mx10", Title: "names of an mx in SPF"},
	{ID: "spf.loop", Title: "SPF record that includes itself"},
	{ID: "spf.include-dead", Title: "include without a record"},
	{ID: "spf.type99", Title: "SPF records of type 99"},
	{ID: "spf.senderid", Title: "Sender ID"},
	{ID: "spf.redirect-lost", Title: "redirect beside all"},
	{ID: "spf.hidden", Title: "errors behind the matching term"},
	{ID: "spf.ours-first", Title: "order of SPF terms"},
}
