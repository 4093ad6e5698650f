package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// milterClients are the Postfix processes that use milters, master(8).
var milterClients = []string{"smtpd", "qmqpd", "cleanup"}

// clockTicks is the unit of times in /proc: USER_HZ, whatever the kernel's own clock.
const clockTicks = 100

// oldSessions returns an error for mail sessions that began under an earlier main.cf:
// after a reload they go on with the settings that they have read, including the action
// for a dead milter.
func oldSessions(proc, mainCf string) error {
	changed, err := changedAt(mainCf)
	if err != nil {
		return err
	}
	// File times and process times come in steps of up to 10 ms each.
	young := changed + 20*time.Millisecond
	pids, err := processes(proc, milterClients, func(began time.Duration) bool { return began <= young })
	if err == nil && len(pids) > 0 {
		err = fmt.Errorf("%d mail sessions go on since before %s changed (process %s)",
			len(pids), mainCf, strings.Join(pids, ", "))
	}
	return err
}

// rereads returns an error until a program has begun a process since a directory changed: a
// reload lets old ones go on until new ones take their place.
func rereads(proc, program, dir string) error {
	changed, err := changedAt(dir)
	if err != nil {
		return err
	}
	pids, err := processes(proc, []string{program}, func(began time.Duration) bool { return began >= changed-20*time.Millisecond })
	if err == nil && len(pids) == 0 {
		err = fmt.Errorf("%s goes on as it began before %s changed", program, dir)
	}
	return err
}

// changedAt returns, as time since boot, when something was put in its place: a file, which
// may have been written long before, or what is in a directory.
func changedAt(path string) (time.Duration, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0, fmt.Errorf("read the time since boot: %w", err)
	}
	return time.Duration(now.Nano()) - time.Since(time.Unix(stat.Ctim.Unix())), nil
}

// processes returns the processes of programs whose start, in time since boot, fits.
func processes(proc string, programs []string, fits func(began time.Duration) bool) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return nil, err
	}
	ours, err := os.Readlink(filepath.Join(proc, "self", "ns", "pid"))
	if err != nil {
		return nil, err
	}
	var found []string
	for _, dir := range names {
		text, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // it has ended
		}
		comm, began, err := parseStat(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		if !slices.Contains(programs, comm) || !fits(began) {
			continue
		}
		if ns, err := os.Readlink(filepath.Join(dir, "ns", "pid")); err == nil && ns == ours {
			found = append(found, filepath.Base(dir))
		}
	}
	return found, nil
}

// parseStat parses the name of a process and its start, in time since boot, from
// proc_pid_stat(5).
func parseStat(text string) (comm string, began time.Duration, err error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return "", 0, errors.New("not a line of proc_pid_stat(5)")
	}
	f := strings.Fields(text[end+1:])
	const starttime = 22 - 3 // the first field after the name is number 3
	if len(f) <= starttime {
		return "", 0, errors.New("not a line of proc_pid_stat(5)")
	}
	n, err := strconv.ParseInt(f[starttime], 10, 64)
	return text[open+1 : end], time.Duration(n) * (time.Second / clockTicks), err
}
