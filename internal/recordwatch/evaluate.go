package recordwatch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/keyring"
	"mailsetup/internal/state"
)

// Domain is what is expected of the name servers of one domain.
type Domain struct {
	dnscheck.Expected
	// Signing has the IDs of the key records that receivers need: of keys that sign, or
	// that signed mail which is still in a queue. A missing one is a problem at once;
	// any other record becomes one only after all servers were seen to have it.
	Signing []string
	// LostFiles are fragments of ours that were deleted. The name server goes on
	// serving their records until it reads the zone again.
	LostFiles []state.Path
	Last      keyring.LastCheck

	compared bool // in this tick: the administrator's records with Tick.ExpectedRecords
}

// ID names a record by owner and type, and an address also by its value, since a name
// may have several.
func ID(r state.Record) string {
	id := dnsname.TrimDot(r.Name) + " " + r.Type
	if r.Type == "A" || r.Type == "AAAA" {
		id += " " + r.Value
	}
	return id
}

// expected returns the records to look for: ours, but for those that the administrator
// replaced by a record of their own which an earlier tick found to be right.
func (d Domain) expected() dnscheck.Expected {
	w := d.Expected
	w.Records = nil
	for _, r := range d.Records {
		if own, ok := d.Last.Watch.AdminRecords[ID(r)]; ok && own != "" {
			r.Value = own
		} else if ok {
			continue
		}
		w.Records = append(w.Records, r)
	}
	return w
}

// answers is what the authoritative servers of a record say about it.
type answers struct {
	right, wrong, silent int
	first                dnscheck.RecordResult // the first one that is wrong
	wrongAt              []string              // servers
}

// answersFor gathers the answers of all servers in a check about a record.
func answersFor(v dnscheck.Result, r state.Record) answers {
	var s answers
	for _, server := range v.Servers {
		if server.ServerProblem.Fault != dnsclient.OK {
			// It may have the record or not.
			if server.ServerProblem.Fault != dnsclient.NotAsked && strings.HasSuffix("."+r.Name, "."+server.Zone) {
				s.silent++
			}
			continue
		}
		for _, is := range server.Records {
			switch {
			case ID(is.Record) != ID(r):
			case is.Fault == dnsclient.OK:
				s.right++
			default:
				if s.wrong++; s.wrong == 1 {
					s.first = is
				}
				s.wrongAt = append(s.wrongAt, server.String())
			}
		}
	}
	return s
}

// isGone reports whether all authoritative servers answered, and none of them has the
// record. Records behind an alias do not count: a resolver was asked for them, and may
// have answered from its cache.
func (s answers) isGone() bool {
	return s.wrong > 0 && s.right == 0 && s.silent == 0 && s.first.Fault != dnscheck.Alias
}

// absenceFaults are the faults of a record that is missing, and that no other record
// replaces.
var absenceFaults = []dnsclient.Fault{dnscheck.Missing, dnscheck.Misplaced, dnscheck.DomainAppended, dnscheck.OldCopy}

// maybeAdminRecord reports whether the servers have another record instead of ours that
// may be right: an SPF or DMARC record of the administrator's.
func (d Domain) maybeAdminRecord(r state.Record, s answers) bool {
	return s.wrong > 0 && !dnsname.IsKey(r.Name) && !slices.Contains(absenceFaults, s.first.Fault)
}

