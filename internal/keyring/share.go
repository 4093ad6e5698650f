package keyring

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxShared bounds the times that are remembered to be shared.
const maxShared = 1000

var (
	sharedTimes sharing[[len(stages)]time.Time]
	sharedTexts sharing[string] // by what a file says of them
)

// sharing has the times that are shared.
type sharing[By comparable] struct {
	times sync.Map
	count atomic.Int64
}

func (s *sharing[By]) load(by By) (map[Stage]time.Time, bool) {
	known, ok := s.times.Load(by)
	if !ok {
		return nil, false
	}
	return known.(map[Stage]time.Time), true
}

func (s *sharing[By]) store(by By, since map[Stage]time.Time) {
	if s.count.Add(1) > maxShared { // these come up no more, probably
		s.times.Clear()
		s.count.Store(1)
	}
	s.times.Store(by, since)
}

// shared returns the times with which another key entered the same stages at the same
// time, or else those given, which nobody may change from then on. Keys that are made and
// replaced together, thousands at a time, have them in memory once.
func shared(since map[Stage]time.Time) map[Stage]time.Time {
	var times [len(stages)]time.Time
	n := 0
	for i, stage := range stages {
		if t := since[stage]; !t.IsZero() {
			times[i] = t
			n++
		}
	}
	if n == 0 || n < len(since) {
		return since
	}
	if known, ok := sharedTimes.load(times); ok {
		return known
	}
	sharedTimes.store(times, since)
	return since
}
