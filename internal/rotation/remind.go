package rotation

import (
	"context"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/steps/records"
)

// remindEvery is the shortest time after which the administrator is notified again
// about a waiting key.
const remindEvery = 24 * time.Hour

// reportWaiting reports the keys that wait for somebody, each at most once a day, and
// mails what the administrator has to do.
func (r *run) reportWaiting(ctx context.Context) error {
	r.report.Waiting = append(r.report.Waiting, r.waitingKeys()...)
	reminders := r.remindToRevoke(ctx)
	r.report.Reminders = reminders
	r.report.Notes = append(r.report.Notes, reminders...)
	waiting, notes := r.report.Waiting, r.report.Notes
	if len(waiting)+len(notes) == 0 {
		return nil
	}
	r.report.Attention = true
	waitingMail(waiting, plan.LimitPerTopic(notes, maxNotesPerTopic)).send(ctx, r)
	if len(waiting)+len(reminders) == 0 {
		return nil
	}
	return r.Store.SaveElapsed(r.elapsed)
}

// waitingKeys returns the keys that wait for somebody who was not notified today. A
// record that this run published itself is not reported yet, except in an emergency.
func (r *run) waitingKeys() []WaitingKey {
	var list []WaitingKey
	for _, domain := range sortedKeys(r.ledger) {
		d, known := findDomain(r.Spec, domain)
		k, ok := keyring.Successor(r.ledger[domain])
		seen := r.observed[domain][k.Selector]
		switch {
		case !known || !ok || k.Stage == keyring.Published || seen.Published || !r.includes(domain) || r.Tree:
			continue
		case !r.looked(domain) && !r.started[domain]:
			continue
		case r.started[domain] && !r.publishedByHand(d) && !r.Compromised:
			continue
		}
		switch told := r.notifiedToday(domain, k); {
		case told && !r.asksForStep():
			continue
		case !told:
			r.markNotified(domain, k)
		}
		list = append(list, r.waitingKey(d, k, seen.Problem))
	}
	return list
}

// remindToRevoke returns notes about records that somebody was asked to revoke by hand
// a day ago or longer, and that still have a compromised key.
func (r *run) remindToRevoke(ctx context.Context) []state.Note {
	var notes []state.Note
	dns := r.DNS()
	for _, domain := range sortedKeys(r.ledger) {
		d, known := findDomain(r.Spec, domain)
		if !known || !r.includes(domain) || r.Tree {
			continue
		}
		for _, k := range r.ledger[domain] {
			byHand := k.Adopted || r.publishedByHand(d)
			late := k.Stage == keyring.Revoked && k.Compromised && r.now.Sub(k.Since[keyring.Revoked]) >= remindEvery
			if !byHand || !late || r.notifiedToday(domain, k) || !isPublished(ctx, dns, d, k) {
				continue
			}
			r.markNotified(domain, k)
			notes = append(notes, records.RevocationNote(dnsname.Key(k.Selector, domain)))
		}
	}
	return notes
}
