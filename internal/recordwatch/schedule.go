// Package recordwatch notices that published records are gone or changed. Every
// tick of rotate-dkim looks at some domains, so that each has its turn within a
// day; what the looks found decides what is put back and what people are told.
package recordwatch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"mailsetup/internal/state"
)

// MinPerTick domains are looked at in every tick, and as many in any case.
const MinPerTick = 20

const (
	// cycle is the time in which every domain has its turn. It is less than a day
	// since ticks may come late (RandomizedDelaySec of the timer).
	cycle = 22 * time.Hour
	// defaultInterval and longest bound the time since the last tick that counts: a machine
	// that was off does not make up for it in one tick.
	defaultInterval, maxInterval = time.Hour, 90 * time.Minute
)

// Schedule is when the records of each domain were last looked at.
type Schedule struct {
	Last      time.Time            // the last tick that looked
	CheckedAt map[string]time.Time // by domain
	Faulty    map[string]bool      // domains of which something was not right then
}

// Due are the domains whose turn it is: all of few, and of many those that were
// not looked at for longest, in the order of a hash of the name where that is
// the same. Domains of which something was not right come first, as many as are
// looked at in any case.
func (s Schedule) Due(domains []string, now time.Time) []string {
	type turn struct {
		domain string
		looked int64
		hash   uint64
	}
	turns := make([]turn, 0, len(domains))
	for _, d := range domains {
		turns = append(turns, turn{d, s.lastCheck(d, now).Unix(), hash(d)})
	}
	slices.SortFunc(turns, func(a, b turn) int {
		return cmp.Or(cmp.Compare(a.looked, b.looked), cmp.Compare(a.hash, b.hash), cmp.Compare(a.domain, b.domain))
	})
	quota := s.quota(len(turns), now)
	var due, others []string
	for _, t := range turns {
		if s.Faulty[t.domain] && len(due) < MinPerTick {
			due = append(due, t.domain)
		} else {
			others = append(others, t.domain)
		}
	}
	return append(due, others[:min(len(others), quota)]...)
}

// quota is how many of n domains have their turn: a part of them as large as the
// time since the last tick is of a cycle.
func (s Schedule) quota(n int, now time.Time) int {
	elapsed := now.Sub(s.Last)
	if s.Last.IsZero() || elapsed < 0 {
		elapsed = defaultInterval
	}
	part := float64(min(elapsed, maxInterval)) / float64(cycle)
	return max(MinPerTick, int(part*float64(n)+1))
}

// lastCheck is when a domain was last looked at. A time in the future is of a clock
// that went wrong, and none.
func (s Schedule) lastCheck(domain string, now time.Time) time.Time {
	if at := s.CheckedAt[domain]; !at.After(now) {
		return at
	}
	return time.Time{}
}

// Next is the schedule once some domains were looked at. Those that are no
// longer there are forgotten.
func (s Schedule) Next(domains []string, looked, wrong []string, now time.Time) Schedule {
	out := Schedule{Last: now, CheckedAt: make(map[string]time.Time, len(domains)), Faulty: map[string]bool{}}
	for _, d := range domains {
		if at, ok := s.CheckedAt[d]; ok {
			out.CheckedAt[d] = at
		}
		if s.Faulty[d] {
			out.Faulty[d] = true
		}
	}
	for _, d := range looked {
		out.CheckedAt[d] = now
		delete(out.Faulty, d)
	}
	for _, d := range wrong {
		out.Faulty[d] = true
	}
	return out
}

func hash(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}

type scheduleText struct {
	Last   int64            `json:"last"`   // seconds since 1970
	Looked map[string]int64 `json:"looked"` // the same
	Wrong  []string         `json:"wrong,omitempty"`
}

// ParseSchedule reads the file; no bytes are an empty schedule.
func ParseSchedule(text []byte) (Schedule, error) {
	if len(text) == 0 {
		return Schedule{}, nil
	}
	var doc scheduleText
	if err := json.Unmarshal(text, &doc); err != nil {
		return Schedule{}, fmt.Errorf("parse %s: %w", state.WatchFile, err)
	}
	s := Schedule{Last: time.Unix(doc.Last, 0).UTC(), CheckedAt: make(map[string]time.Time, len(doc.Looked)), Faulty: map[string]bool{}}
	for d, at := range doc.Looked {
		s.CheckedAt[d] = time.Unix(at, 0).UTC()
	}
	for _, d := range doc.Wrong {
		s.Faulty[d] = true
	}
	return s, nil
}

// Marshal writes the file.
func (s Schedule) Marshal() []byte {
	doc := scheduleText{Last: s.Last.Unix(), Looked: make(map[string]int64, len(s.CheckedAt))}
	for d, at := range s.CheckedAt {
		doc.Looked[d] = at.Unix()
	}
	for d := range s.Faulty {
		doc.Wrong = append(doc.Wrong, d)
	}
	slices.Sort(doc.Wrong)
	var out bytes.Buffer
	_ = json.NewEncoder(&out).Encode(doc) // strings and numbers always encode
	return out.Bytes()
}
