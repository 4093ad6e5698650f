package stdio

import (
	"bytes"
	"log/syslog"
	"regexp"
	"strings"
	"sync"
	"unicode"
)

// maxLines is the number of lines of one run that go to the system's log: who closed
// standard error did not ask for ten thousand.
const maxLines = 500

// Syslog returns a function that sends lines to the system's log, syslog(3), under
// the name of the program. It is for what standard error does not take, and what a
// system without a log does not take is lost.
func Syslog(name string) func([]byte) {
	var w *syslog.Writer
	lines := newLines(func(line string) {
		if w == nil {
			w, _ = syslog.New(syslog.LOG_NOTICE|syslog.LOG_USER, name)
		}
		if w != nil {
			_ = w.Notice(line)
		}
	})
	return lines.add
}

// lines splits a stream into lines for a log.
type lines struct {
	mu      sync.Mutex
	to      func(string)
	partial []byte
	n       int
}

func newLines(to func(string)) *lines { return &lines{to: to} }

// sequence matches control sequences of terminals, ECMA-48.
var sequence = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

func (l *lines) add(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		i := bytes.IndexAny(l.partial, "\r\n")
		if i < 0 {
			return
		}
		line := sequence.ReplaceAllString(string(l.partial[:i]), "")
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return ' '
		}, line))
		l.partial = l.partial[i+1:]
		if line != "" && l.n < maxLines {
			l.n++
			l.to(line)
		}
	}
}
