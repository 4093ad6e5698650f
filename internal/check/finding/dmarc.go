package finding

// dmarcKinds are those of package dmarc.
var dmarcKinds = []Kind{
	{ID: "dmarc.exists", Title: "DMARC record"},
	{ID: "dmarc.one", Title: "one DMARC record"},
	{ID: "dmarc.place", Title: "place of the DMARC record"},
	{ID: "dmarc.space", Title: "how the DMARC record begins"},
	{ID: "dmarc.foreign", Title: "other records at _dmarc"},
	{ID: "dmarc.syntax", Title: "syntax of the DMARC record"},
	{ID: "dmarc.policy", Title: "policy that applies"},
	{ID: "dmarc.sp-none", Title: "policy for subdomains"},
	{ID: "dmarc.rua", Title: "addresses of reports"},
	{ID: "dmarc.rua-consent", Title: "consent to reports"},
	{ID: "dmarc.align", Title: "alignment of the mail that is sent"},
	{ID: "dmarc.ramp", Title: "next step of the policy"},
	{ID: "dmarc.parked", Title: "domain that never sends"},
}
