package dmarc

import (
	"context"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/state"
)

// checkParked looks for the three records by which a domain says that it has no mail:
// whoever sends as it is refused.
func (c *checker) checkParked(ctx context.Context) {
	name := c.domain.Name
	out := finding.Finding{ID: "dmarc.parked", Severity: finding.OK, Subject: name, Seen: "v=spf1 -all, no way for mail, p=reject"}
	var lacks, publish []string
	lack := func(what, record string) { lacks, publish = append(lacks, what), append(publish, record) }

	records, _, errSPF := c.dns.Lookup(ctx, name+".", "TXT")
	if errSPF == nil && !slices.ContainsFunc(txt(records), func(t string) bool { return strings.EqualFold(strings.Join(strings.Fields(t), " "), "v=spf1 -all") }) {
		lack("SPF passes or allows senders", name+`. TXT "v=spf1 -all"`)
	}
	takes, _, errMX := takesMail(ctx, c.dns, name)
	if mx, _, err := c.dns.Lookup(ctx, name+".", "MX"); errMX == nil && err == nil && takes && !nullMX(mx) {
		lack("mail is led somewhere", name+". MX 0 .")
	}
	w := walkUp(ctx, c.dns, name)
	errPolicy := w.err
	if p, found := w.policyFor(); errPolicy == nil {
		is, below := "", ""
		if found {
			if is, below = effective(p.DMARC); p.domain != name {
				is = below
			}
		}
		if is != "reject" {
			lack("DMARC does not say reject", c.name+`. TXT "v=DMARC1; p=reject"`)
		}
	}
	switch {
	case len(lacks) > 0:
		out.Severity, out.Seen = finding.Warning, strings.Join(lacks, "; ")
		out.Remedy = finding.Text("publish:").Records(publish...)
	case errSPF != nil, errMX != nil, errPolicy != nil:
		out.Severity, out.CausedBy = finding.Unknown, "net.resolver"
		for _, err := range []error{errSPF, errMX, errPolicy} {
			if err != nil {
				out.Seen = err.Error()
			}
		}
	}
	c.report(out)
}

func nullMX(records []state.Record) bool {
	return slices.ContainsFunc(records, func(r state.Record) bool { return r.Type == "MX" && strings.HasSuffix(r.Value, " .") })
}
