package dmarc

import (
	"cmp"
	"context"
	"fmt"
	"net/mail"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
)

// maxURIs is how many addresses of a record are looked at.
const maxURIs = 10

// hasReports reports whether a record has an address for reports that can be used.
func hasReports(d policy.DMARC) bool {
	for _, uri := range d.URIs("rua") {
		if _, err := mailbox(uri); err == nil {
			return true
		}
	}
	return false
}

// mailbox returns the address of a mailto: URI. A limit of the size behind ! is obsolete.
func mailbox(uri string) (string, error) {
	address, ok := strings.CutPrefix(strings.ToLower(uri), "mailto:")
	if !ok {
		if strings.Contains(uri, "@") && !strings.Contains(uri, ":") {
			return "", fmt.Errorf("%s lacks mailto: in front", cut(uri))
		}
		return "", fmt.Errorf("%s is no mailto: address, the only kind that all receivers use", cut(uri))
	}
	address, _, _ = strings.Cut(address, "!")
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address {
		return "", fmt.Errorf("%s is no address", cut(uri))
	}
	return address, nil
}

// checkReports judges where reports go. Only the record that applies counts.
func (c *checker) checkReports(ctx context.Context, applies published, w walk) {
	if applies.domain != c.domain.Name {
		return // told of the domain that has the record
	}
	uris := applies.URIs("rua")
	if len(uris) == 0 {
		c.report(finding.Finding{
			ID: "dmarc.rua", Severity: finding.Note, Subject: c.name, Seen: "nobody gets reports: there is no rua=",
			Expected: applies.Set("rua", "mailto:ADDRESS").String(), Remedy: c.addReports(),
		})
		return
	}
	seen := map[string]bool{}
	for i, uri := range uris[:min(len(uris), maxURIs)] {
		address, err := mailbox(uri)
		if err != nil {
			c.report(finding.Finding{
				ID: "dmarc.rua", Severity: finding.Warning, Subject: cut(uri), Seen: err.Error(),
				Expected: "rua=mailto:postmaster@" + c.domain.Name, Remedy: finding.Text("correct rua= in " + c.place()),
			})
			continue
		}
		c.checkMailbox(ctx, address, i)
		_, host, _ := strings.Cut(address, "@")
		if !seen[host] {
			seen[host] = true
			c.checkConsent(ctx, host, w)
		}
	}
}

// addReports returns how to have reports sent. Which address somebody reads is for the
// administrator to say: one that init found would be in the record.
func (c *checker) addReports() finding.Remedy {
	switch d := c.domain; {
	case d.Wanted == nil:
		return finding.Text("add rua=mailto:ADDRESS to " + c.place())
	case d.Name == c.server.Spec.Host.Domain:
		return finding.Command("mailsetup init --rua mailto:ADDRESS")
	default:
		return finding.Command("mailsetup init --domain %s --rua mailto:ADDRESS", d.Name)
	}
}

// checkMailbox finds out whether the domain of an address takes mail.
func (c *checker) checkMailbox(ctx context.Context, address string, i int) {
	_, host, _ := strings.Cut(address, "@")
	out := finding.Finding{ID: "dmarc.rua", Severity: finding.OK, Subject: cut(address)}
	takes, why, err := takesMail(ctx, c.dns, host)
	switch {
	case err != nil:
		out.Severity, out.Seen, out.CausedBy = finding.Unknown, err.Error(), "net.resolver"
	case !takes:
		out.Severity, out.Seen = finding.Warning, why
		if d := c.domain; d.Wanted != nil && !d.Receives && host == d.Name {
			out.Severity = finding.Note // as the administrator wants it: mail for the domain is not our business
		}
		out.Remedy = finding.Text("name an address that takes mail as rua in " + c.place())
	case i > 1:
		out.Severity, out.Seen = finding.Note, "receivers need to send reports to the first two addresses only"
	}
	c.report(out)
}

// takesMail reports whether mail for a domain has somewhere to go: an MX that is not
// null, or else an address.
func takesMail(ctx context.Context, dns *dnsclient.Client, domain string) (takes bool, why string, err error) {
	records, status, err := dns.Lookup(ctx, domain+".", "MX")
	switch {
	case err != nil:
		return false, "", err
	case status == dnsclient.NXDomain:
		return false, domain + " does not exist", nil
	}
	mx := false
	for _, r := range records {
		if r.Type == "MX" && !strings.HasSuffix(r.Value, " .") {
			return true, "", nil
		}
		mx = mx || r.Type == "MX"
	}
	if mx {
		return false, domain + " takes no mail: its MX is null (RFC 7505)", nil
	}
	for _, t := range []string{"A", "AAAA"} {
		if _, status, err = dns.Lookup(ctx, domain+".", t); err != nil || status == dnsclient.Found {
			return status == dnsclient.Found, "", err
		}
	}
	return false, domain + " takes no mail: it has neither an MX nor an address", nil
}

// checkConsent looks for the consent of another organization to reports about the
// domain (RFC 9990).
func (c *checker) checkConsent(ctx context.Context, host string, w walk) {
	if host == c.domain.Name {
		return
	}
	name := dnsname.ReportConsent(c.domain.Name, host)
	out := finding.Finding{ID: "dmarc.rua-consent", Severity: finding.OK, Subject: name}
	other := walkUp(ctx, c.dns, host)
	err := cmp.Or(w.err, other.err)
	if err == nil && other.organization() == w.organization() {
		return
	}
	if err == nil {
		var consents bool
		if consents, err = c.consents(ctx, name); err == nil && !consents {
			out.Severity, out.Seen = finding.Warning, host+" does not consent to reports about "+c.domain.Name+", so nobody sends them there"
			out.Expected = name + `. TXT "v=DMARC1"`
			out.Remedy = finding.Text("ask who runs " + host + " to publish it, or name an address of your own in rua=")
		}
	}
	if err != nil {
		out.Severity, out.Seen, out.CausedBy = finding.Unknown, err.Error(), "net.resolver"
	}
	c.report(out)
}

// consents reports whether there is a record of consent; a wildcard is one.
func (c *checker) consents(ctx context.Context, name string) (bool, error) {
	records, _, err := c.dns.Lookup(ctx, name+".", "TXT")
	for _, r := range records {
		if r.Type == "TXT" && policy.IsPolicyRecord(r.Value) {
			return true, err
		}
	}
	return false, err
}
