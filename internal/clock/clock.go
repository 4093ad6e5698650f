// Package clock reads the clocks of the machine: the wall clock, which may be set, and
// the time since boot, which nobody can set.
package clock

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mailsetup/internal/keyring"
)

// bootID names this boot, random(4).
const bootID = "/proc/sys/kernel/random/boot_id"

// ahead is by how much both clocks differ from those of the kernel: not at all, but
// where a program with the build tag e2e is given its time, see given.go.
var ahead struct{ wall, boot time.Duration }

// Now returns the time by the wall clock.
func Now() time.Time { return time.Now().Add(ahead.wall) }

// SinceBoot returns the time since this boot, with the boot's ID. That clock goes on
// while the machine sleeps (CLOCK_BOOTTIME, clock_gettime(2)).
func SinceBoot() (keyring.BootTime, error) {
	id, err := os.ReadFile(bootID)
	if err != nil {
		return keyring.BootTime{}, fmt.Errorf("read %s: %w", bootID, err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return keyring.BootTime{}, fmt.Errorf("read the clock of this boot: %w", err)
	}
	return keyring.BootTime{Boot: strings.TrimSpace(string(id)), At: time.Duration(now.Nano()) + ahead.boot}, nil
}
