package keyring

import (
	"sync"
	"sync/atomic"
	"time"
)

// maxShared bounds the times that are remembered to be shared.
const maxShared = 1000

var (
	sharedTimes sync.Map // by [len(stages)]time.Time
	sharedCount atomic.Int64
)

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
	if known, ok := sharedTimes.Load(times); ok {
		return known.(map[Stage]time.Time)
	}
	if sharedCount.Add(1) > maxShared { // these come up no more, probably
		sharedTimes.Clear()
		sharedCount.Store(1)
	}
	sharedTimes.Store(times, since)
	return since
}
