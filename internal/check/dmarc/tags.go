package dmarc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/policy"
)

var policies = []string{"none", "quarantine", "reject"}

// values are those that a tag may have, in lower case.
var values = map[string][]string{
	"p": policies, "sp": policies, "np": policies, "t": {"y", "n"}, "psd": {"y", "n", "u"}, "adkim": {"r", "s"}, "aspf": {"r", "s"},
}

// known are all tags that have ever been defined; those that RFC 9989 took away are in
// dropped.
var (
	known   = []string{"v", "p", "sp", "np", "t", "psd", "adkim", "aspf", "rua", "ruf", "fo"}
	dropped = []string{"pct", "rf", "ri"}
)

// judgeSyntax judges the tags of the domain's own record. Receivers ignore what is wrong
// in it (RFC 9989 section 4.8), so that little is a problem.
func (c *checker) judgeSyntax(own policy.DMARC) {
	out := finding.Finding{ID: "dmarc.syntax", Severity: finding.OK, Subject: c.name}
	var seen []string
	say := func(s finding.Severity, format string, a ...any) {
		seen = append(seen, fmt.Sprintf(format, a...))
		if worse(s, out.Severity) {
			out.Severity = s
		}
	}
	_, faults := policy.ReadDMARC(own.String())
	for _, f := range faults[:min(len(faults), 5)] {
		say(finding.Warning, "%v: RFC 9989 ignores it, older receivers may ignore the whole record", f)
	}
	for _, tag := range own.Tags()[:min(len(own.Tags()), maxTexts)] {
		c.judgeTag(own, tag, say)
	}
	if !strings.HasPrefix(own.String(), "v=DMARC1") {
		say(finding.Warning, "it begins with v=DMARC1, but not to the letter, as RFC 9989 permits: OpenDMARC 1.4 sees no record")
	}
	p, given := own.Get("p")
	switch {
	case !given && hasReports(own):
		say(finding.Warning, "p= is missing: p=none applies; OpenDMARC 1.4 and go-msgauth take the record for an error")
	case !given:
		say(finding.Warning, "p= is missing: DMARC does not apply; OpenDMARC 1.4 and go-msgauth take the record for an error")
	case slices.Contains(policies, strings.ToLower(p)) && p != strings.ToLower(p):
		say(finding.Note, "p=%s: receivers read it in any case of letters, go-msgauth does not", p)
	}
	if given && len(own.Tags()) > 1 && own.Tags()[1] != "p" {
		say(finding.Note, "p= is not the second tag, where receivers of RFC 7489 want it")
	}
	out.Seen = strings.Join(seen, "; ")
	if out.Severity != finding.OK {
		out.Remedy = finding.Text("change " + c.place())
	}
	c.report(out)
}

// judgeTag judges one tag.
func (c *checker) judgeTag(own policy.DMARC, tag string, say func(s finding.Severity, format string, a ...any)) {
	value, _ := own.Get(tag)
	lower := strings.ToLower(value)
	switch allowed := values[tag]; {
	case tag == "pct":
		c.judgePercent(own, value, say)
	case slices.Contains(dropped, tag):
		say(finding.Note, "%s= is gone with RFC 9989, nobody acts on it", tag)
	case !slices.Contains(known, tag):
		say(finding.Note, "the tag %s= is not known, so it is ignored", cut(tag))
	case allowed == nil || slices.Contains(allowed, lower):
	case slices.Contains([]string{"p", "sp", "np"}, tag) && hasReports(own):
		say(finding.Warning, "%s=%s is no policy: p=none applies to all mail; OpenDMARC 1.4 and go-msgauth take the record for an error", tag, cut(value))
	case slices.Contains([]string{"p", "sp", "np"}, tag):
		say(finding.Warning, "%s=%s is no policy: DMARC does not apply at all", tag, cut(value))
	default:
		say(finding.Warning, "%s=%s is none of %s: the default applies, go-msgauth takes the record for an error", tag, cut(value), strings.Join(allowed, ", "))
	}
}

// judgePercent judges pct=, which old receivers obey.
func (c *checker) judgePercent(own policy.DMARC, value string, say func(s finding.Severity, format string, a ...any)) {
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n < 0 || n > 100:
		say(finding.Warning, "pct=%s: RFC 9989 ignores it, OpenDMARC 1.4 reads 0, and so never acts on the policy", cut(value))
	case n < 100 && own.Policy() != "none":
		say(finding.Note, "pct=%d: RFC 9989 applies the policy to all mail, OpenDMARC 1.4 to %d in 100", n, n)
	default:
		say(finding.Note, "pct=%d is gone with RFC 9989, and changes nothing", n)
	}
}

