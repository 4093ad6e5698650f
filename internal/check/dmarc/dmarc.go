// Package dmarc checks what receivers make of a domain's DMARC policy: which record
// applies, what it says, and whether the mail that is sent is aligned.
package dmarc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/text"
)

// checker checks one domain.
type checker struct {
	dns    *dnsclient.Client
	server subject.Server
	domain subject.Domain
	name   string // of its DMARC record, without final dot
	finding.Result
}

// Check checks the DMARC policy of one domain.
func Check(ctx context.Context, dns *dnsclient.Client, s subject.Server, d subject.Domain) finding.Result {
	c := &checker{dns: dns, server: s, domain: d, name: dnsname.Policy(d.Name)}
	if d.Parked() {
		c.checkParked(ctx)
		return c.Result
	}
	texts, known := c.askServers(ctx)
	if !known {
		return c.Result
	}
	c.checkApex(ctx)
	own, here := c.judgeTexts(texts)
	if len(c.problems("dmarc.one", "dmarc.space", "dmarc.place")) > 0 {
		return c.Result // what receivers see then is none
	}
	w := walkUp(ctx, dns, d.Name)
	if w.err != nil && !here && (c.domain.Wanted == nil || len(w.found) > 0) { // one above may apply
		c.report(finding.Finding{ID: "dmarc.exists", Severity: finding.Unknown, Subject: c.name, Seen: w.err.Error(), CausedBy: "net.resolver"})
		return c.Result
	}
	applies, found := w.policyFor()
	if here {
		applies, found = published{d.Name, own}, true // the resolver may remember an older answer
	}
	c.judgeExistence(applies, found, w)
	if !found {
		return c.Result
	}
	if here {
		c.judgeSyntax(own)
	}
	c.judgePolicy(applies)
	c.checkReports(ctx, applies, w)
	c.checkAlignment(ctx, applies, w)
	return c.Result
}

// report adds a finding about the domain.
func (c *checker) report(f finding.Finding) {
	f.Domain, f.Seen = c.domain.Name, shorten(f.Seen)
	c.Findings = append(c.Findings, f)
}

// problems are the findings with some IDs that are not good.
func (c *checker) problems(ids ...string) []finding.Finding {
	return slices.DeleteFunc(slices.Clone(c.Findings), func(f finding.Finding) bool {
		return f.Severity == finding.OK || f.Severity == finding.Note || !slices.Contains(ids, f.ID)
	})
}

// maxSeen is how long a text of others is shown.
const maxSeen = 220

func shorten(text string) string {
	if len(text) <= maxSeen {
		return text
	}
	return strings.ToValidUTF8(text[:maxSeen-3], "") + "…"
}

// askServers asks every name server for the record, and returns the texts at its name.
// Known is false if none could be asked, or the record is lost, which is reported.
func (c *checker) askServers(ctx context.Context) (texts []string, known bool) {
	// Any policy does, so the version alone is expected.
	want := state.Record{Name: c.name + ".", Type: "TXT", Value: "v=DMARC1"}
	expected := dnscheck.Expected{Domain: c.domain.Name, Records: []state.Record{want}, PublishedByUs: c.byUs()}
	r := dnscheck.Check(ctx, c.dns, expected, dnscheck.Result{})
	for r.IsBehind() && c.server.Transfers.Wait(ctx) {
		r = dnscheck.Check(ctx, c.dns, expected, r)
	}
	var missing, down []string
	var lost dnscheck.RecordResult
	answered := 0
	for _, s := range r.Servers {
		switch {
		case s.NotAsked():
		case !s.ServerProblem.OK():
			down = append(down, fmt.Sprintf("%s: %s", s, s.ServerProblem.Text))
		case len(s.Records) != 1:
		default:
			answered++
			got := txt(s.Records[0].Seen)
			if f := s.Records[0].Fault; len(got) == 0 || f == dnscheck.OldCopy {
				missing, lost = append(missing, s.String()), s.Records[0]
			}
			if len(got) > len(texts) {
				texts = got
			}
		}
	}
	switch {
	case len(r.NoServer) > 0:
		c.report(finding.Finding{ID: "dmarc.exists", Severity: finding.Unknown, Subject: c.name, Seen: r.NoServer[0].Text, CausedBy: "dns.delegation"})
	case answered == 0 && len(down) == 0: // with IPv4 alone, and this machine has IPv6 alone
		records, _, err := c.dns.Lookup(ctx, want.Name, "TXT")
		if err == nil {
			texts = txt(records)
			return texts[:min(len(texts), maxTexts)], true
		}
		c.report(finding.Finding{ID: "dmarc.exists", Severity: finding.Unknown, Subject: c.name, Seen: err.Error(), CausedBy: "net.resolver"})
	case answered == 0:
		c.report(finding.Finding{ID: "dmarc.exists", Severity: finding.Unknown, Subject: c.name, Seen: strings.Join(append(down, "no name server can be asked"), "; "), CausedBy: "dns.delegation"})
	case len(missing) == answered && lost.Fault == dnscheck.Alias:
		c.report(finding.Finding{ID: "dmarc.exists", Severity: finding.Warning, Subject: c.name, Seen: lost.Text, Remedy: finding.Advice(lost.Remedy), CausedBy: "dns.cname"})
	case len(missing) == answered && lost.Fault != dnscheck.Missing:
		c.report(finding.Finding{ID: "dmarc.place", Severity: finding.Warning, Subject: c.name, Seen: lost.Text, Remedy: finding.Advice(lost.Remedy)})
	case len(missing) > 0 && len(missing) < answered:
		out := finding.Finding{
			ID: "dmarc.exists", Severity: finding.Warning, Subject: c.name, Seen: at(missing) + ": " + lost.Text, Remedy: finding.Advice(lost.Remedy),
		}
		if lost.Fault == dnscheck.OldCopy {
			out.CausedBy = "dns.same"
		}
		if dnscheck.IsBehind(lost.Finding) && c.server.Transfers.UnderWay() {
			out.Severity, out.Seen = finding.Unknown, "not there yet: "+out.Seen
		}
		c.report(out)
	case len(down) > 0:
		c.report(finding.Finding{ID: "dmarc.exists", Severity: finding.Unknown, Subject: c.name, Seen: strings.Join(down, "; "), CausedBy: "dns.delegation"})
		return texts[:min(len(texts), maxTexts)], len(texts) > 0
	default:
		return texts[:min(len(texts), maxTexts)], true
	}
	return nil, false
}

