// Package recordwatch decides what is done about published records that are gone or
// changed: restored, or told to somebody. Every tick of rotate-dkim checks some domains,
// so that each is checked once a day.
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

// MinPerTick is the number of domains that every tick checks. Where there are no more,
// it checks all.
const MinPerTick = 20

const (
	// cycle is the time in which every domain is checked once. It is less than a day,
	// since ticks may come late (RandomizedDelaySec of the timer).
	cycle = 22 * time.Hour
	// defaultInterval is the time since the last tick where that is not known, and
	// maxInterval its upper limit: a machine that was off does not catch up in one
	// tick.
	defaultInterval, maxInterval = time.Hour, 90 * time.Minute
)

// Schedule says when the records of each domain were last checked.
type Schedule struct {
	Last      time.Time            // the last tick that checked any
	CheckedAt map[string]time.Time // by domain
	Faulty    map[string]bool      // domains with a problem at their last check
}

// Due returns the domains to check in this tick. Domains with a problem come first, up
// to MinPerTick. Then come those whose last check is the oldest; a hash of the name
// decides between equal times.
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

// quota returns how many of n domains a tick checks: the share of them that the time
// since the last tick is of a cycle.
func (s Schedule) quota(n int, now time.Time) int {
	elapsed := now.Sub(s.Last)
	if s.Last.IsZero() || elapsed < 0 {
		elapsed = defaultInterval
	}
	part := float64(min(elapsed, maxInterval)) / float64(cycle)
	return max(MinPerTick, int(part*float64(n)+1))
}

// lastCheck returns when a domain was last checked. A time in the future comes from a
// clock that was wrong, and counts as never.
func (s Schedule) lastCheck(domain string, now time.Time) time.Time {
	if at := s.CheckedAt[domain]; !at.After(now) {
		return at
	}
	return time.Time{}
}

// Next returns the schedule after a tick that checked some of the domains. Domains that
// no longer exist are dropped from it.
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

// ParseSchedule parses the file; an empty file is an empty schedule.
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

// Marshal returns the text of the file.
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
