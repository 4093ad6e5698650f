package finding

// messageKinds are those of package message.
var messageKinds = []Kind{
	{
		ID: "msg.form", Title: "form of the message", Source: "RFC 5322 section 3.6, RFC 2045",
		Why: "Receivers refuse messages that are not formed as mail, or count it against them, and servers on the way mend them and break their signatures.",
	},
	{
		ID: "msg.score", Title: "score of a spam filter", Source: "spamassassin(1), rspamc(1)",
		Why: "Filters of receivers judge by rules like these, and some of them can be mended.",
	},
	{
		ID: "msg.bulk", Title: "one-click unsubscribe", Source: "RFC 8058 section 3",
		Why: "Gmail and Yahoo want one-click unsubscribe of who sends thousands of messages a day, and believe it if it is signed.",
	},
}
