package adopt

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/policy"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
	"mailsetup/steps/signer"
	"mailsetup/steps/step"
)

// Additions says what a run does that takes the set-up over, beside keeping its
// signatures: whose mail gets signed that was not, and what DNS gets.
func (t *Setup) Additions(want spec.Spec, f state.Facts, keys keyring.Ledger) []state.Note {
	in := step.Input{Spec: want, Facts: f, Ledger: keys}
	var notes []state.Note
	add := func(format string, a ...any) {
		notes = append(notes, state.Note{Topic: "new", Informational: true, Text: fmt.Sprintf(format, a...)})
	}
	names := slices.DeleteFunc(signer.HostNames(in), t.signs)
	if _, signs := keys.Signing(want.Host.Domain); signs && len(names) > 0 {
		add("mail of @%s, as root, cron and bounces have it, gets signed, too, with the key of %s", strings.Join(names, " and @"), want.Host.Domain)
	}
	if p := f.Postfix; p != nil && !postconf.Has(p.Value["internal_mail_filter_classes"], "bounce") && want.Host.SignBounces != "no" {
		add("bounces that this server writes get signed (internal_mail_filter_classes = bounce)")
	}
	in.Facts = f.WithOurRecords()
	if list := lacking(in); len(list) > 0 {
		add("DNS gets the records that it does not have: %s", strings.Join(list, ", "))
	}
	return notes
}

// signs reports whether rows of the set-up sign all mail of a host name.
func (t *Setup) signs(host string) bool {
	return slices.ContainsFunc(t.Domains, func(d spec.Domain) bool {
		return slices.ContainsFunc(d.Senders(), func(of string) bool {
			return of == "*" || of == "*@*" || of == host || of[0] == '.' && strings.HasSuffix(host, of)
		})
	})
}

// lacking returns what the zones of this machine's BIND do not have of the records of
// the spec, but for keys.
func lacking(in step.Input) []string {
	var list []string
	for _, d := range in.Spec.Domains {
		if in.Spec.DNSOf(d) != spec.DNSBind {
			continue
		}
		for _, r := range records.Of(in, d) {
			zone, here := in.Facts.Zones.Closest(r.Name)
			there := func(x state.Record) bool {
				return dnsname.Same(x.Name, r.Name) && (x.Type == "CNAME" || records.Conflict(x, r))
			}
			if here && records.KindOf(d, r) != records.AboutKey && !slices.ContainsFunc(zone.Records, there) {
				list = append(list, kind(r)+" of "+strings.TrimPrefix(dnsname.TrimDot(r.Name), "_dmarc."))
			}
		}
	}
	return slices.Compact(list)
}

// kind names what a record is for.
func kind(r state.Record) string {
	switch {
	case r.Type == "TXT" && policy.IsSPF(r.Value):
		return "SPF"
	case r.Type == "TXT" && policy.IsDMARC(r.Value):
		return "DMARC"
	}
	return r.Type
}
