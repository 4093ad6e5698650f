package transport

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
)

// The modes of MTA-STS.
const (
	enforce = "enforce"
	testing = "testing"
	none    = "none"
)

// Policy is an MTA-STS policy (RFC 8461 section 3.2).
type Policy struct {
	Mode   string
	MX     []string // patterns: a name, or *. and a name
	MaxAge int      // seconds
}

const (
	// maxMaxAge is the largest max_age (RFC 8461 section 3.2), and aWeek what it should
	// be at least once a policy is enforced: "weeks or greater" (section 3.2).
	maxMaxAge, aWeek = 31557600, 7 * 24 * 60 * 60
)

var (
	mxPattern = regexp.MustCompile(`^(\*\.)?([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	stsID     = regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	stsField  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[!-:<>-~]+$`)
)

// ParsePolicy reads a policy as strict senders do.
func ParsePolicy(text string) (Policy, error) {
	var p Policy
	seen := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" {
			continue
		}
		key, value, isField := strings.Cut(line, ":")
		if !isField {
			return p, fmt.Errorf("line %d is no field: %s", i+1, clip(line))
		}
		if value = strings.Trim(value, " \t"); seen[key] && key != "mx" {
			continue // the first counts
		}
		if err := p.set(key, value); err != nil {
			return p, fmt.Errorf("line %d: %w", i+1, err)
		}
		seen[key] = true
	}
	for _, key := range []string{"version", "mode", "max_age", "mx"} {
		if !seen[key] && (key != "mx" || p.Mode != none) {
			return p, errors.New("it has no " + key)
		}
	}
	return p, nil
}

// set takes over a field. Unknown ones are for later versions.
func (p *Policy) set(key, value string) error {
	switch key {
	case "version":
		if value != "STSv1" {
			return fmt.Errorf("version is %q instead of STSv1", clip(value))
		}
	case "mode":
		if p.Mode = value; !slices.Contains([]string{enforce, testing, none}, value) {
			return fmt.Errorf("mode is %q instead of enforce, testing or none", clip(value))
		}
	case "max_age":
		n, err := strconv.ParseUint(value, 10, 34)
		if err != nil || n > maxMaxAge {
			return fmt.Errorf("max_age is %q instead of a number of seconds up to %d", clip(value), maxMaxAge)
		}
		p.MaxAge = int(n)
	case "mx":
		if !mxPattern.MatchString(value) {
			return fmt.Errorf("mx is %q instead of a host name in A-labels", clip(value))
		}
		if len(p.MX) < 100 {
			p.MX = append(p.MX, strings.ToLower(value))
		}
	default:
		if lower := strings.ToLower(key); slices.Contains([]string{"version", "mode", "max_age", "mx"}, strings.TrimSpace(lower)) {
			return fmt.Errorf("%q instead of %s", clip(key), strings.TrimSpace(lower))
		}
	}
	return nil
}

// Covers reports whether a policy names an MX. A wildcard stands for one label
// (RFC 8461 section 4.1).
func (p Policy) Covers(mx string) bool {
	_, parent, _ := strings.Cut(strings.ToLower(mx), ".")
	return slices.ContainsFunc(p.MX, func(pattern string) bool {
		return strings.EqualFold(pattern, mx) || parent != "" && pattern == "*."+parent
	})
}

// policyID returns the id of a record, and what is wrong with the record
// (RFC 8461 section 3.1).
func policyID(record string) (string, error) {
	rest, found := strings.CutPrefix(record, "v=STSv1")
	if rest = strings.TrimLeft(rest, " \t"); !found || !strings.HasPrefix(rest, ";") {
		return "", errors.New("it does not begin with v=STSv1;")
	}
	id := ""
	fields := strings.Split(strings.TrimSuffix(strings.TrimRight(rest[1:], " \t"), ";"), ";")
	for _, f := range fields {
		f = strings.Trim(f, " \t")
		value, isID := strings.CutPrefix(f, "id=")
		switch {
		case isID && !stsID.MatchString(value):
			return "", fmt.Errorf("its id %q is not 1 to 32 letters and digits", clip(value))
		case isID && id != "":
			return "", errors.New("it has two ids")
		case isID:
			id = value
		case !stsField.MatchString(f):
			return "", fmt.Errorf("%q is no field", clip(f))
		}
	}
	if id == "" {
		return "", errors.New("it has no id")
	}
	return id, nil
}

