package transport

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"mailsetup/internal/check/finding"
)

// ReportAddresses returns where senders report about TLS (RFC 8460 section 3).
func ReportAddresses(record string) ([]string, error) {
	rest, found := strings.CutPrefix(record, "v=TLSRPTv1")
	if rest = strings.TrimLeft(rest, " \t"); !found || !strings.HasPrefix(rest, ";") {
		return nil, errors.New("it does not begin with v=TLSRPTv1;")
	}
	var list []string
	for _, f := range strings.Split(strings.TrimSuffix(strings.TrimRight(rest[1:], " \t"), ";"), ";") {
		f = strings.Trim(f, " \t")
		value, isRUA := strings.CutPrefix(f, "rua=")
		switch {
		case isRUA && list != nil:
			return nil, errors.New("it has two rua")
		case !isRUA && !stsField.MatchString(f):
			return nil, fmt.Errorf("%q is no field", clip(f))
		case !isRUA:
			continue
		}
		for _, uri := range strings.Split(value, ",") {
			uri = strings.Trim(uri, " \t")
			if err := reportAddress(uri); err != nil {
				return nil, err
			}
			list = append(list, uri)
		}
	}
	if list == nil {
		return nil, errors.New("it has no rua")
	}
	return list, nil
}

// reportAddress finds what is wrong with one URI.
func reportAddress(uri string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return fmt.Errorf("%q is no URI", clip(uri))
	case strings.EqualFold(u.Scheme, "https") && u.Hostname() != "":
		return nil
	case strings.EqualFold(u.Scheme, "mailto"):
		if user, domain, found := strings.Cut(u.Opaque, "@"); found && user != "" && isPlain(domain) {
			return nil
		}
		return fmt.Errorf("%q is no address", clip(uri))
	case strings.Contains(uri, "@"):
		return fmt.Errorf("%q lacks mailto: in front", clip(uri))
	}
	return fmt.Errorf("%q has neither mailto: nor https: in front", clip(uri))
}

// reportsTo returns where reports about the domain may go: where those about DMARC do.
// Without that init found nobody who reads them.
func (m mailDomain) reportsTo() string {
	switch d := m.Wanted; {
	case d == nil:
		return "mailto:postmaster@" + m.Name
	case len(d.DMARC.RUA) > 0:
		return d.DMARC.RUA[0]
	}
	return "mailto:ADDRESS"
}

// tlsrptFinding judges the TLS-RPT record of a domain.
func (m mailDomain) tlsrptFinding() []finding.Finding {
	f := m.finding("tlsrpt.record", m.tlsrpt.name)
	f.Expected = "v=TLSRPTv1; rua=" + m.reportsTo()
	remedy := finding.Record(m.tlsrpt.name + `. TXT "` + f.Expected + `"`)
	switch {
	case m.tlsrpt.err != nil:
		f.Severity, f.Seen = finding.Unknown, clip(m.tlsrpt.err.Error())
	case len(m.tlsrpt.ours) == 0 && !m.Receives:
		return nil
	case len(m.tlsrpt.ours) == 0:
		f.Severity, f.Seen, f.Remedy = finding.Note, "there is none: nobody reports where mail to here fails over TLS", remedy
	case len(m.tlsrpt.ours) > 1:
		f.Severity, f.Seen, f.Remedy = finding.Problem, fmt.Sprintf("%d records, so that senders see none: %s", len(m.tlsrpt.ours), clip(strings.Join(m.tlsrpt.ours, " | "))), finding.Text("leave one of them")
	default:
		f.Severity, f.Seen = finding.OK, clip(m.tlsrpt.ours[0])
		if _, err := ReportAddresses(m.tlsrpt.ours[0]); err != nil {
			f.Severity, f.Seen, f.Remedy = finding.Problem, fmt.Sprintf("senders see none in %s: %v", clip(m.tlsrpt.ours[0]), err), remedy
		}
	}
	return []finding.Finding{f}
}
