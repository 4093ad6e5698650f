package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"mailsetup/internal/state"
)

// signs returns an error unless each signer's mail is signed. OpenDKIM applies a reload
// when the next connection comes in, and a rejected message may close one, so every new
// attempt uses a new connection; signers that pass share it.
func signs(ctx context.Context, p state.Probe) error {
	if len(p.Signers) == 0 {
		return permanent{errors.New("probe signs: no signer is named")}
	}
	left := p.Signers
	return retry(ctx, p.Within, func(ctx context.Context) (err error) {
		left, err = signAll(ctx, p.Address, left)
		return err
	})
}

// signersPerConnection is the number of signers from which a further connection pays
// off: OpenDKIM signs the messages of one connection one after the other.
const signersPerConnection = 50

// signAll returns the signers that are not proven yet: of each connection, those from
// the first failure on.
func signAll(ctx context.Context, address string, signers []state.Signer) ([]state.Signer, error) {
	connections := min(runtime.GOMAXPROCS(0), 1+len(signers)/signersPerConnection)
	share := (len(signers) + connections - 1) / connections
	left, errs := make([][]state.Signer, connections), make([]error, connections)
	var wg sync.WaitGroup
	for i := range connections {
		mine := signers[min(i*share, len(signers)):min((i+1)*share, len(signers))]
		wg.Go(func() {
			n, err := signEach(ctx, address, mine)
			left[i], errs[i] = mine[n:], err
		})
	}
	wg.Wait()
	return slices.Concat(left...), cmp.Or(errs...)
}

// signEach returns the number of signers proven before the first failure.
func signEach(ctx context.Context, address string, signers []state.Signer) (int, error) {
	s, err := open(ctx, address)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if err := s.connect(); err != nil {
		return 0, err
	}
	for i, signer := range signers {
		m := testMessage(signer.From, i)
		if err := s.send(signer.From, &m); err != nil {
			return i, fmt.Errorf("mail from %s: %w", signer.From, err)
		}
		if err := verify(m, signer); err != nil {
			return i, fmt.Errorf("mail from %s: %w", signer.From, err)
		}
	}
	return len(signers), nil
}
