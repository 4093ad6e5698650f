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
// changes is read, written and proven, not what is there.
func TestAddingOneDomainDoesNotGrow(t *testing.T) {
	type costs struct{ steps, syncs, reads, signatures int }
	of := func(n int) costs {
		s, err := newServer(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := s.again(t.Context()); err != nil || !p.Empty() {
			t.Fatalf("with %d domains there are %d stages to do, %v", n, len(p.Stages), err)
		}
		m, err := s.add(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		return costs{len(m.Trace()), syncs(m.Trace()), m.reads, m.signatures}
	}
	few, many := of(2), of(200)
	if few != many || few.steps == 0 || few.reads == 0 {
		t.Errorf("%+v with 2 domains, %+v with 200", few, many)
	}
	if few.signatures != 2 {
		t.Errorf("%d signatures are asked for, want those of the new domain and of the host", few.signatures)
	}
}
