package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"
	"time"
)

// verdicts are the numbers that were promised, and what came of them.
type verdicts struct {
	lines  []string
	failed bool
}

// atMost judges a number that has to be small, atLeast one that has to be
// large. Both say what was measured and what was promised.
func (v *verdicts) atMost(what string, got, limit float64, unit string) {
	v.add(got <= limit, "%-58s %8.2f%s (at most %g%s)", what, got, unit, limit, unit)
}

func (v *verdicts) atLeast(what string, got, limit float64, unit string) {
	v.add(got >= limit, "%-58s %8.2f%s (at least %g%s)", what, got, unit, limit, unit)
}

// most is how much is asked for of what a machine allows at most: the rest is
// what a run does beside making keys, a signature of each domain among it.
const most = 0.8

// atLeastIn judges a number that cannot exceed a ceiling on this machine. Where
// most of that is below what was promised, it is asked for instead.
func (v *verdicts) atLeastIn(what string, got, limit, ceiling float64, unit string) {
	if most*ceiling >= limit {
		v.add(got >= limit, "%-58s %8.2f%s (at least %g%s; this machine allows %.2f%s)", what, got, unit, limit, unit, ceiling, unit)
		return
	}
	v.add(got >= most*ceiling, "%-58s %8.2f%s (at least %g of the %.2f%s that this machine allows, since %g%s is more)",
		what, got, unit, most, ceiling, unit, limit, unit)
}

func (v *verdicts) add(pass bool, format string, a ...any) {
	word := "PASS"
	if !pass {
		word, v.failed = "FAIL", true
	}
	v.lines = append(v.lines, word+"  "+fmt.Sprintf(format, a...))
}

func (v *verdicts) print(out io.Writer) error {
	fmt.Fprintln(out, "\nWhat was promised")
	for _, l := range v.lines {
		fmt.Fprintln(out, "  "+l)
	}
	if v.failed {
		return errors.New("a number that was promised is not reached")
	}
	return nil
}

// cost is what a run of a program took, its children's part included.
type cost struct {
	wall, cpu time.Duration
	rss       int64 // the most memory that was resident, octets
}

// median is that of the costs by one of their parts.
func median(costs []cost, part func(cost) time.Duration) time.Duration {
	list := make([]time.Duration, 0, len(costs))
	for _, c := range costs {
		list = append(list, part(c))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func wall(c cost) time.Duration { return c.wall }
func cpu(c cost) time.Duration  { return c.cpu }

// mostMemory is what any command may have resident at most with 10,000 domains, in MB (10^6).
const mostMemory = 100

// memory judges the most memory that a command had.
func (v *verdicts) memory(what string, c cost) {
	v.atMost("peak memory: "+what, float64(c.rss)/1e6, mostMemory, " MB")
}

func mb(octets int64) string { return fmt.Sprintf("%d MB", octets>>20) }

// ownCPU is the time that this process and its threads have used.
func ownCPU() (time.Duration, error) {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), nil
}