// digest is the same for policies that say the same.
func (p Policy) digest() string {
	mx := slices.Compact(slices.Sorted(slices.Values(p.MX)))
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, p.Mode, mx, p.MaxAge)))
}

// sameID returns since when the id of a policy has stood there, if the policy was another
// one then: senders fetch it again only when the id is new (RFC 8461 section 3.1). The
// name servers are asked, since a resolver may remember the id of before.
func (c *checker) sameID(ctx context.Context, m mailDomain) (since time.Time) {
	if !m.policy.valid() || len(m.sts.ours) != 1 {
		return time.Time{}
	}
	const kind = "sts.record"
	id, err := policyID(m.sts.ours[0])
	if err != nil {
		return time.Time{}
	}
	digest := m.policy.policy.digest()
	f := c.server.Memory.See(kind, m.Name, id, digest)
	if f.Detail == digest {
		return time.Time{}
	}
	records, _, err := c.dns.LookupAuthoritative(ctx, m.sts.name+".", "TXT")
	if err != nil {
		return time.Time{}
	}
	for _, r := range records {
		switch now, err := policyID(r.Value); {
		case r.Type != "TXT" || err != nil:
		case now == id:
			return f.Since
		default:
			c.server.Memory.See(kind, m.Name, now, digest)
		}
	}
	return time.Time{}
}

// stsFindings judges the MTA-STS of a domain.
func (m mailDomain) stsFindings(now time.Time) []finding.Finding {
	record := m.finding("sts.record", m.sts.name)
	record.Expected = "v=STSv1; id=" + now.UTC().Format("20060102150405")
	remedy := finding.Record(m.sts.name + `. TXT "` + record.Expected + `"`)
	switch _, err := policyID(strings.Join(m.sts.ours[:min(1, len(m.sts.ours))], "")); {
	case m.sts.err != nil:
		record.Severity, record.Seen = finding.Unknown, clip(m.sts.err.Error())
		return []finding.Finding{record}
	case len(m.sts.ours) == 0 && !m.Receives:
		return nil
	case len(m.sts.ours) == 0:
		record.Severity, record.Seen = finding.Note, "there is none: senders cannot know that mail to here goes by TLS"
		return []finding.Finding{record}
	case len(m.sts.ours) > 1:
		record.Severity, record.Seen = finding.Problem, fmt.Sprintf("%d records, so that senders see none: %s", len(m.sts.ours), clip(strings.Join(m.sts.ours, " | ")))
		record.Remedy = finding.Text("leave one of them, as in:").Then(remedy)
		return []finding.Finding{record}
	case err != nil:
		record.Severity, record.Seen = finding.Problem, fmt.Sprintf("senders see none in %s: %v", clip(m.sts.ours[0]), err)
		record.Remedy = remedy
		return []finding.Finding{record}
	}
	record.Severity, record.Seen = finding.OK, clip(m.sts.ours[0])
	if !m.unannounced.IsZero() {
		record.Severity, record.Seen = finding.Problem, "the policy is another than on "+m.unannounced.Format(time.DateOnly)+", and the id is the same: "+record.Seen
		record.Why = "Senders that have the policy of before fetch the new one only when the id changes, or when max_age is over: until then they go by what is gone."
		record.Remedy = remedy
	}
	return append([]finding.Finding{record}, m.policyFindings()...)
}

