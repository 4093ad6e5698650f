package settle_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mailsetup/internal/settle"
	"mailsetup/internal/state"
)

// answers is a Prober whose answers take their time.
type answers struct {
	mu     sync.Mutex
	asked  []string
	now    int // questions on their way
	most   int
	answer func(ctx context.Context, p state.Probe) error
}

func (a *answers) Probe(ctx context.Context, p state.Probe) error {
	a.mu.Lock()
	a.asked = append(a.asked, string(p.Kind)+p.Origin)
	a.now++
	a.most = max(a.most, a.now)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.now--
		a.mu.Unlock()
	}()
	return a.answer(ctx, p)
}

func after(d time.Duration) func(context.Context, state.Probe) error {
	return func(context.Context, state.Probe) error {
		time.Sleep(d)
		return nil
	}
}

func thousand() []state.Probe {
	list := make([]state.Probe, 1000)
	for i := range list {
		list[i] = state.Probe{Kind: state.ProbeServed, Origin: fmt.Sprintf("d%d.example.", i), Within: 30 * time.Second}
	}
	return list
}

func TestZonesAreAskedAboutSideBySide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{answer: after(100 * time.Millisecond)}
		up, smtp := state.Probe{Kind: state.ProbeActive}, state.Probe{Kind: state.ProbeSMTP}
		begun, start := 0, time.Now()
		if err := settle.Wait(t.Context(), a, slices.Concat([]state.Probe{up}, thousand(), []state.Probe{smtp}), func(state.Probe) { begun++ }); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != 34*100*time.Millisecond { // the two others, and 32 at a time
			t.Errorf("it took %v", took)
		}
		if len(a.asked) != 1002 || begun != 1002 || a.asked[0] != "active" || a.asked[1001] != "smtp" || a.most != 32 {
			t.Errorf("%d questions, %d begun, from %s to %s, %d at a time", len(a.asked), begun, a.asked[0], a.asked[len(a.asked)-1], a.most)
		}
	})
}

// One zone that is not served ends it, however many others there are.
func TestZonesHaveOneDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("the server answers REFUSED")
		a := &answers{answer: func(ctx context.Context, p state.Probe) error {
			within, cancel := context.WithTimeout(ctx, p.Within)
			defer cancel()
			<-within.Done()
			return refused
		}}
		start := time.Now()
		if err := settle.Wait(t.Context(), a, thousand(), func(state.Probe) {}); !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took != 50*time.Second { // 30 s, and 20 ms for each
			t.Errorf("it took %v", took)
		}
		a.answer = func(ctx context.Context, p state.Probe) error {
			if p.Origin == "d7.example." {
				return refused
			}
			<-ctx.Done()
			return ctx.Err()
		}
		start = time.Now()
		if err := settle.Wait(t.Context(), a, thousand(), func(state.Probe) {}); !errors.Is(err, refused) || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// What passes already is seen by one answer each.
func TestPassing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{answer: func(_ context.Context, p state.Probe) error {
			time.Sleep(100 * time.Millisecond)
			switch {
			case p.Kind == state.ProbeServed && (!p.Once || p.Within != time.Second):
				t.Errorf("%+v", p)
			case p.Kind != state.ProbeServed && (p.Once || p.Within != 5*time.Second):
				t.Errorf("%+v", p)
			case p.Origin == "d1.example." || p.Origin == "d999.example." || p.Kind == state.ProbeMilter:
				return nil
			}
			return errors.New("not so")
		}}
		start := time.Now()
		got := settle.Passing(t.Context(), a, append(thousand(), state.Probe{Kind: state.ProbeMilter}, state.Probe{Kind: state.ProbeSMTP}))
		if took := time.Since(start); took != 34*100*time.Millisecond || len(a.asked) != 1002 {
			t.Errorf("%d questions took %v", len(a.asked), took)
		}
		if len(got) != 3 || got[0].Origin != "d1.example." || got[0].Once || got[0].Within != 30*time.Second || got[1].Origin != "d999.example." || got[2].Kind != state.ProbeMilter {
			t.Errorf("passing: %+v", got)
		}
	})
}
