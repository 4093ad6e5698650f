package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"mailsetup/internal/state"
)

const (
	// signersPerConnection is the number of signers from which a further connection pays
	// off: OpenDKIM signs the messages of one connection one after the other.
	signersPerConnection = 25
	// connectionsPerProcessor is how many connections keep a processor busy: a message
	// takes eleven commands, and each side waits for the other. With two processors,
	// eight signed 400 messages a second where two signed 255.
	connectionsPerProcessor = 4
	// failuresInRow is after how many a connection is given up until the next try: before
	// OpenDKIM has reloaded its tables each message fails.
	failuresInRow = 3
	// withoutProgress is how long those that are left are tried again.
	withoutProgress = 20 * time.Second
)

// signs returns an error unless each signer's mail is signed. Where others are proven, it
// is a state.DomainErrors of those that are not.
func (b *Prober) signs(ctx context.Context, p state.Probe) error {
	if len(p.Signers) == 0 {
		return errors.New("probe signs: no signer is named")
	}
	step, end := func() {}, func() {}
	if b.Bar != nil {
		step, end = b.Bar("signatures proven", len(p.Signers))
	}
	defer end()
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, p.Within)
	defer cancel()
	t := &proof{address: p.Address, left: p.Signers, failed: map[state.Signer]error{}, step: step}
	progress := time.Now()
	for {
		before := len(t.left)
		t.try(ctx)
		switch {
		case len(t.left) == 0:
			return nil
		case errors.Is(outer.Err(), context.Canceled):
			return errors.Join(outer.Err(), t.err(len(p.Signers)))
		case len(t.left) < before:
			progress = time.Now()
		}
		if expired(ctx) || time.Since(progress) > withoutProgress || errors.As(t.down, new(permanent)) {
			return t.err(len(p.Signers))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

// proof is how far the signers of a probe are proven.
type proof struct {
	address string
	left    []state.Signer         // those that failed last at the end
	failed  map[state.Signer]error // why
	down    error                  // why the milter could not be asked

	mu   sync.Mutex
	step func() // counts a signer that is proven
}

// try asks for a message of each signer that is left. OpenDKIM applies a reload when the
// next connection comes in, and a rejected message may close one, so every new try uses
// new connections.
func (t *proof) try(ctx context.Context) {
	n := len(t.left)
	connections := min(connectionsPerProcessor*runtime.GOMAXPROCS(0), 1+n/signersPerConnection)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range connections {
		from, to := i*n/connections, (i+1)*n/connections
		wg.Go(func() { t.proveEach(ctx, t.left[from:to], errs[from:to]) })
	}
	wg.Wait()
	var untried, failed []state.Signer
	for i, s := range t.left {
		switch {
		case errors.Is(errs[i], errUntried):
			untried = append(untried, s)
		case errs[i] != nil:
			failed = append(failed, s)
			if t.failed[s] == nil || !expired(ctx) { // what the end of the time cut off says nothing
				t.failed[s] = fmt.Errorf("mail from %s: %w", s.From, errs[i])
			}
		}
	}
	t.left = slices.Concat(untried, failed)
}

// errUntried is the error of a signer that was not asked about.
var errUntried = errors.New("not tried")

// proveEach sets the error of each signer, nil for one that is proven. Signers that pass
// share a connection.
func (t *proof) proveEach(ctx context.Context, signers []state.Signer, errs []error) {
	for i := range errs {
		errs[i] = errUntried
	}
	for i, inRow := 0, 0; i < len(signers) && inRow < failuresInRow; {
		s, err := open(ctx, t.address)
		if err == nil {
			if err = s.connect(); err != nil {
				s.close()
			}
		}
		if err != nil {
			t.mu.Lock()
			t.down = cmp.Or(t.down, err)
			t.mu.Unlock()
			return
		}
		for err == nil && i < len(signers) {
			err = s.prove(signers[i], i)
			errs[i], i, inRow = err, i+1, inRow+1
			if err == nil {
				inRow = 0
				t.mu.Lock()
				t.step()
				t.mu.Unlock()
			}
		}
		s.close()
	}
}

// prove sends the n-th message of a connection and verifies its signature.
func (s *session) prove(signer state.Signer, n int) error {
	m := testMessage(signer.From, n)
	if err := s.send(signer.From, &m); err != nil {
		return err
	}
	return verify(m, signer)
}

// err returns why some of the signers are not proven. It names their domains if that has
// to do with them.
func (t *proof) err(signers int) error {
	domains := state.DomainErrors{}
	var first error
	for _, s := range t.left {
		if err := t.failed[s]; err != nil {
			first, domains[s.Domain] = cmp.Or(first, err), cmp.Or(domains[s.Domain], err)
		}
	}
	switch tried := !slices.ContainsFunc(t.left, func(s state.Signer) bool { return t.failed[s] == nil }); {
	case first == nil:
		return cmp.Or(t.down, fmt.Errorf("%d senders were not asked about in time", len(t.left)))
	case tried && len(t.left) < signers:
		return domains
	}
	return first
}
