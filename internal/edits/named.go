package edits

import (
	"fmt"
	"regexp"
	"strings"

	"mailsetup/internal/namedconf"
	"mailsetup/internal/state"
)

// zoneMarks returns the comment lines around our statement of a zone.
func zoneMarks(origin string) (begin, end string) {
	return "// mailsetup: zone " + origin, "// mailsetup: end of zone " + origin
}

// ZoneStatement returns the statement of a zone, between its two comment lines.
func ZoneStatement(e state.NamedEdit) string {
	begin, end := zoneMarks(e.Origin)
	return fmt.Sprintf("%s\nzone \"%s\" {\n\ttype primary;\n\tfile \"%s\";\n};\n%s\n", begin, e.Origin, e.File, end)
}

// Named returns named.conf text with the zone statement in it, between two
// comment lines. A statement of ours that has the right type and file is left
// as it is, whatever the administrator added to it; another one is replaced in
// place. A statement for the zone that is not ours is an error: named refuses
// two.
func Named(e state.NamedEdit, current []byte) ([]byte, error) {
	if err := checkZone(e); err != nil {
		return nil, err
	}
	text := string(current)
	start, end, err := findBlock(e, text)
	if err != nil {
		return nil, err
	}
	if start < 0 {
		if declaresZone(text, e.Origin) {
			return nil, fmt.Errorf("%s: has a zone %q that mailsetup did not write", e.Path, e.Origin)
		}
		if text != "" {
			text = withNewline(text) + "\n"
		}
		return []byte(text + ZoneStatement(e)), nil
	}
	if declaresZone(text[:start]+text[end:], e.Origin) {
		return nil, fmt.Errorf("%s: has zone %q twice, once not written by mailsetup", e.Path, e.Origin)
	}
	if isPrimaryWithFile(text[start:end], e) {
		return current, nil
	}
	return []byte(text[:start] + ZoneStatement(e) + text[end:]), nil
}

// RemoveNamed returns named.conf text without our zone statement and the empty
// line before it.
func RemoveNamed(e state.NamedEdit, current []byte) ([]byte, error) {
	if err := checkZone(e); err != nil {
		return nil, err
	}
	text := string(current)
	start, end, err := findBlock(e, text)
	if err != nil {
		return nil, err
	}
	if start < 0 {
		return current, nil
	}
	before := text[:start]
	if strings.HasSuffix(before, "\n\n") {
		before = before[:len(before)-1]
	}
	return []byte(before + text[end:]), nil
}

func checkZone(e state.NamedEdit) error {
	if err := checkPlain("zone", e.Origin); err != nil {
		return err
	}
	if strings.ContainsAny(e.Origin, " /;{}") {
		return fmt.Errorf("zone %q: not a domain name", e.Origin)
	}
	return checkPlain("zone file", string(e.File))
}

// findBlock returns where our block starts and ends, -1 if there is none.
func findBlock(e state.NamedEdit, text string) (start, end int, err error) {
	begin, finish := zoneMarks(e.Origin)
	start = -1
	pos := 0
	for line := range strings.Lines(text) {
		next := pos + len(line)
		switch mark := strings.TrimSpace(line); {
		case mark == begin && start < 0:
			start = pos
		case mark == begin:
			return 0, 0, fmt.Errorf("%s: has two lines %q", e.Path, begin)
		case mark == finish && start >= 0:
			return start, next, nil
		}
		pos = next
	}
	if start >= 0 {
		return 0, 0, fmt.Errorf("%s: the line %q is missing", e.Path, finish)
	}
	return -1, -1, nil
}

// declaresZone reports whether a text has a zone statement for the name, outside
// comments.
func declaresZone(text, origin string) bool {
	statement := regexp.MustCompile(`(?i)(^|[\s;{}])zone\s+"?` + regexp.QuoteMeta(origin) + `\.?"?([\s{]|$)`)
	return statement.MatchString(namedconf.Uncomment(text))
}

// isPrimaryWithFile reports whether our block makes the zone a primary one with the
// file.
func isPrimaryWithFile(block string, e state.NamedEdit) bool {
	code := namedconf.Uncomment(block)
	kind := regexp.MustCompile(`(?i)[\s;{]type\s+(primary|master)\s*;`)
	file := regexp.MustCompile(`(?i)[\s;{]file\s+"` + regexp.QuoteMeta(string(e.File)) + `"\s*;`)
	return declaresZone(block, e.Origin) && kind.MatchString(code) && file.MatchString(code)
}