// evaluate compares a check with the expected records and returns the problems, with
// the time since which each has lasted. A record that may be the administrator's own
// stays as the last tick judged it.
func (d Domain) evaluate(v dnscheck.Result, now time.Time) keyring.Watch {
	before := d.Last.Watch
	w := keyring.Watch{AdminRecords: before.AdminRecords, Notified: before.Notified, Restored: before.Restored, Problems: map[string]keyring.Problem{}}
	stood := map[string]bool{}
	for _, id := range before.SeenComplete {
		stood[id] = true
	}
	for _, r := range d.expected().Records {
		id, s := ID(r), answersFor(v, r)
		was, known := before.Problems[id]
		switch {
		case s.wrong == 0 && s.silent == 0 && s.right > 0:
			stood[id] = true
		case !d.compared && d.maybeAdminRecord(r, s):
			if known {
				w.Problems[id] = was
			}
		case s.wrong > 0 && (stood[id] && !dnsname.IsKey(r.Name) || slices.Contains(d.Signing, id)):
			w.Problems[id] = keepSince(was, keyring.Problem{
				Since: now, Fault: string(s.first.Fault), Gone: s.isGone(), Remedy: s.first.Remedy,
				Text: s.first.Text + " at " + servers(s),
			})
		}
	}
	for _, file := range d.LostFiles {
		id := "file " + string(file)
		w.Problems[id] = keepSince(before.Problems[id], keyring.Problem{
			Since: now, Fault: "no file", Gone: true, Text: "is gone: the name server will refuse the zone when it starts again",
		})
	}
	for _, l := range v.NoServer {
		id := "name servers of " + d.Domain
		w.Problems[id] = keepSince(before.Problems[id], keyring.Problem{Since: now, Fault: string(l.Fault), Text: l.Text, Remedy: l.Remedy})
	}
	for _, server := range v.Servers {
		if server.ServerProblem.Fault != dnsclient.OK && server.ServerProblem.Fault != dnsclient.NotAsked {
			id := server.String()
			w.Problems[id] = keepSince(before.Problems[id], keyring.Problem{
				Since: now, Fault: string(server.ServerProblem.Fault), Text: server.ServerProblem.Text, Remedy: server.ServerProblem.Remedy,
			})
		}
	}
	w.SeenComplete = slices.Sorted(maps.Keys(stood))
	return w
}

// servers names the servers that have a record wrong.
func servers(s answers) string {
	if n := len(s.wrongAt); n > 2 && s.right+s.silent == 0 {
		return fmt.Sprintf("all %d name servers", n)
	}
	return strings.Join(s.wrongAt, ", ")
}

// keepSince returns a problem with the time at which an earlier tick first found it.
func keepSince(was, is keyring.Problem) keyring.Problem {
	if !was.Since.IsZero() && !was.Since.After(is.Since) {
		is.Since = was.Since
	}
	return is
}

// week is the shortest time after which a record is restored again, and after which a
// person is notified again of an unchanged problem.
const week = 7 * 24 * time.Hour

// needsNotice reports whether a person has to be notified of a problem: when its fault
// is new, once a day at most, since faults may come and go; and again after a week.
func needsNotice(p keyring.Problem, told keyring.Notification, now time.Time) bool {
	switch {
	case !p.Reportable(now):
		return false
	case p.Fault != told.Fault:
		return !keyring.Recently(told.At, now, 24*time.Hour)
	}
	return !keyring.Recently(told.At, now, week)
}

// notify reports whether a person has to be notified of any problem of a domain. If so,
// it records all of them as notified.
func notify(w *keyring.Watch, now time.Time) bool {
	all := map[string]keyring.Notification{}
	for id, t := range w.Notified {
		if _, still := w.Problems[id]; !still {
			t.Fault = ""
		}
		if t.Fault != "" || keyring.Recently(t.At, now, 24*time.Hour) {
			all[id] = t
		}
	}
	due := false
	for id, p := range w.Problems {
		due = due || needsNotice(p, all[id], now)
	}
	for id, p := range w.Problems {
		if due && p.Reportable(now) {
			all[id] = keyring.Notification{At: now, Fault: p.Fault}
		}
	}
	w.Notified = all
	return due
}

// GoneIDs returns the IDs of the records that no name server has any more, and of
// deleted fragments, sorted.
func GoneIDs(w keyring.Watch) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(w.Problems)) {
		if w.Problems[id].Gone {
			ids = append(ids, id)
		}
	}
	return ids
}

// restorable reports whether records are gone and none of them was restored within a
// week.
func restorable(w keyring.Watch, now time.Time) bool {
	ids := GoneIDs(w)
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return keyring.Recently(w.Restored[id], now, week) })
}

// markRestored records the present as the time at which the records that are gone are
// restored.
func markRestored(w keyring.Watch, now time.Time) keyring.Watch {
	restored := map[string]time.Time{}
	maps.Copy(restored, w.Restored)
	for _, id := range GoneIDs(w) {
		restored[id] = now
	}
	w.Restored = restored
	return w
}
