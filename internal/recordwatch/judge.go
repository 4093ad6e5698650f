package recordwatch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
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
	// Lost are files of ours from which the records come and that are gone, though
	// the name server may not have noticed yet.
	Lost   []state.Path
	Before keyring.Checked

	judged bool // what stands in place of our policies was looked at in this tick
}

// ID names a record: owner and type, and the value of an address, of which a
// name may have several.
func ID(r state.Record) string {
	id := strings.TrimSuffix(r.Name, ".") + " " + r.Type
	if r.Type == "A" || r.Type == "AAAA" {
		id += " " + r.Value
	}
	return id
}

// wanted is what to look for: our records, but for those in whose place something
// of the administrator's was judged right.
func (d Domain) wanted() dnscheck.Expected {
	w := d.Expected
	w.Records = nil
	for _, r := range d.Records {
		if own, ok := d.Before.Watch.Own[ID(r)]; ok && own != "" {
			r.Value = own
		} else if ok {
			continue
		}
		w.Records = append(w.Records, r)
	}
	return w
}

// seen is what the servers in charge of a record have.
type seen struct {
	right, wrong, silent int
	first                dnscheck.RecordResult // that is not right
	at                   []string              // the servers that have it wrong
}

// sightOf gathers what all servers of a view say about a record.
func sightOf(v dnscheck.Result, r state.Record) seen {
	var s seen
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
				s.at = append(s.at, server.String())
			}
		}
	}
	return s
}

// gone reports whether all servers in charge answered with authority, and none of
// them has the record. What an alias leads to a resolver said, who remembers.
func (s seen) gone() bool {
	return s.wrong > 0 && s.right == 0 && s.silent == 0 && s.first.Fault != dnscheck.Alias
}

// absent are the faults of a record in whose place nothing stands.
var absent = []dnsclient.Fault{dnscheck.Missing, dnscheck.Misplaced, dnscheck.DomainAppended, dnscheck.OldCopy}

// unclear reports whether what stands in the place of a record may be right all
// the same: a policy of the administrator's own.
func (d Domain) unclear(r state.Record, s seen) bool {
	return s.wrong > 0 && !isKey(r) && !slices.Contains(absent, s.first.Fault)
}

func isKey(r state.Record) bool { return strings.Contains(r.Name, "._domainkey.") }

// judge says what is not as it should be in a view, after earlier looks. What is
// unclear stays as it was.
func (d Domain) judge(v dnscheck.Result, now time.Time) keyring.Watch {
	before := d.Before.Watch
	w := keyring.Watch{Own: before.Own, Told: before.Told, Restored: before.Restored, Problems: map[string]keyring.Problem{}}
	stood := map[string]bool{}
	for _, id := range before.Stood {
		stood[id] = true
	}
	for _, r := range d.wanted().Records {
		id, s := ID(r), sightOf(v, r)
		was, known := before.Problems[id]
		switch {
		case s.wrong == 0 && s.silent == 0 && s.right > 0:
			stood[id] = true
		case !d.judged && d.unclear(r, s):
			if known {
				w.Problems[id] = was
			}
		case s.wrong > 0 && (stood[id] && !isKey(r) || slices.Contains(d.Signing, id)):
			w.Problems[id] = after(was, keyring.Problem{
				Since: now, Fault: string(s.first.Fault), Gone: s.gone(), Remedy: s.first.Remedy,
				Text: s.first.Text + " at " + servers(s),
			})
		}
	}
	for _, file := range d.Lost {
		id := "file " + string(file)
		w.Problems[id] = after(before.Problems[id], keyring.Problem{
			Since: now, Fault: "no file", Gone: true, Text: "is gone: the name server will refuse the zone when it starts again",
		})
	}
	for _, l := range v.NoServer {
		id := "name servers of " + d.Domain
		w.Problems[id] = after(before.Problems[id], keyring.Problem{Since: now, Fault: string(l.Fault), Text: l.Text, Remedy: l.Remedy})
	}
	for _, server := range v.Servers {
		if server.ServerProblem.Fault != dnsclient.OK && server.ServerProblem.Fault != dnsclient.NotAsked {
			id := server.String()
			w.Problems[id] = after(before.Problems[id], keyring.Problem{
				Since: now, Fault: string(server.ServerProblem.Fault), Text: server.ServerProblem.Text, Remedy: server.ServerProblem.Remedy,
			})
		}
	}
	w.Stood = slices.Sorted(maps.Keys(stood))
	return w
}

func servers(s seen) string {
	if n := len(s.at); n > 2 && s.right+s.silent == 0 {
		return fmt.Sprintf("all %d name servers", n)
	}
	return strings.Join(s.at, ", ")
}

// after is a problem that an earlier look may have found as well.
func after(was, is keyring.Problem) keyring.Problem {
	if !was.Since.IsZero() && !was.Since.After(is.Since) {
		is.Since = was.Since
	}
	return is
}

// week is how often at most a record is put back, and a person is told again of
// what stays the same.
const week = 7 * 24 * time.Hour

// recently reports whether a time is less than d ago: one in the future is of a
// clock that went wrong.
func recently(at, now time.Time, d time.Duration) bool {
	return !at.IsZero() && !at.After(now) && now.Sub(at) < d
}

// untold reports whether a person has to be told of a problem: once, when it
// becomes another one or comes again (once a day at most, since it may come and
// go), and after a week.
func untold(p keyring.Problem, told keyring.Told, now time.Time) bool {
	switch {
	case !p.Counts(now):
		return false
	case p.Fault != told.Fault:
		return !recently(told.At, now, 24*time.Hour)
	}
	return !recently(told.At, now, week)
}

// tell reports whether a person has to be told of something, and takes note that
// all of it is told.
func tell(w *keyring.Watch, now time.Time) bool {
	all := map[string]keyring.Told{}
	for id, t := range w.Told {
		if _, still := w.Problems[id]; !still {
			t.Fault = ""
		}
		if t.Fault != "" || recently(t.At, now, 24*time.Hour) {
			all[id] = t
		}
	}
	due := false
	for id, p := range w.Problems {
		due = due || untold(p, all[id], now)
	}
	for id, p := range w.Problems {
		if due && p.Counts(now) {
			all[id] = keyring.Told{At: now, Fault: p.Fault}
		}
	}
	w.Told = all
	return due
}

// Gone are the IDs of the records that no name server has any more, and of files
// of ours that are gone.
func Gone(w keyring.Watch) []string {
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
	ids := Gone(w)
	return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return recently(w.Restored[id], now, week) })
}

// restoring takes note that the records which are gone are put back now.
func restoring(w keyring.Watch, now time.Time) keyring.Watch {
	restored := map[string]time.Time{}
	maps.Copy(restored, w.Restored)
	for _, id := range Gone(w) {
		restored[id] = now
	}
	w.Restored = restored
	return w
}
