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
	// Signing are the IDs of the records of keys that sign, or that signed mail
	// which is still under way: without them mail fails. The other records are
	// watched once they were seen to be there.
	Signing []string
	// LostFiles are files of ours from which the records come and that are gone, though
	// the name server may not have noticed yet.
	LostFiles []state.Path
	Last      keyring.LastCheck

	compared bool // what stands in place of our policies was looked at in this tick
}

// ID names a record: owner and type, and the value of an address, of which a
// name may have several.
func ID(r state.Record) string {
	id := dnsname.TrimDot(r.Name) + " " + r.Type
	if r.Type == "A" || r.Type == "AAAA" {
		id += " " + r.Value
	}
	return id
}

// expected is what to look for: our records, but for those in whose place something
// of the administrator's was judged right.
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

// answers is what the servers in charge of a record have.
type answers struct {
	right, wrong, silent int
	first                dnscheck.RecordResult // that is not right
	wrongAt              []string              // the servers that have it wrong
}

// answersFor gathers what all servers of a view say about a record.
func answersFor(v dnscheck.Result, r state.Record) answers {
	var s answers
	for _, server := range v.Servers {
		if server.ServerProblem.Fault != dnsclient.OK {
			// One that said nothing might have had it, or not.
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

// isGone reports whether all servers in charge answered with authority, and none of
// them has the record. What an alias leads to a resolver said, who remembers.
func (s answers) isGone() bool {
	return s.wrong > 0 && s.right == 0 && s.silent == 0 && s.first.Fault != dnscheck.Alias
}

// absenceFaults are the faults of a record in whose place nothing stands.
var absenceFaults = []dnsclient.Fault{dnscheck.Missing, dnscheck.Misplaced, dnscheck.DomainAppended, dnscheck.OldCopy}

// maybeAdminRecord reports whether what stands in the place of a record may be right all
// the same: a policy of the administrator's own.
func (d Domain) maybeAdminRecord(r state.Record, s answers) bool {
	return s.wrong > 0 && !dnsname.IsKey(r.Name) && !slices.Contains(absenceFaults, s.first.Fault)
}

// evaluate says what is not as it should be in a view, after earlier looks. What is
// unclear stays as it was.
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

func servers(s answers) string {
	if n := len(s.wrongAt); n > 2 && s.right+s.silent == 0 {
		return fmt.Sprintf("all %d name servers", n)
	}
	return strings.Join(s.wrongAt, ", ")
}

// keepSince is a problem that an earlier look may have found as well.
func keepSince(was, is keyring.Problem) keyring.Problem {
	if !was.Since.IsZero() && !was.Since.After(is.Since) {
		is.Since = was.Since
	}
	return is
}

// week is how often at most a record is put back, and a person is told again of
// what stays the same.
const week = 7 * 24 * time.Hour

// needsNotice reports whether a person has to be told of a problem: once, when it
// becomes another one or comes again (once a day at most, since it may come and
// go), and after a week.
func needsNotice(p keyring.Problem, told keyring.Notification, now time.Time) bool {
	switch {
	case !p.Reportable(now):
		return false
	case p.Fault != told.Fault:
		return !keyring.Recently(told.At, now, 24*time.Hour)
	}
	return !keyring.Recently(told.At, now, week)
}

// notify reports whether a person has to be told of something, and takes note that
// all of it is told.
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

// GoneIDs are the IDs of the records that no name server has any more, and of files
// of ours that are gone.
func GoneIDs(w keyring.Watch) []string {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(w.Problems)) {
		if w.Problems[id].Gone {
			ids = append(ids, id)
		}
	}
	return ids
}

// restorable reports whether no record that is gone was put back within a week.
func restorable(w keyring.Watch, now time.Time) bool {
	ids := GoneIDs(w)
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return keyring.Recently(w.Restored[id], now, week) })
}

// markRestored takes note that the records which are gone are put back now.
func markRestored(w keyring.Watch, now time.Time) keyring.Watch {
	restored := map[string]time.Time{}
	maps.Copy(restored, w.Restored)
	for _, id := range GoneIDs(w) {
		restored[id] = now
	}
	w.Restored = restored
	return w
}