// maxTexts is how many texts at one name are looked at.
const maxTexts = 20

func at(servers []string) string {
	if len(servers) > 2 {
		return text.Count(len(servers), "name server")
	}
	return strings.Join(servers, ", ")
}

// txt returns the texts behind aliases.
func txt(records []state.Record) []string {
	var list []string
	for _, r := range records {
		if r.Type == "TXT" {
			list = append(list, r.Value)
		}
	}
	return list
}

// byUs reports whether mailsetup publishes the domain's records.
func (c *checker) byUs() bool {
	return c.domain.Wanted != nil && !c.server.Spec.ByHand(*c.domain.Wanted)
}

// place is where the record is changed.
func (c *checker) place() string {
	if c.byUs() {
		return "[dmarc] of " + string(spec.DomainFile(c.domain.Name)) + ", then mailsetup init"
	}
	return "the TXT record at " + c.name
}

// judgeTexts sorts the texts at the name of the record, and returns the policy if there
// is exactly one.
func (c *checker) judgeTexts(texts []string) (own policy.DMARC, here bool) {
	var valid, nearly, foreign []string
	for _, t := range texts {
		switch lower := strings.ToLower(t); {
		case policy.IsPolicyRecord(t):
			valid = append(valid, t)
		case strings.Contains(lower, "dmarc1"):
			nearly = append(nearly, t)
		default:
			foreign = append(foreign, t)
		}
	}
	if len(valid) > 1 {
		c.report(finding.Finding{
			ID: "dmarc.one", Severity: finding.Problem, Subject: c.name, Seen: fmt.Sprintf("%d records: %s", len(valid), quoted(valid)),
			Expected: "one record, such as " + dnsclient.Quote(policy.MildestDMARC(valid), ""),
			Why:      "With two records none applies (RFC 9989 section 4.10); OpenDMARC 1.4 and go-msgauth take the one that comes first, by turns.",
			Remedy:   finding.Text("take out all but one of the TXT records at " + c.name),
		})
		return policy.DMARC{}, false
	}
	if len(valid) == 0 && len(nearly) > 0 {
		c.report(finding.Finding{
			ID: "dmarc.space", Severity: finding.Problem, Subject: c.name, Seen: quoted(nearly[:1]) + ": " + beginning(nearly[0]),
			Expected: c.name + ` TXT "` + mended(nearly[0]) + `"`, Remedy: finding.Text("begin the record with v=DMARC1; and nothing before it"),
		})
	}
	if len(foreign) > 0 {
		f := finding.Finding{
			ID: "dmarc.foreign", Severity: finding.Note, Subject: c.name, Seen: quoted(foreign),
			Remedy: finding.Text("take out what is no DMARC record"),
		}
		if len(valid) > 0 {
			f.Why = "RFC 9989 leaves it out; OpenDMARC 1.4 looks at one record alone, and sees a policy or none by the order of the answer."
		}
		c.report(f)
	}
	if len(valid) == 0 {
		return policy.DMARC{}, false
	}
	for _, id := range []string{"dmarc.one", "dmarc.space"} {
		c.report(finding.Finding{ID: id, Severity: finding.OK, Subject: c.name})
	}
	own, _ = policy.ReadDMARC(valid[0])
	return own, true
}

