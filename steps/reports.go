package steps

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/policy"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// authorisation is the record by which the domain of a report address consents
// to reports about another domain (RFC 9990).
func authorisation(d spec.Domain, to string) state.Record {
	return state.Record{Name: dnsname.ReportConsent(d.Name, to) + ".", Type: "TXT", TTL: d.TTL, Value: "v=DMARC1"}
}

// consents reports whether zones of this machine consent to reports about a
// domain. One that is published elsewhere needs that as well, but a host whose
// records are printed asked for its zones to be left alone.
func consents(in Input, d spec.Domain) bool {
	return in.Spec.DNSOf(d) == spec.DNSBind || in.Spec.Host.DNS == spec.DNSBind && another(in) == nil
}

// authorisations are those that zones of this machine give.
func authorisations(in Input, d spec.Domain) []state.Record {
	if !consents(in, d) {
		return nil
	}
	return authorisable(in, d)
}

// authorisable are those that zones of this machine could give.
func authorisable(in Input, d spec.Domain) []state.Record {
	if in.KeysOnly {
		return nil
	}
	var rrs []state.Record
	for _, to := range reportedTo(d) {
		r := authorisation(d, to)
		zone, ok := closest(in.Facts.Zones, r.Name)
		_, alias := (&part{zone: zone}).alias(r.Name) // what stands behind it consents, or not
		if ok && zone.Problem == "" && !alias && !authorisesAll(zone.Records, to) {
			rrs = append(rrs, r)
		}
	}
	return rrs
}

// authorisesAll reports whether the records consent to reports about everybody.
func authorisesAll(there []state.Record, to string) bool {
	return slices.ContainsFunc(there, func(r state.Record) bool {
		return r.Type == "TXT" && sameName(r.Name, dnsname.ReportConsent("*", to)+".") && policy.IsDMARC(r.Value)
	})
}

// reportedTo are the domains of a domain's report addresses whose consent
// receivers look for: those neither above nor below it.
func reportedTo(d spec.Domain) []string {
	var names []string
	for _, uri := range slices.Concat(d.DMARC.RUA, d.DMARC.RUF) {
		to := mailDomain(uri)
		if strings.HasPrefix(uri, "mailto:") && !within(to, d.Name) && !within(d.Name, to) && !slices.Contains(names, to) {
			names = append(names, to)
		}
	}
	return names
}

// Authorisations are the names at which others consent to reports about the
// domain.
func Authorisations(d spec.Domain) []string {
	var names []string
	for _, to := range reportedTo(d) {
		names = append(names, noDot(authorisation(d, to).Name))
	}
	return names
}

// unauthorised tells of report addresses whose domain does not consent, as far
// as DNS and the zones of this machine know.
func unauthorised(in Input, d spec.Domain) []state.Note {
	given := authorisations(in, d)
	var notes []state.Note
	for _, to := range reportedTo(d) {
		r := authorisation(d, to)
		zone, here := closest(in.Facts.Zones, r.Name)
		if slices.Contains(given, r) || authorisesAll(zone.Records, to) || slices.ContainsFunc(in.Facts.Live[noDot(r.Name)].TXT, policy.IsDMARC) {
			continue
		}
		text := fmt.Sprintf("reports to %s need its consent in DNS (RFC 9990)", to)
		if here && zone.Problem != "" && consents(in, d) {
			text += fmt.Sprintf("; zone %s: %s", noDot(zone.Origin), zone.Problem)
		}
		notes = append(notes, state.Note{Topic: "dmarc", Text: text, Do: fmt.Sprintf("%s TXT \"v=DMARC1\"", r.Name)})
	}
	return notes
}
