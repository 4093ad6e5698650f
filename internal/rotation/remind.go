package rotation

import (
	"context"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
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
		list = append(list, r.waitingKey(d, k, seen.Problem, seen.Alias))
	}
	return list
}

// remindToRevoke returns notes about records that somebody was asked to revoke by hand
// a day ago or longer, and that still have a compromised key.
func (r *run) remindToRevoke(ctx context.Context) []state.Note {
	type revoked struct {
		domain spec.Domain
		key    keyring.Key
	}
	var late []revoked
	for _, domain := range sortedKeys(r.ledger) {
		d, known := findDomain(r.Spec, domain)
		if !known || !r.includes(domain) || r.Tree {
			continue
		}
		for _, k := range r.ledger[domain] {
			byHand := k.SlotZone == "" && (k.Adopted || r.publishedByHand(d))
			isLate := k.Stage == keyring.Revoked && k.Compromised && r.now.Sub(k.Since[keyring.Revoked]) >= remindEvery
			if byHand && isLate && !r.notifiedToday(domain, k) {
				late = append(late, revoked{d, k})
			}
		}
	}
	within, cancel := context.WithDeadline(ctx, r.until.Time)
	defer cancel()
	dns, published := r.DNS(), make([]bool, len(late))
	_ = parallel.Do(len(late), dnsConcurrency, func(i int) error {
		published[i] = within.Err() == nil && isPublished(within, dns, late[i].domain, late[i].key)
		return nil
	})
	var notes []state.Note
	for i, l := range late {
		if published[i] {
			r.markNotified(l.domain.Name, l.key)
			notes = append(notes, records.RevocationNote(dnsname.Key(l.key.Selector, l.domain.Name)))
		}
	}
	return notes
}
