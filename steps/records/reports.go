package records

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

func mailDomain(addr string) string {
	return strings.ToLower(addr[strings.LastIndexByte(addr, '@')+1:])
}

// reportConsent returns the record by which the domain of a report address consents
// to reports about another domain (RFC 9990).
func reportConsent(d spec.Domain, to string) state.Record {
	return state.Record{Name: dnsname.ReportConsent(d.Name, to) + ".", Type: "TXT", TTL: d.TTL, Value: "v=DMARC1"}
}

// ConsentsHere reports whether zones of this machine consent to reports about a domain.
// A domain that is published elsewhere needs that as well, but a host whose records are
// printed asked for its zones to be left alone.
func ConsentsHere(in step.Input, d spec.Domain) bool {
	return in.Spec.DNSOf(d) == spec.DNSBind || in.Spec.Host.DNS == spec.DNSBind && OtherNameServer(in) == nil
}

// ReportConsents returns the records of consent that zones of this machine publish.
func ReportConsents(in step.Input, d spec.Domain) []state.Record {
	if !ConsentsHere(in, d) {
		return nil
	}
	return PossibleReportConsents(in, d)
}

// PossibleReportConsents returns the consents that zones of this machine could publish.
func PossibleReportConsents(in step.Input, d spec.Domain) []state.Record {
	if in.KeysOnly {
		return nil
	}
	var rrs []state.Record
	for _, to := range ReportDomains(d) {
		r := reportConsent(d, to)
		zone, ok := in.Facts.Zones.Closest(r.Name)
		_, alias := AliasAt(zone, r.Name) // what stands behind it consents, or not
		if ok && zone.Problem == "" && !alias && !consentsToAll(zone.Records, to) {
			rrs = append(rrs, r)
		}
	}
	return rrs
}

// consentsToAll reports whether the records consent to reports about every domain.
func consentsToAll(there []state.Record, to string) bool {
	return slices.ContainsFunc(there, func(r state.Record) bool {
		return r.Type == "TXT" && dnsname.Same(r.Name, dnsname.ReportConsent("*", to)+".") && policy.IsDMARC(r.Value)
	})
}

// ReportDomains returns the domains of a domain's report addresses whose consent
// receivers look up: those neither above nor below it.
func ReportDomains(d spec.Domain) []string {
	var names []string
	for _, uri := range slices.Concat(d.DMARC.RUA, d.DMARC.RUF) {
		to := mailDomain(uri)
		if strings.HasPrefix(uri, "mailto:") && !dnsname.Within(to, d.Name) && !dnsname.Within(d.Name, to) && !slices.Contains(names, to) {
			names = append(names, to)
		}
	}
	return names
}

// ReportConsentNames returns the names at which others consent to reports about the
// domain.
func ReportConsentNames(d spec.Domain) []string {
	var names []string
	for _, to := range ReportDomains(d) {
		names = append(names, dnsname.TrimDot(reportConsent(d, to).Name))
	}
	return names
}

// MissingConsentNotes returns notes about report addresses whose domain does not consent, as far
// as DNS and the zones of this machine know.
func MissingConsentNotes(in step.Input, d spec.Domain) []state.Note {
	given := ReportConsents(in, d)
	var notes []state.Note
	for _, to := range ReportDomains(d) {
		r := reportConsent(d, to)
		zone, here := in.Facts.Zones.Closest(r.Name)
		if slices.Contains(given, r) || consentsToAll(zone.Records, to) || slices.ContainsFunc(in.Facts.Live[dnsname.TrimDot(r.Name)].TXT, policy.IsDMARC) {
			continue
		}
		text := fmt.Sprintf("reports to %s need its consent in DNS (RFC 9990)", to)
		if here && zone.Problem != "" && ConsentsHere(in, d) {
			text += "; " + zone.Trouble()
		}
		notes = append(notes, state.Note{Topic: "dmarc", Text: text, Action: fmt.Sprintf("%s TXT \"v=DMARC1\"", r.Name)})
	}
	return notes
}
