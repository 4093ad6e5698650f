package store

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

// ReadClock returns the time since this boot, with the boot's ID. Nobody can set that
// clock, and it goes on while the machine sleeps (CLOCK_BOOTTIME, clock_gettime(2)).
func readClock() (keyring.BootTime, error) {
	id, err := os.ReadFile(bootID)
	if err != nil {
		return keyring.BootTime{}, fmt.Errorf("read %s: %w", bootID, err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return keyring.BootTime{}, fmt.Errorf("read the clock of this boot: %w", err)
	}
	return keyring.BootTime{Boot: strings.TrimSpace(string(id)), At: time.Duration(now.Nano())}, nil
}
