// Package process tells whether a process answers or was stopped by a signal.
package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"mailsetup/internal/hint"
)

// IsSuspended reports whether the text of /proc/PID/stat, proc(5), is that of a process
// that a signal stopped (SIGSTOP): it keeps its sockets and does not answer.
func IsSuspended(stat []byte) bool {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // behind the name, which may have blanks
	return len(fields) > 0 && string(fields[0]) == "T"
}

// CheckAnswers refuses to wait for a process that is suspended: rndc would for a minute.
func CheckAnswers(unit string, pid uint32) error {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || !IsSuspended(stat) {
		return nil
	}
	return hint.New("systemctl kill -s CONT "+unit, "somebody stopped its process %d (SIGSTOP)", pid)
}

// Age returns how long ago a process began, from the texts of /proc/PID/stat and
// /proc/uptime, proc(5).
func Age(stat, uptime []byte) (time.Duration, error) {
	const starttime, ticks = 22 - 3, 100 // the first field after the name is number 3; USER_HZ
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	up := bytes.Fields(uptime)
	if len(fields) <= starttime || len(up) == 0 {
		return 0, errors.New("not the files of proc(5)")
	}
	began, err := strconv.ParseInt(string(fields[starttime]), 10, 64)
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseFloat(string(up[0]), 64)
	if err != nil {
		return 0, err
	}
	return time.Duration(seconds*float64(time.Second)) - time.Duration(began)*(time.Second/ticks), nil
}
