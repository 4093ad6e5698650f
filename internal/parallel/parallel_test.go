package parallel_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"mailsetup/internal/parallel"
)

func TestDo(t *testing.T) {
	for _, tt := range []struct{ n, limit int }{{0, 4}, {1, 4}, {4, 4}, {100, 3}, {3, 1}} {
		var mu sync.Mutex
		seen := map[int]int{}
		err := parallel.Do(tt.n, tt.limit, func(i int) error {
			mu.Lock()
			defer mu.Unlock()
			seen[i]++
			return nil
		})
		if err != nil || len(seen) != tt.n {
			t.Errorf("Do(%d, %d): %d pieces, %v", tt.n, tt.limit, len(seen), err)
		}
		for i := range tt.n {
			if seen[i] != 1 {
				t.Errorf("Do(%d, %d): piece %d was done %d times", tt.n, tt.limit, i, seen[i])
			}
		}
	}
}

func TestDoKeepsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, most atomic.Int64
		start := time.Now()
		_ = parallel.Do(10, 3, func(int) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			return nil
		})
		if most.Load() != 3 {
			t.Errorf("%d at a time, want 3", most.Load())
		}
		if took := time.Since(start); took != 4*time.Second {
			t.Errorf("ten seconds of work by three took %s, want 4s", took)
		}
	})
}

func TestDoGoesOnAfterAnError(t *testing.T) {
	second, ninth := errors.New("second"), errors.New("ninth")
	var done atomic.Int64
	err := parallel.Do(10, 2, func(i int) error {
		done.Add(1)
		switch i {
		case 1:
			return second
		case 8:
			return ninth
		}
		return nil
	})
	if err != second || done.Load() != 10 {
		t.Errorf("got %v after %d pieces; want the error of the smallest index after all ten", err, done.Load())
	}
}
