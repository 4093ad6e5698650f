package keygen

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestGenerateAllUsesAllProcessors holds every key back until nothing else can
// happen, and counts those that are being made.
func TestGenerateAllUsesAllProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, test := range []struct{ processors, keys, want int }{{1, 5, 1}, {3, 5, 3}, {3, 2, 2}} {
		runtime.GOMAXPROCS(test.processors)
		synctest.Test(t, func(t *testing.T) {
			var begun atomic.Int64
			hold := make(chan struct{})
			generate := func(int) (*Key, error) {
				begun.Add(1)
				<-hold
				return &Key{}, nil
			}
			made, ended := 0, make(chan error, 1)
			go func() {
				ended <- generateAll(context.Background(), make([]int, test.keys), generate, func(int, *Key) { made++ })
			}()
			synctest.Wait()
			if n := int(begun.Load()); n != test.want {
				t.Errorf("%d processors, %d keys: %d are made at a time, want %d", test.processors, test.keys, n, test.want)
			}
			close(hold)
			if err := <-ended; err != nil || made != test.keys {
				t.Errorf("%d of %d made, %v", made, test.keys, err)
			}
		})
	}
}
