package gclimit_test

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"mailsetup/internal/gclimit"
)

var kept, garbage [][]byte

// grow takes memory in pieces that stay in use.
func grow(octets int) {
	for range octets >> 16 {
		kept = append(kept, make([]byte, 1<<16))
	}
}

// churn makes garbage, and returns how often it was collected.
func churn(octets int) uint32 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range octets >> 16 {
		garbage = [][]byte{make([]byte, 1<<16)}
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

// collectUntil has garbage collected until the limit is as wanted, 10 s at most. The limit
// follows a little after a collection, and a collection before that is not told of.
func collectUntil(wanted func(limit int64) bool) {
	for end := time.Now().Add(10 * time.Second); !wanted(debug.SetMemoryLimit(-1)) && time.Now().Before(end); {
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}

// While little is in use, the limit holds; where a command needs more than that, it gets it,
// and is not kept busy with the collection of garbage that is not there.
func TestALimitThatGivesWay(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	defer func() { kept, garbage = nil, nil }()
	const limit = 24 << 20
	gclimit.Set(limit)
	gclimit.Start() // which changes none that was set
	grow(8 << 20)
	churn(64 << 20)
	collectUntil(func(got int64) bool { return got == limit }) // what is made during a collection counts as in use
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("limit %d while little is in use, want %d", got, limit)
	}
	grow(56 << 20)
	churn(64 << 20)
	collectUntil(func(limit int64) bool { return limit > 64<<20 })
	if got := debug.SetMemoryLimit(-1); got < 80<<20 || got > 120<<20 {
		t.Errorf("limit %d with 64 MB in use", got)
	}
	if n := churn(256 << 20); n > 40 { // 20 MB of garbage each time
		t.Errorf("%d collections for 256 MB of garbage", n)
	}
	kept = nil
	collectUntil(func(got int64) bool { return got == limit })
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("limit %d after that, want %d", got, limit)
	}
}
