package dnspub

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"mailsetup/internal/state"
)

// counted answers every name but one, and counts the questions.
type counted struct{ n atomic.Int32 }

func (c *counted) Lookup(_ context.Context, name, rtype string) ([]state.Record, Status, error) {
	c.n.Add(1)
	if name == "down.example" {
		return nil, Unknown, errors.New("nobody answers")
	}
	return []state.Record{{Name: name, Type: rtype, Value: "x"}}, Found, nil
}

func TestEachQuestionIsPutOnce(t *testing.T) {
	c := &counted{}
	r := Remember(c)
	var wg sync.WaitGroup
	for range 20 {
		for _, name := range []string{"a.example", "A.example.", "b.example"} {
			wg.Go(func() {
				records, status, err := r.Lookup(t.Context(), name, "TXT")
				if len(records) != 1 || status != Found || err != nil {
					t.Errorf("%s: %v, %v, %v", name, records, status, err)
				}
			})
		}
	}
	wg.Wait()
	if n := c.n.Load(); n != 2 {
		t.Errorf("%d questions for two names", n)
	}
	if _, _, err := r.Lookup(t.Context(), "a.example", "MX"); err != nil || c.n.Load() != 3 {
		t.Errorf("%v; %d questions after one about another type", err, c.n.Load())
	}
}

func TestWhatNobodyAnsweredIsAskedAgain(t *testing.T) {
	c := &counted{}
	r := Remember(c)
	for range 3 {
		if _, status, err := r.Lookup(t.Context(), "down.example", "TXT"); status != Unknown || err == nil {
			t.Errorf("%v, %v", status, err)
		}
	}
	if n := c.n.Load(); n != 3 {
		t.Errorf("%d questions", n)
	}
}

// Who waits for the question of another goes when it has to.
func TestWaitingEndsWithTheContext(t *testing.T) {
	block := make(chan struct{})
	r := Remember(blocked(block))
	go func() { _, _, _ = r.Lookup(context.Background(), "a.example", "TXT") }()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, status, err := r.Lookup(ctx, "a.example", "TXT"); status != Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", status, err)
	}
	close(block)
}

type blocked chan struct{}

func (b blocked) Lookup(ctx context.Context, _, _ string) ([]state.Record, Status, error) {
	select {
	case <-b:
		return nil, NoData, nil
	case <-ctx.Done():
		return nil, Unknown, ctx.Err()
	}
}
