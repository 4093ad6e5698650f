package apt

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"syscall"

	"mailsetup/internal/hint"
	"mailsetup/internal/system"
)

// The reasons for which package tools fail that a person can do something
// about. A full disk is syscall.ENOSPC, missing rights are fs.ErrPermission.
var (
	ErrUnknownPackage = errors.New("no such package")
	ErrLocked         = errors.New("another package manager is running")
	ErrInterrupted    = errors.New("an earlier installation was interrupted")
	ErrNetwork        = errors.New("the package server cannot be reached")
	ErrUnmet          = errors.New("the dependencies cannot be met")
	ErrNoDebian       = errors.New("not found: this system has no Debian packages")
	ErrFailed         = errors.New("failed")
)

// Error is a failure of a package tool.
type Error struct {
	Tool   string // apt-get install
	Reason error  // one of the above
	Output string // its own words, a few lines at most
	hint   string
}

func (e *Error) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("%s: %v", e.Tool, e.Reason)
	}
	return fmt.Sprintf("%s: %v: %s", e.Tool, e.Reason, e.Output)
}

// Unwrap makes errors.Is find the reason.
func (e *Error) Unwrap() error { return e.Reason }

// Hints returns the command or the thing to do, if there is any.
func (e *Error) Hints() []string { return hint.Lines(e.hint) }

// noDebian explains a tool that is not there at all.
func noDebian(argv []string, err error) error {
	if !errors.Is(err, exec.ErrNotFound) {
		return err
	}
	return &Error{
		Tool: toolName(argv), Reason: ErrNoDebian,
		hint: "mailsetup is made for Debian 12, 13 and 14; mailsetup init --root DIR writes the files of such a server",
	}
}

// failurePattern is a text by which a reason is recognised in the output of a tool.
type failurePattern struct {
	text   *regexp.Regexp
	reason error
	hint   string
}

// failurePatterns are tried in order; the first match counts. The texts are those of
// apt 2.6 and 3.0, dpkg 1.21 and 1.22 in the C locale.
func failurePatterns() []failurePattern {
	re := regexp.MustCompile
	return []failurePattern{
		{re(`(?m)^E: .*(Permission denied.*|are you root\?)|.*superuser privilege.*`), fs.ErrPermission, "run it as root"},
		{re(`(?m)^E: dpkg was interrupted.*`), ErrInterrupted, "dpkg --configure -a"},
		{re(`(?m)^.*(Unable to acquire the dpkg frontend lock|Unable to lock|locked by another process).*`), ErrLocked, "wait until it has finished, then try again"},
		{re(`(?m)^.*(No space left on device|enough free space).*`), syscall.ENOSPC, "df -h /var /usr; apt-get clean"},
		{re(`(?m)^.*(Unable to locate package|has no installation candidate|Couldn't find any package).*`), ErrUnknownPackage, "apt-get update; is \"main\" among the components in /etc/apt/sources.list?"},
		{re(`(?m)^.*(Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Connection failed|connection timed out|Network is unreachable|Failed to fetch|Unable to fetch some archives).*`), ErrNetwork, "apt-get update must work first: look at the network, DNS and /etc/apt/sources.list"},
		{re(`(?m)^.*(Unmet dependencies|unmet dependencies|held broken packages).*`), ErrUnmet, "apt-get -s -f install shows what would mend it; apt-mark showhold"},
	}
}

// explain returns the error for the output of a tool.
func explain(argv []string, res system.Result) error {
	said := string(res.Stderr) + "\n" + string(res.Stdout)
	e := &Error{Tool: toolName(argv), Reason: ErrFailed, Output: lastErrors(said, res.Code)}
	for _, s := range failurePatterns() {
		if line := s.text.FindString(said); line != "" {
			e.Reason, e.Output, e.hint = s.reason, stripPrefix(line), s.hint
			if who := regexp.MustCompile(`Could not get lock \S+ It is held by process \d+ \([^)]*\)`).FindString(said); who != "" && s.reason == ErrLocked {
				e.Output = who
			}
			break
		}
	}
	return e
}

// toolName returns the program and the verb of a command.
func toolName(argv []string) string {
	name := path.Base(argv[0])
	for _, arg := range argv[1:] {
		switch arg {
		case "install", "update":
			return name + " " + arg
		}
	}
	return name
}

// stripPrefix removes the prefix of messages from apt and dpkg.
func stripPrefix(line string) string {
	line = strings.TrimSpace(line)
	for _, prefix := range []string{"E: ", "W: ", "Err: ", "dpkg: error: ", "dpkg-query: error: ", "debconf: "} {
		line = strings.TrimPrefix(line, prefix)
	}
	return line
}

// lastErrors returns the last error lines of an output with no known reason.
func lastErrors(said string, code int) string {
	lines := regexp.MustCompile(`(?m)^(E: |dpkg: error|dpkg-query: error|debconf: ).*`).FindAllString(said, -1)
	if len(lines) > 4 {
		lines = lines[len(lines)-4:]
	}
	for i, line := range lines {
		lines[i] = stripPrefix(line)
	}
	return strings.Join(append([]string{fmt.Sprintf("exit status %d", code)}, lines...), "; ")
}
