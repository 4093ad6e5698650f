package main

import (
	"context"
	"slices"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

// remind tells of records that somebody was asked to revoke by hand, a day ago or
// longer, and that still hold a key which others may have. It reports whether
// there are any.
func (t *turning) remind(ctx context.Context) bool {
	s := t.s
	var notes []state.Note
	for _, domain := range sortedKeys(s.keys) {
		d, known := t.domain(domain)
		if !known || !t.about(domain) || s.o.root != "" {
			continue
		}
		for _, k := range s.keys[domain] {
			byHand := k.Adopted || t.old.DNSOf(d) == spec.DNSManual
			late := k.Stage == keyring.Revoked && k.Compromised && s.Now.Sub(k.Since[keyring.Revoked]) >= oneDay
			if byHand && late && s.stands(ctx, d, k) && !s.notifiedToday(domain, k) {
				s.markNotified(domain, k)
				notes = append(notes, steps.RevokeByHand(k.Selector+"._domainkey."+domain))
			}
		}
	}
	if s.o.json {
		s.left = append(s.left, notes...)
	} else {
		s.notes(notes)
	}
	return len(notes) > 0
}

// stands reports whether a name server has the record of a key.
func (s *session) stands(ctx context.Context, d spec.Domain, k keyring.Key) bool {
	v := dnscheck.Check(ctx, s.Resolver, dnscheck.Expected{
		Domain: d.Name, Records: []state.Record{keyRecord(d, k)}, Keys: map[string]string{k.Selector: k.Public},
	}, dnscheck.Result{})
	return slices.ContainsFunc(v.Servers, func(server dnscheck.ServerResult) bool {
		return slices.ContainsFunc(server.Records, func(r dnscheck.RecordResult) bool { return r.Fault == dnsclient.OK })
	})
}
