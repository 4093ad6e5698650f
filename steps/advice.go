package steps

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/recipients"
	"mailsetup/steps/records"
	"mailsetup/steps/step"
)

// Advice returns notes about what only the administrator can do, or should know:
// reverse DNS, reports, names that do not align.
func Advice(in step.Input) []state.Note {
	var notes []state.Note
	if in.Scope.WholeHost() {
		notes = records.AddressNotes(in)
		for i := range notes {
			notes[i].Doubt = true
		}
		notes = append(append(notes, reverseDNSNotes(in)...), noticeNotes(in)...)
	}
	notes = append(notes, postfix.ReceptionNotes(in)...)
	notes = append(notes, recipients.Notes(in)...)
	notes = append(notes, LifetimeWarnings(in.Spec, in.Scope.Includes)...)
	for d := range in.Scope.Domains(in.Spec) {
		notes = append(notes, reportNotes(in, d)...)
		notes = append(notes, otherSelector(in, d)...)
		if d.KeyBits < 2048 {
			notes = append(notes, state.Note{
				Topic: "key", Text: fmt.Sprintf("%s signs with %d bits: some receivers treat that as weak (RFC 8301)", d.Name, d.KeyBits),
				Action: fmt.Sprintf("key_bits = %d in %s; mailsetup rotate-dkim then brings a larger key", spec.DefaultKeyBits, spec.DomainFile(d.Name)),
			})
		}
	}
	return notes
}

// otherSelector tells whoever edited the selector of a domain that no key follows it: it
// is that of the first key, and never changes.
func otherSelector(in step.Input, d spec.Domain) []state.Note {
	keys := in.Ledger[d.Name]
	k, signs := in.Ledger.Signing(d.Name)
	if !signs || slices.ContainsFunc(keys, func(k keyring.Key) bool { return strings.EqualFold(k.Selector, d.Selector) }) {
		return nil
	}
	return []state.Note{{
		Topic: "selector", Text: fmt.Sprintf("%s signs with %s. The selector %q in %s is of no key that it ever had, and is not followed: that of a key never changes",
			d.Name, k.Selector, d.Selector, spec.DomainFile(d.Name)),
		Action: fmt.Sprintf("write back: selector = %q; mailsetup rotate-dkim --now %s brings another key, with a selector of its own", keys[0].Selector, d.Name),
	}}
}

// LifetimeWarnings warns of keys that get older than half a year before they are replaced,
// and of those that leave DNS while mail may still be in a queue.
func LifetimeWarnings(s spec.Spec, about func(domain string) bool) []state.Note {
	old, brief := map[time.Duration][]string{}, map[time.Duration][]string{}
	for _, d := range s.Domains {
		every, drain := s.RotationOf(d).Every, s.DrainOf(d)
		if about(d.Name) && (every > spec.HalfYear || every == spec.Never) {
			old[every] = append(old[every], d.Name)
		}
		if about(d.Name) && drain < spec.QueueLife {
			brief[drain] = append(brief[drain], d.Name)
		}
	}
	var notes []state.Note
	warn := func(key, standard string, all map[time.Duration][]string, why func(time.Duration) string) {
		for _, span := range slices.Sorted(maps.Keys(all)) {
			notes = append(notes, state.Note{
				Topic: "dkim", Text: fmt.Sprintf("the keys of %s %s (%s)", step.EnumerateUpTo(all[span], 3), why(span), key),
				Action: fmt.Sprintf("%s = %q in %s, or in the domain's own file", key, standard, spec.HostFile),
			})
		}
	}
	warn("rotate_every", spec.Span(spec.DefaultEvery), old, func(every time.Duration) string {
		if every == spec.Never {
			return "never get successors; six months are advised"
		}
		return "get successors after " + spec.Span(every) + "; six months are advised"
	})
	warn("drain", spec.Span(spec.DefaultDrain), brief, func(drain time.Duration) string {
		return "leave DNS after " + spec.Span(drain) + ", and mail may wait in queues for " + spec.Span(spec.QueueLife)
	})
	return notes
}

func reverseDNSNotes(in step.Input) []state.Note {
	var notes []state.Note
	host := in.Spec.Host.Hostname
	for _, a := range in.Spec.Host.Addresses {
		live := in.Facts.Live[a.String()]
		if len(live.PTR) == 1 && strings.EqualFold(dnsname.TrimDot(live.PTR[0]), host) {
			continue
		}
		notes = append(notes, state.Note{
			Topic: "ptr", Text: fmt.Sprintf("ask your hosting company for the PTR record of %s", a),
			Action: fmt.Sprintf("%s -> %s", a, host),
		})
	}
	return notes
}

// noticeNotes returns a note for those who publish records themselves and did not say
// whom to tell of a new one.
func noticeNotes(in step.Input) []state.Note {
	byHand := func(d spec.Domain) bool {
		return in.Spec.DNSOf(d) == spec.DNSManual && d.SignedBy == "" && in.Spec.RotationOf(d).Every != spec.Never
	}
	if in.Spec.Host.Notify != "" || !slices.ContainsFunc(in.Spec.Domains, byHand) {
		return nil
	}
	return []state.Note{{
		Topic: "notify", Text: "nobody is mailed when a key gets a successor, whose record is yours to publish",
		Action: "mailsetup init --notify " + recipients.SuggestReader(in),
	}}
}

func reportNotes(in step.Input, d spec.Domain) []state.Note {
	if len(d.DMARC.RUA) == 0 && records.HasReportAddress(in, d) {
		return nil
	}
	if len(d.DMARC.RUA) == 0 {
		return []state.Note{{
			Topic: "dmarc", Text: "nobody reads the DMARC reports of " + d.Name,
			Action: in.Init(d) + "--rua " + recipients.SuggestReader(in),
		}}
	}
	return records.MissingConsentNotes(in, d)
}
