package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A box mostly waits: for a TTL to pass, for a queue to be run, for a process to
// end. How many of them a machine has room for differs by a factor of four
// between machines and with what the boxes do, so none is told how many to run:
// the next box starts while the processors still idle.
const (
	glance   = time.Second / 2 // how long the processors are watched
	spare    = 0.1             // the share of that time they have to idle
	patience = 3 * time.Minute // after which a box starts all the same
)

// room waits until this machine has room for one more box. Boxes that wait for
// it go one after the other, those of other processes too, so that each sees
// what the last one takes.
func (l *Lab) room(ctx context.Context) error {
	turn, err := lockFile(filepath.Join(l.Dir, "turn"), syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer turn.Close()
	glances := 0
	for began := time.Now(); time.Since(began) < patience; {
		before, err := processors()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(glance):
		}
		after, err := processors()
		if err != nil {
			return err
		}
		if after.idleSince(before) >= spare {
			return nil
		}
		if glances++; glances == 20 {
			l.logf("waiting for processors to idle, %s at most", patience)
		}
	}
	return nil
}

// enoughMemory is what has to be free for a box that is kept in memory: it takes
// some 200 MB of it, a test more where it asks for more.
const enoughMemory = 8 << 30

// memory is how much is available to new programs, in bytes, proc_meminfo(5);
// 0 where the kernel does not say.
func memory() uint64 {
	data, _ := os.ReadFile("/proc/meminfo")
	_, rest, _ := strings.Cut(string(data), "MemAvailable:")
	var kib uint64
	fmt.Sscanf(rest, "%d kB", &kib)
	return kib << 10
}

// ticks is what the processors have done since they started, in the kernel's
// units. Idle is what a box may have.
type ticks struct{ idle, all uint64 }

// idleSince is the share of the time since before in which a processor had
// nothing to do.
func (t ticks) idleSince(before ticks) float64 {
	return float64(t.idle-before.idle) / float64(max(t.all-before.all, 1))
}

// processors reads the first line of /proc/stat, proc_stat(5).
func processors() (ticks, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}, err
	}
	return parseStat(string(data))
}

// parseStat reads "cpu user nice system idle iowait irq softirq steal ...";
// what follows, of guests, is part of the first two already.
func parseStat(text string) (ticks, error) {
	var user, nice, system, idle, iowait, irq, softirq, steal uint64
	_, err := fmt.Sscanf(text, "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	if err != nil {
		return ticks{}, fmt.Errorf("read /proc/stat: %w", err)
	}
	// What runs at a low priority, nice(1), gives way to a box.
	idle += iowait + nice
	return ticks{idle: idle, all: idle + user + system + irq + softirq + steal}, nil
}
