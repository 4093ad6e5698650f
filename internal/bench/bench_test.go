package main

import (
	"fmt"
	"strings"
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

// What no machine of this size could reach is not asked of it, and the line
// says so.
func TestTheMachineLimitsWhatIsAskedFor(t *testing.T) {
	for _, tt := range []struct {
		got, ceiling float64
		want         string
	}{
		{5.1, 8, "PASS  speed" + strings.Repeat(" ", 58) + "5.10 x (at least 5 x; this machine allows 8.00 x)"},
		{4.9, 6.5, "FAIL  speed" + strings.Repeat(" ", 58) + "4.90 x (at least 5 x; this machine allows 6.50 x)"},
		{1.8, 2.2, "PASS  speed" + strings.Repeat(" ", 58) + "1.80 x (at least 0.8 of the 2.20 x that this machine allows, since 5 x is more)"},
		{1.7, 2.2, "FAIL  speed" + strings.Repeat(" ", 58) + "1.70 x (at least 0.8 of the 2.20 x that this machine allows, since 5 x is more)"},
		{4.1, 5.1, "PASS  speed" + strings.Repeat(" ", 58) + "4.10 x (at least 0.8 of the 5.10 x that this machine allows, since 5 x is more)"},
	} {
		v := &verdicts{}
		v.atLeastIn("speed", tt.got, 5, tt.ceiling, " x")
		if v.lines[0] != tt.want || v.failed != strings.HasPrefix(tt.want, "FAIL") {
			t.Errorf("%q, failed %v, want %q", v.lines[0], v.failed, tt.want)
		}
	}
}
