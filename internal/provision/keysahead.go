package provision

import (
	"context"
	"runtime"
	"slices"

	"mailsetup/internal/dkimkeys"
)

// keysAhead are keys that are made while the plan is, since few of them take a processor
// that is idle then. Nothing is written of them unless the plan is confirmed.
type keysAhead struct {
	pairs []dkimkeys.Pair
	done  chan struct{}
}

// makeAhead begins to make the keys of pairs that are pending, nil for none or for many.
func makeAhead(ctx context.Context, pairs []dkimkeys.Pair) *keysAhead {
	if n := len(dkimkeys.Pending(pairs)); n == 0 || n > runtime.GOMAXPROCS(0) {
		return nil
	}
	k := &keysAhead{slices.Clone(pairs), make(chan struct{})}
	go func() {
		defer close(k.done)
		_ = dkimkeys.Generate(ctx, k.pairs, func() {}) // who takes them makes what is missing
	}()
	return k
}

// take puts the keys into those of the pairs that are still pending, and calls made for each.
func (k *keysAhead) take(ctx context.Context, pairs []dkimkeys.Pair, made func()) {
	if k == nil {
		return
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		return
	}
	for _, i := range dkimkeys.Pending(pairs) {
		p := &pairs[i]
		for _, q := range k.pairs {
			if q.Domain == p.Domain && q.Key.Selector == p.Key.Selector && q.Key.File == p.Key.File && q.Key.Bits == p.Key.Bits && !q.Key.Pending() {
				p.Key.Public, p.Key.Fingerprint, p.PEM = q.Key.Public, q.Key.Fingerprint, q.PEM
				made()
			}
		}
	}
}
