package finding

// dmarcKinds are those of package dmarc.
var dmarcKinds = []Kind{
	{
		ID: "dmarc.exists", Title: "DMARC record", Needs: Resolver,
		Why:    "Google, Yahoo and Microsoft refuse mail of domains without DMARC from whoever sends them more than 5,000 messages a day.",
		Source: "RFC 9989 section 4.10",
	},
	{
		ID: "dmarc.one", Title: "one DMARC record", Needs: Resolver,
		Why:    "Of two records receivers apply none.",
		Source: "RFC 9989 section 4.10",
	},
	{
		ID: "dmarc.place", Title: "place of the DMARC record", Needs: Resolver,
		Why:    "Receivers ask at _dmarc below the domain and nowhere else.",
		Source: "RFC 9989 section 4.5",
	},
	{
		ID: "dmarc.space", Title: "how the DMARC record begins", Needs: Resolver,
		Why:    "A text that does not begin with v=DMARC1 is no DMARC record, whatever else it says.",
		Source: "RFC 9989 section 4.7",
	},
	{
		ID: "dmarc.foreign", Title: "other records at _dmarc", Needs: Resolver,
		Why:    "Some receivers look at one of the records there and see no policy if that is another.",
		Source: "RFC 9989 section 4.10",
	},
	{
		ID: "dmarc.syntax", Title: "syntax of the DMARC record", Needs: Resolver,
		Why:    "Receivers ignore a tag that they do not understand, and some the whole record with it.",
		Source: "RFC 9989 section 4.8",
	},
	{
		ID: "dmarc.policy", Title: "policy that applies", Needs: Resolver,
		Why:    "The policy decides what becomes of mail that somebody else sends in the domain's name.",
		Source: "RFC 9989 section 4.10.1",
	},
	{
		ID: "dmarc.sp-none", Title: "policy for subdomains", Needs: Resolver,
		Why:    "Forgers take any subdomain instead, and receivers show no logo (BIMI) of such a domain.",
		Source: "RFC 9989 section 4.7",
	},
	{
		ID: "dmarc.rua", Title: "addresses of reports", Needs: Resolver,
		Why:    "Without reports nobody learns which mail fails before a stricter policy makes it disappear.",
		Source: "RFC 9989 section 4.6",
	},
	{
		ID: "dmarc.rua-consent", Title: "consent to reports", Needs: Resolver,
		Why:    "Receivers send no report to another organization that does not consent in DNS.",
		Source: "RFC 9990",
	},
	{
		ID: "dmarc.align", Title: "alignment of the mail that is sent", Needs: Resolver,
		Why:    "DMARC passes only if the signature, or SPF, is of the domain in From:.",
		Source: "RFC 9989 section 4.4",
	},
	{
		ID: "dmarc.ramp", Title: "next step of the policy", Needs: Resolver,
		Why:    "A policy of none asks receivers for reports and keeps nobody from forging: it is meant as a first step.",
		Source: "RFC 9989 section 5.1.7",
	},
	{
		ID: "dmarc.parked", Title: "domain that never sends", Needs: Resolver,
		Why:    "A domain without mail is forged like any other, unless it says that it has none.",
		Source: "RFC 9989 section 4.7",
	},
}
