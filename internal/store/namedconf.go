package store

import (
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// minCachedConf is the length up to which it is no trouble to have a configuration of BIND
// printed again: that of some hundred zones.
const minCachedConf = 32 << 10

// checkers are the places of named-checkconf(8), which may print something else after an
// upgrade.
var checkers = []state.Path{"/usr/bin/named-checkconf", "/usr/sbin/named-checkconf"}

// NamedConf remembers what named-checkconf(8) printed of the configuration of BIND, while
// each file that it read stays the same. With ten thousand zones the program takes 0.2 s of
// a processor.
type NamedConf struct {
	files  Files
	failed func(error) // nil: nothing may be written
}

// NewNamedConf returns what remembers the configuration of BIND. It calls failed if something
// cannot be written; failed is nil if nothing may be.
func NewNamedConf(files Files, failed func(error)) *NamedConf { return &NamedConf{files, failed} }

// CheckedFiles are the files that a command reads, as they were before it did.
type CheckedFiles struct {
	command string
	marks   []fileMark
}

// Recall returns what a command printed, and the files that it read then; false unless all
// of them are as they were.
func (c *NamedConf) Recall(argv []string) (printed string, files []state.Path, ok bool) {
	if c == nil {
		return "", nil, false
	}
	text, err := system.ReadFile(c.files, state.NamedCache)
	known, printed, ok := parseChecked(string(text))
	if err != nil || !ok || known.command != strings.Join(argv, " ") {
		return "", nil, false
	}
	line := known.line()
	if same, _, err := compare(c.files, known.marks); err != nil || !same {
		return "", nil, false
	}
	if known.line() != line { // by now their stamps tell
		c.save(known, printed)
	}
	for _, m := range known.marks {
		files = append(files, m.path)
	}
	return printed, files, true
}

// Look returns how files are that a command will read; false if something stands there whose
// changes nothing tells of.
func (c *NamedConf) Look(argv []string, files []state.Path) (now CheckedFiles, ok bool) {
	if c == nil || c.failed == nil {
		return now, false
	}
	now.command = strings.Join(argv, " ")
	for _, p := range append(checkers[:len(checkers):len(checkers)], files...) {
		o, err := c.files.Stat(p)
		if err != nil || o.Kind != state.Regular && o.Kind != state.Absent {
			return now, false
		}
		m, err := markOf(c.files, p)
		if err != nil {
			return now, false
		}
		now.marks = append(now.marks, m)
	}
	return now, true
}

// Keep remembers what a command printed of files, if they are still as they were before.
func (c *NamedConf) Keep(before CheckedFiles, printed string) {
	if len(printed) < minCachedConf || !exists(c.files, state.OwnDir) {
		return
	}
	for _, m := range before.marks {
		if now, err := markOf(c.files, m.path); err != nil || now.hash != m.hash {
			return
		}
	}
	c.save(before, printed)
}

// save writes the cache. A hash tells whether all of it was written, so nobody waits for the
// disk.
func (c *NamedConf) save(files CheckedFiles, printed string) {
	line := files.line()
	if c.failed == nil || line == "" {
		return
	}
	err := makeDir(c.files, state.CacheDir)
	if err == nil {
		rest := line + printed
		err = write(c.files, false, ownFile{state.NamedCache, []byte(plan.Hash([]byte(rest)) + "\n" + rest)})
	}
	if err != nil {
		c.failed(err)
	}
}

// line returns the command and the files as one line, "" if one of them does not fit.
func (f CheckedFiles) line() string {
	if strings.ContainsAny(f.command, "\t\n") {
		return ""
	}
	return fingerprint{f.command, f.marks}.line("")
}

// parseChecked parses what save wrote.
func parseChecked(text string) (f CheckedFiles, printed string, ok bool) {
	hash, rest, _ := strings.Cut(text, "\n")
	line, printed, _ := strings.Cut(rest, "\n")
	p, ok := parseFingerprint(line)
	return CheckedFiles{p.wanted, p.files}, printed, ok && hash == plan.Hash([]byte(rest))
}
