package main

import (
	"fmt"
	"testing"
)

// BenchmarkNothingToDo is a run that finds everything in place.
func BenchmarkNothingToDo(b *testing.B) {
	for _, n := range []int{1, 100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := newServer(b.Context(), n)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if p, err := s.again(b.Context()); err != nil || !p.Empty() {
					b.Fatalf("%d stages, %v", len(p.Stages), err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/domain")
		})
	}
}

// A further domain costs the machine the same however many there are: what
// changes is written, not what is there.
func TestAddingOneDomainDoesNotGrow(t *testing.T) {
	steps := func(n int) (all, waits int) {
		s, err := newServer(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := s.again(t.Context()); err != nil || !p.Empty() {
			t.Fatalf("with %d domains there are %d stages to do, %v", n, len(p.Stages), err)
		}
		trace, err := s.add(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return len(trace), syncs(trace)
	}
	fewSteps, fewSyncs := steps(2)
	manySteps, manySyncs := steps(200)
	if fewSteps == 0 || fewSteps != manySteps || fewSyncs != manySyncs {
		t.Errorf("%d steps and %d syncs with 2 domains, %d and %d with 200", fewSteps, fewSyncs, manySteps, manySyncs)
	}
}