// cut shortens a value of others.
func cut(value string) string {
	if len(value) > 30 {
		return strings.ToValidUTF8(value[:30], "") + "…"
	}
	return value
}

// worse reports whether one severity is to be mended before another.
func worse(a, b finding.Severity) bool {
	order := finding.Severities()
	return slices.Index(order, a) < slices.Index(order, b)
}

// effective returns what really applies to mail from the domain and from its
// subdomains: a value that is no policy makes all of them none.
func effective(p policy.DMARC) (domain, subdomains string) {
	for _, tag := range []string{"p", "sp", "np"} {
		if v, given := p.Get(tag); given && !slices.Contains(policies, strings.ToLower(v)) {
			return "none", "none"
		}
	}
	return p.Policy(), p.SubdomainPolicy()
}

// judgePolicy says which policy applies.
func (c *checker) judgePolicy(applies published) {
	of, below := effective(applies.DMARC)
	inherited := applies.domain != c.domain.Name
	if inherited {
		of = below
	}
	out := finding.Finding{ID: "dmarc.policy", Severity: finding.OK, Subject: c.name, Seen: of}
	if inherited {
		out.Seen += ", by the record of " + applies.domain
	}
	t, _ := applies.Get("t")
	switch testing := strings.EqualFold(t, "y"); {
	case of == "none":
		out.Severity = finding.Note
		out.Seen += ": receivers report, and treat mail that fails as any other"
	case testing:
		out.Severity = finding.Note
		out.Seen += fmt.Sprintf(" under test (t=y): %s at receivers of RFC 9989", policies[slices.Index(policies, of)-1])
		out.Why = "OpenDMARC 1.4 does not know t=, and applies the policy in full."
	}
	c.report(out)
	if inherited || c.domain.Name != applies.domain {
		return
	}
	c.judgeRamp(applies, of)
	if p, _ := effective(applies.DMARC); p != "none" && below == "none" {
		out := finding.Finding{
			ID: "dmarc.sp-none", Severity: finding.Warning, Subject: c.name, Seen: "p=" + p + ", but sp=none for all subdomains",
			Expected: applies.Set("sp", p).String(), Remedy: finding.Text("take sp=none out of " + c.place()),
		}
		if w := c.domain.Wanted; w != nil && w.DMARC.SubdomainPolicy == "none" {
			out.Severity, out.Remedy = finding.Note, nil // as the administrator wants it
		}
		c.report(out)
	} else {
		c.report(finding.Finding{ID: "dmarc.sp-none", Severity: finding.OK, Subject: c.name})
	}
}

// rampTime is after how long p=none is no first step any more: reports of all large
// receivers are there by then, several times.
const rampTime = 8 * 7 * 24 * time.Hour

// judgeRamp says since when a policy of none is there. Whether a stricter one is safe only
// reports tell, which nothing here reads.
func (c *checker) judgeRamp(applies published, of string) {
	const kind = "dmarc.ramp"
	d := c.domain
	out := finding.Finding{ID: kind, Severity: finding.OK, Subject: c.name, Seen: "p=" + of}
	if of != "none" {
		c.server.Memory.Forget(kind, d.Name)
		c.report(out)
		return
	}
	since := c.server.Memory.See(kind, d.Name, of, "").Since
	if since.IsZero() || !d.Sends {
		return
	}
	out.Seen += ", seen since " + since.UTC().Format(time.DateOnly)
	if c.server.Now.Sub(since) >= rampTime {
		out.Severity, out.Expected = finding.Note, applies.Set("p", "quarantine").String()
		out.Remedy = c.nextStep(applies)
	}
	c.report(out)
}

// nextStep returns how a policy becomes stricter, once that is safe.
func (c *checker) nextStep(applies published) finding.Remedy {
	d := c.domain
	if !hasReports(applies.DMARC) {
		return finding.Text("have reports sent first:").Then(c.addReports())
	}
	r := finding.Text("once reports show that all mail of your own passes, and not before:")
	switch {
	case d.Wanted == nil:
		return r.Record(c.name + `. TXT "` + applies.Set("p", "quarantine").String() + `"`)
	case d.Name == c.server.Spec.Host.Domain:
		return r.Command("mailsetup init --dmarc quarantine")
	}
	return r.Command("mailsetup init --domain %s --dmarc quarantine", d.Name)
}