func (m mailDomain) finding(id, subject string) finding.Finding {
	return finding.Finding{ID: id, Domain: m.Name, Subject: subject}
}

// policyFindings judges the policy of a domain, if its server may be asked.
func (m mailDomain) policyFindings() []finding.Finding {
	if !m.policy.asked {
		return nil
	}
	where := policyURL(m.Name)
	f := m.finding("sts.policy", where)
	f.Expected = "a policy, by HTTPS with a valid certificate, as text/plain and without a redirect"
	switch {
	case m.policy.unknown != nil:
		f.Severity, f.Seen = finding.Unknown, clip(m.policy.unknown.Error())
		return []finding.Finding{f}
	case m.policy.wrong != nil:
		f.Severity, f.Seen, f.Remedy = finding.Problem, clip(m.policy.wrong.Error()), m.policy.remedy
		return []finding.Finding{f}
	}
	f.Severity, f.Seen = finding.OK, fmt.Sprintf("mode %s, mx %s, max_age %d", m.policy.policy.Mode, clip(strings.Join(m.policy.policy.MX, " ")), m.policy.policy.MaxAge)
	all := []finding.Finding{f, m.mode()}
	if m.policy.policy.Mode == none {
		return all
	}
	all = append(all, m.covered()...)
	if m.policy.policy.Mode == enforce {
		all = append(all, m.age())
	}
	return all
}

func (m mailDomain) mode() finding.Finding {
	f := m.finding("sts.mode", policyURL(m.Name))
	f.Severity, f.Seen, f.Expected = finding.OK, "mode "+m.policy.policy.Mode, "mode enforce"
	switch m.policy.policy.Mode {
	case testing:
		f.Severity, f.Seen = finding.Note, "mode testing: senders report, and deliver without TLS all the same"
		f.Remedy = finding.Text("once reports show no failure: mode: enforce in the policy, and a new id in " + m.sts.name)
	case none:
		f.Severity, f.Seen = finding.Note, "mode none: there is no policy any more"
	}
	return f
}

func (m mailDomain) age() finding.Finding {
	f := m.finding("sts.age", policyURL(m.Name))
	f.Severity, f.Seen, f.Expected = finding.OK, fmt.Sprintf("max_age %d", m.policy.policy.MaxAge), "a week or more: 604800"
	if m.policy.policy.MaxAge < aWeek {
		f.Severity, f.Remedy = finding.Note, finding.Text("max_age: 604800 in the policy, and a new id in "+m.sts.name)
	}
	return f
}

// covered judges whether the policy names each MX, and nothing else.
func (m mailDomain) covered() []finding.Finding {
	p := m.policy.policy
	if m.mxErr != nil {
		f := m.finding("sts.mx", m.Name)
		f.Severity, f.Seen = finding.Unknown, clip(m.mxErr.Error())
		return []finding.Finding{f}
	}
	var list []finding.Finding
	for _, mx := range m.mx {
		f := m.finding("sts.mx", mx)
		f.Severity, f.Seen, f.Expected = finding.OK, "named by the policy", "mx: "+mx+" in the policy"
		if !p.Covers(mx) {
			f.Severity, f.Seen = finding.Note, "the policy does not name it; in mode enforce senders would not deliver to it"
			if p.Mode == enforce {
				f.Severity, f.Seen = finding.Problem, "the policy does not name it: senders do not deliver to it"
			}
			f.Remedy = finding.Text("mx: " + mx + " as a line of the policy at " + policyURL(m.Name) + ", and a new id in " + m.sts.name)
		}
		list = append(list, f)
	}
	for _, pattern := range p.MX {
		if !slices.ContainsFunc(m.mx, Policy{MX: []string{pattern}}.Covers) {
			f := m.finding("sts.mx", pattern)
			f.Severity, f.Seen = finding.Note, "the policy names it, and it is no MX of the domain"
			list = append(list, f)
		}
	}
	return list
}
