// Package opendmarc reads opendmarc.conf(5) as the daemon does, and says which lines it
// lacks for a verdict on incoming mail that nobody outside can decide, and which of an
// administrator's lines stand against that.
package opendmarc

import (
	"strings"
)

// Setting is a line of opendmarc.conf(5).
type Setting struct {
	Name, Value string
	Line        int
}

// Conf is an opendmarc.conf(5). There is no way to include another file.
type Conf struct{ settings []Setting }

// Parse reads a configuration: names in any case, # begins a comment anywhere. What the
// daemon refuses to start with, opendmarc -n tells.
func Parse(text string) Conf {
	var c Conf
	n := 0
	for line := range strings.Lines(text) {
		n++
		if i := strings.IndexAny(line, "#\r\n"); i >= 0 {
			line = line[:i]
		}
		line = strings.Trim(line, " \t")
		i := strings.IndexAny(line, " \t")
		if i < 0 {
			continue
		}
		c.settings = append(c.settings, Setting{line[:i], strings.Trim(line[i:], " \t"), n})
	}
	return c
}

// Get returns the setting that counts: of two, the last.
func (c Conf) Get(name string) (Setting, bool) {
	for i := len(c.settings) - 1; i >= 0; i-- {
		if strings.EqualFold(c.settings[i].Name, name) {
			return c.settings[i], true
		}
	}
	return Setting{}, false
}

// Value returns the value of a setting, "" if there is none.
func (c Conf) Value(name string) string {
	s, _ := c.Get(name)
	return s.Value
}

// Yes reports whether a setting is on, in any of the daemon's words.
func (c Conf) Yes(name string) bool {
	v := c.Value(name)
	return v != "" && strings.ContainsAny(v[:1], "tTyY1")
}

// list returns the entries of a setting that has commas between them.
func (c Conf) list(name string) []string {
	return strings.FieldsFunc(c.Value(name), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
}
