package lab

import (
	"math"
	"testing"
)

// Two looks of a machine with two processors, of which the second idled 150 of
// 200 ticks, 30 of them for a disk, and ran work of low priority for 20.
func TestIdleProcessors(t *testing.T) {
	before, err := parseStat("cpu  1000 5 300 7000 40 3 12 9 77 0\ncpu0 500 5 150 3500 20 3 6 4 77 0\n")
	if err != nil {
		t.Fatal(err)
	}
	after, err := parseStat("cpu  1001 25 321 7120 70 4 14 14 99 0\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := after.idleSince(before); math.Abs(got-0.85) > 1e-9 {
		t.Errorf("idle %v of the time, want 0.85", got)
	}
	if _, err := parseStat("intr 12 0 0\n"); err == nil {
		t.Error("a line about interrupts is read as that of processors")
	}
}