// quoted returns the beginnings of texts in quotes.
func quoted(texts []string) string {
	var list []string
	for _, t := range texts {
		list = append(list, dnsclient.Quote(t, ""))
	}
	return text.List(list, 3)
}

// beginning says why a text is no record, although it seems to be meant as one.
func beginning(t string) string {
	trimmed := strings.TrimLeft(t, " \t\r\n\"'“”\u00a0\ufeff\u200b")
	first, _, _ := strings.Cut(trimmed, ";")
	switch {
	case policy.IsPolicyRecord(strings.TrimLeft(t, " \t")):
		return "a blank is before v=DMARC1, so receivers see no record; OpenDMARC 1.4 takes it nevertheless"
	case policy.IsPolicyRecord(trimmed):
		return "something is before v=DMARC1, so receivers see no record"
	case policy.IsPolicyRecord(strings.ToUpper(first)):
		return "DMARC1 is case-sensitive, so receivers see no record"
	case strings.HasPrefix(strings.ToLower(strings.ReplaceAll(trimmed, " ", "")), "v=dmarc1"):
		return "no semicolon ends v=DMARC1, so receivers see no record"
	}
	return "v=DMARC1 is not the first tag, so receivers see no record; OpenDMARC 1.4 takes it nevertheless"
}

// mended returns a record as it was probably meant.
func mended(t string) string {
	var rest []string
	t = strings.Trim(t, " \t\r\n\"'“”\u00a0\ufeff\u200b")
	for tag := range strings.SplitSeq(t, ";") {
		tag = strings.TrimSpace(tag)
		if name, value, ok := strings.Cut(tag, "="); ok && strings.EqualFold(strings.TrimSpace(name), "v") {
			_, tag, _ = strings.Cut(strings.TrimSpace(value), " ") // what an absent semicolon left there
		}
		if tag != "" {
			rest = append(rest, tag)
		}
	}
	return strings.Join(append([]string{"v=DMARC1"}, rest...), "; ")
}

// checkApex looks for a policy at the name of the domain itself, where nobody reads it.
func (c *checker) checkApex(ctx context.Context) {
	records, _, err := c.dns.Lookup(ctx, c.domain.Name+".", "TXT")
	if err != nil {
		return // SPF stands at the same name, and has said so
	}
	if i := slices.IndexFunc(records, func(r state.Record) bool { return r.Type == "TXT" && policy.IsDMARC(r.Value) }); i >= 0 && len(c.problems("dmarc.place")) == 0 {
		c.report(finding.Finding{
			ID: "dmarc.place", Severity: finding.Warning, Subject: c.domain.Name, Seen: dnsclient.Quote(records[i].Value, "") + " is at the domain itself",
			Remedy: finding.Text("move it to " + c.name),
		})
	}
}

// judgeExistence says which record applies.
func (c *checker) judgeExistence(applies published, found bool, w walk) {
	out := finding.Finding{ID: "dmarc.exists", Severity: finding.OK, Subject: c.name}
	switch {
	case found && applies.domain == c.domain.Name:
		out.Seen = dnsclient.Quote(applies.String(), "")
	case found:
		out.Seen = "none of its own: that of " + applies.domain + " applies"
		if old := listed(c.domain.Name); old != applies.domain {
			out.Severity = finding.Note
			out.Why = "Receivers before RFC 9989 (OpenDMARC 1.4) do not walk up: they ask for the domain and for the one below a public suffix alone, and see no policy."
		}
	default:
		if c.missing(&out); w.err != nil {
			out.Seen += " of its own" // what its servers say is certain
		}
	}
	c.report(out)
}

// patience is how long a record that somebody publishes by hand may be missing.
const patience = 48 * time.Hour

// missing judges that there is no policy.
func (c *checker) missing(out *finding.Finding) {
	out.Severity, out.Seen, out.Expected = finding.Warning, "no policy", c.name+`. TXT "v=DMARC1; p=none"`
	d := c.domain
	switch {
	case c.byUs():
		out.Remedy, out.Fixable = finding.Command("mailsetup init --yes"), true
	case d.Wanted != nil:
		out.Remedy = finding.Text("publish it:").Command("mailsetup dns %s", d.Name)
	default:
		out.Remedy = finding.Text("publish it:").Record(out.Expected)
	}
	signing, _ := keyring.Ledger{d.Name: d.Keys}.Signing(d.Name)
	since := signing.Since[keyring.Publishing]
	if d.Wanted != nil && !c.byUs() && signing.Seen.IsZero() && !since.IsZero() && c.server.Now.Sub(since) < patience {
		out.Severity, out.Seen = finding.Note, "waits for you to publish it"
	}
	if !d.Sends {
		out.Severity = finding.Note
	}
}
