// Package year judges a year of a mail server that a test lived through, and draws it:
// whether mail verified with every answer that a resolver may have had.
package year

import (
	"cmp"
	"slices"
	"time"
)

// Answer is what a name server says of the record of a key, "" for none, and how long
// a resolver may remember that.
type Answer struct {
	Text string
	TTL  time.Duration
}

// span is the time in which a server gave an answer; without an end as long as open.
type span struct {
	Answer
	first, last time.Duration
	open        bool
}

// Key is what name servers said of a key, and when it signed. Times are since the
// beginning of the year.
type Key struct {
	Signs    bool          // it signed, since From
	From     time.Duration // of its first signature at the earliest
	Ended    bool          // it signs no more, since Until
	Until    time.Duration // of its last signature at the latest
	Drain    time.Duration // how long a message may be under way
	Verifies func(text string) bool

	servers [][]span
}

// NewKey returns a key of which servers had no record up to now, and said so with a TTL.
func NewKey(servers int, negative, now time.Duration) *Key {
	k := &Key{servers: make([][]span, servers)}
	for i := range k.servers {
		k.servers[i] = []span{{Answer: Answer{TTL: negative}, first: now - negative, open: true}}
	}
	return k
}

// resolution is how close two looks are while a run of the program goes on, which looks
// between them, and has the signer take another key between them.
const resolution = 10 * time.Second

// Observe notes what a server says at a time, nil for no answer. Another answer than
// before may have been given at any time since the last look, and the old one up to
// now: both count. Between two looks during a run the old one counts up to the first:
// the run may have seen it go, and no TTL is as short as that.
func (k *Key) Observe(server int, since, at time.Duration, a *Answer) {
	list := k.servers[server]
	if n := len(list) - 1; n >= 0 && list[n].open {
		if a != nil && list[n].Answer == *a {
			return
		}
		list[n].last, list[n].open = at, false
		if at-since < resolution {
			list[n].last = max(since, list[n].first)
		}
	}
	if a != nil {
		k.servers[server] = append(list, span{Answer: *a, first: since, open: true})
	}
}

// Says returns what a server said last, false while it does not answer.
func (k *Key) Says(server int) (Answer, bool) {
	list := k.servers[server]
	if n := len(list) - 1; n >= 0 && list[n].open {
		return list[n].Answer, true
	}
	return Answer{}, false
}

// Obtainable returns the answers that a resolver may have at a time: those that a server
// gives, or gave no longer ago than their TTL.
func (k *Key) Obtainable(now time.Duration) []Answer {
	var all []Answer
	for _, list := range k.servers {
		for _, s := range list {
			if s.open || s.last+s.TTL > now {
				all = append(all, s.Answer)
			}
		}
	}
	return all
}

// Interval is a time from one moment to another.
type Interval struct{ From, To time.Duration }

// Gap returns the longest time in which a message that the key signed would not have
// verified on arrival with some answer that a resolver may have had.
func (k *Key) Gap(now time.Duration) Interval {
	if !k.Signs {
		return Interval{}
	}
	until := now
	if k.Ended {
		until = k.Until - resolution + k.Drain
	}
	var bad []Interval
	for _, list := range k.servers {
		for _, s := range list {
			end := s.last
			if s.open {
				end = now
			}
			i := Interval{max(s.first, k.From), min(end+s.TTL, until)}
			if i.From < i.To && !k.Verifies(s.Text) {
				bad = append(bad, i)
			}
		}
	}
	return longest(bad)
}

// longest returns the longest of intervals, those that overlap taken together.
func longest(list []Interval) (most Interval) {
	slices.SortFunc(list, func(a, b Interval) int { return cmp.Compare(a.From, b.From) })
	var all Interval
	for i, next := range list {
		if i > 0 && next.From <= all.To {
			all.To = max(all.To, next.To)
		} else {
			all = next
		}
		if all.To-all.From > most.To-most.From {
			most = all
		}
	}
	return most
}
