// Package process tells whether a process answers or was stopped by a signal.
package process

import (
	"bytes"
	"fmt"
	"os"

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
