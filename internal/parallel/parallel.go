// Package parallel does n pieces of work, some at a time.
package parallel

import (
	"sync"
	"sync/atomic"
)

// Do calls work with 0 to n-1, at most limit calls at a time, and waits for all of them. It returns the error of the
// smallest index that failed; the others are done all the same.
func Do(n, limit int, work func(i int) error) error {
	errs := make([]error, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, limit) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = work(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
