// Package memory keeps from one check to the next what each saw that only time makes
// right or wrong, and since when.
package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Fact is what was seen of a domain.
type Fact struct {
	ID     string    `json:"id"` // of the kind of finding that it is for
	Domain string    `json:"domain,omitempty"`
	Value  string    `json:"value"`
	Detail string    `json:"detail,omitempty"` // what was seen with the value when that was new
	Since  time.Time `json:"since"`            // when the value was first seen
}

// Memory has the facts of earlier checks and of this one. Nil remembers nothing.
type Memory struct {
	now time.Time
	mu  sync.Mutex
	by  map[key]Fact
}

type key struct{ id, domain string }

// maxText is how much of a value is kept, in octets.
const maxText = 200

// New returns the memory of a check that begins now.
func New(facts []Fact, now time.Time) *Memory {
	m := &Memory{now: now.UTC().Truncate(time.Second), by: make(map[key]Fact, len(facts))}
	for _, f := range facts {
		if !f.Since.After(now) { // the clock went back
			m.by[key{f.ID, f.Domain}] = f
		}
	}
	return m
}

// See keeps what is seen, and returns the fact as it was when this value was first seen.
func (m *Memory) See(id, domain, value, detail string) Fact {
	f := Fact{ID: id, Domain: domain, Value: value[:min(len(value), maxText)], Detail: detail[:min(len(detail), maxText)]}
	if m == nil {
		return f
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := key{id, domain}
	if old, known := m.by[k]; known && old.Value == f.Value {
		return old
	}
	f.Since = m.now
	m.by[k] = f
	return f
}

// Forget drops what is not so any more.
func (m *Memory) Forget(id, domain string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.by, key{id, domain})
}

// Facts returns what the next check has to know, in a fixed order; of domains that are
// left out of keep nothing, unless that is nil.
func (m *Memory) Facts(keep []string) []Fact {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := map[string]bool{"": true}
	for _, d := range keep {
		kept[d] = true
	}
	var list []Fact
	for _, f := range m.by {
		if keep == nil || kept[f.Domain] {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b Fact) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Domain, b.Domain)) })
	return list
}
