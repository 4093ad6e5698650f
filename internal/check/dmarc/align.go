package dmarc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/text"
)

// checkAlignment compares the domain in From: with d= of the signatures that this server
// makes. MAIL FROM of its users is in the same domain, so SPF is aligned; but that ends
// where mail is forwarded.
func (c *checker) checkAlignment(ctx context.Context, applies published, w walk) {
	d := c.domain
	if !d.Sends {
		return
	}
	signers := c.signers()
	if len(signers) == 0 {
		return // nothing is known of who signs
	}
	out := finding.Finding{ID: "dmarc.align", Severity: finding.OK, Subject: "From: @" + d.Name}
	strict := applies.Alignment("adkim") == "strict"
	for _, signer := range signers {
		fits, err := aligned(ctx, c.dns, w, signer, strict)
		switch {
		case err != nil:
			out.Severity, out.Seen, out.CausedBy = finding.Unknown, err.Error(), "net.resolver"
		case fits:
			out.Severity, out.Seen, out.CausedBy = finding.OK, "d="+signer, ""
		}
		if fits {
			break
		}
		if err == nil && out.Severity != finding.Unknown {
			out.Severity, out.Seen = finding.Warning, fmt.Sprintf("d=%s is not aligned (%s): only SPF is, which fails where mail is forwarded", signer, applies.Alignment("adkim"))
			out.Expected, out.Remedy = "d="+d.Name, finding.Text("sign mail of "+d.Name+" with a key of its own:").Command("mailsetup add-domain %s", d.Name)
		}
	}
	c.report(out)
	c.checkFurtherSenders(ctx, strict)
}

// signers are the domains in d= of the domain's signatures.
func (c *checker) signers() []string {
	d := c.domain
	if d.Wanted != nil && d.Wanted.SignedBy == "" {
		if _, signs := (keyring.Ledger{d.Name: d.Keys}).Signing(d.Name); signs || c.server.Unprivileged {
			return []string{d.Name}
		}
		return nil
	}
	var list []string
	for _, s := range d.Selectors {
		if !slices.Contains(list, s.Domain) {
			list = append(list, s.Domain)
		}
	}
	return list
}

// aligned reports whether a signature with d= of a domain counts for mail from the
// domain of the walk (RFC 9989 section 4.10.2).
func aligned(ctx context.Context, dns *dnsclient.Client, from walk, signer string, strict bool) (bool, error) {
	if signer == from.from || strict {
		return signer == from.from, nil
	}
	w := walkUp(ctx, dns, signer)
	err := cmp.Or(from.err, w.err)
	return err == nil && w.organization() == from.organization(), err
}

// checkFurtherSenders says of which other senders the mail is signed with the domain's
// key: wanted, and not aligned.
func (c *checker) checkFurtherSenders(ctx context.Context, strict bool) {
	if c.domain.Wanted == nil {
		return
	}
	var others []string
	for _, pattern := range c.domain.Wanted.Also[:min(len(c.domain.Wanted.Also), maxTexts)] {
		host := strings.TrimPrefix(pattern[strings.LastIndexByte(pattern, '@')+1:], ".")
		if host == "" || host == "*" || slices.Contains(others, host) || !strict && dnsname.Within(host, c.domain.Name) {
			continue
		}
		w := walkUp(ctx, c.dns, host)
		if _, policy := w.policyFor(); !policy || w.err != nil {
			continue // nobody asks for alignment
		}
		if fits, err := aligned(ctx, c.dns, w, c.domain.Name, strict); err == nil && !fits {
			others = append(others, host)
		}
	}
	if len(others) > 0 {
		c.report(finding.Finding{
			ID: "dmarc.align", Severity: finding.Note, Subject: "further senders",
			Seen: fmt.Sprintf("mail from %s is signed with d=%s, which is not aligned: there SPF alone counts", text.List(others, 3), c.domain.Name),
		})
	}
}

// CheckServer judges mail of the server itself (cron, bounces): its From: is at the name
// of the server, its d= the primary domain.
func CheckServer(ctx context.Context, dns *dnsclient.Client, s subject.Server) finding.Result {
	host, d := s.Spec.Host.Hostname, s.Spec.Host.Domain
	i := slices.IndexFunc(s.Spec.Domains, func(w spec.Domain) bool { return w.Name == d })
	if !s.SetUp || host == "" || i < 0 || s.Spec.Domains[i].SignedBy != "" || dns == nil {
		return finding.Result{}
	}
	out := finding.Finding{ID: "dmarc.align", Severity: finding.OK, Subject: "From: @" + host, Seen: "d=" + d}
	w := walkUp(ctx, dns, host)
	applies, found := w.policyFor()
	switch {
	case w.err != nil:
		out.Severity, out.Seen, out.CausedBy = finding.Unknown, w.err.Error(), "net.resolver"
	case !found:
		return finding.Result{}
	default:
		strict := applies.Alignment("adkim") == "strict"
		fits, err := aligned(ctx, dns, w, d, strict)
		if err != nil {
			out.Severity, out.Seen, out.CausedBy = finding.Unknown, err.Error(), "net.resolver"
		} else if !fits {
			out.Severity = finding.Note
			out.Seen = fmt.Sprintf("mail of the server itself has d=%s, which is not aligned (%s): SPF of %s alone counts", d, applies.Alignment("adkim"), host)
		}
	}
	return finding.Result{Findings: []finding.Finding{out}}
}
