package zonefile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Newer reports whether serial a comes after b in the arithmetic of RFC 1982,
// which wraps around.
func Newer(a, b uint32) bool { return a != b && a-b < 1<<31 }

// SerialBehind reports whether a server that has serial a lags behind one that has
// serial b. Serials exactly half the circle apart have no order (RFC 1982 section
// 3.2): Newer says of neither that it comes after the other, SerialBehind says of
// both that they lag, so that nothing counts as published which may not be.
func SerialBehind(a, b uint32) bool { return a != b && b-a <= 1<<31 }

// NextSerial returns a serial after old, in its style: a date with a count
// (YYYYMMDDnn, RFC 1912 section 2.2) moves to today, seconds since 1970 move
// to now, a counter counts. 0 is left out, since some servers give it a meaning.
func NextSerial(old uint32, now time.Time) uint32 {
	next := old + 1
	switch {
	case isDate(old):
		if today := dateSerial(now); Newer(today, old) {
			next = today
		}
	case isUnix(old, now):
		if seconds := uint32(now.Unix()); Newer(seconds, old) {
			next = seconds
		}
	}
	if next == 0 {
		next = 1
	}
	return next
}

func dateSerial(now time.Time) uint32 {
	y, m, d := now.Date()
	if y < 1970 || y > 2105 {
		return 1
	}
	return uint32(((y*100+int(m))*100+d)*100 + 1)
}

// isDate takes day 32 for a date too: it is where a hundred changes on the last
// day of a month lead.
func isDate(n uint32) bool {
	year, month, day := n/1000000, n/10000%100, n/100%100
	return year >= 1980 && year < 2100 && month >= 1 && month <= 12 && day >= 1 && day <= 32
}

// isUnix takes what lies between 2001 and tomorrow for seconds since 1970.
func isUnix(n uint32, now time.Time) bool {
	return n >= 1_000_000_000 && int64(n) <= now.Unix()+86400
}

// Serial returns the serial of the zone's SOA record.
func Serial(zone []byte) (uint32, error) {
	l, err := findSOA(zone, "")
	if err != nil {
		return 0, err
	}
	_, serial, err := l.soa()
	return serial, err
}

// WithSerial replaces the digits of the serial and no other byte.
func WithSerial(zone []byte, serial uint32) ([]byte, error) {
	l, err := findSOA(zone, "")
	if err != nil {
		return nil, err
	}
	at, _, err := l.soa()
	if err != nil {
		return nil, err
	}
	return replace(zone, []splice{{at.start, at.end, strconv.FormatUint(uint64(serial), 10)}}), nil
}

// Restore returns the old text of a zone under a serial higher than the
// current one's: secondaries do not go back.
func Restore(before, current []byte) ([]byte, error) {
	now, err := Serial(current)
	if err != nil {
		return nil, fmt.Errorf("current zone: %w", err)
	}
	old, err := Serial(before)
	if err != nil {
		return nil, fmt.Errorf("zone to restore: %w", err)
	}
	if Newer(old, now) {
		return slices.Clone(before), nil
	}
	return WithSerial(before, NextSerial(now, time.Time{}))
}

// layout has the positions of the lines that an edit changes.
type layout struct {
	soas         []soaAt
	includes     []entry // of the path asked for, without tokens
	otherInclude entry   // the first other $INCLUDE, with its path in file
	file         string
}

type soaAt struct {
	line int
	data []token
}

// findSOA parses a zone once and returns its SOA and the includes of one path.
func findSOA(zone []byte, include string) (layout, error) {
	var l layout
	for e, err := range entries(zone) {
		if err != nil {
			return layout{}, err
		}
		if e.directive() == "$INCLUDE" && len(e.tokens) > 1 {
			path := e.tokens[1].text
			e.tokens = nil
			if include != "" && path == include {
				l.includes = append(l.includes, e)
			} else if l.file == "" {
				l.otherInclude, l.file = e, path
			}
			continue
		}
		if typ, data := e.record(); typ == "SOA" {
			l.soas = append(l.soas, soaAt{e.line, slices.Clone(data)})
		}
	}
	return l, nil
}

// soa returns the serial and its position.
func (l layout) soa() (token, uint32, error) {
	switch {
	case len(l.soas) == 0 && l.file != "":
		return token{}, 0, fmt.Errorf("no SOA record here: it may be in %q, included in line %d", l.file, l.otherInclude.line)
	case len(l.soas) == 0:
		return token{}, 0, errors.New("no SOA record")
	case len(l.soas) > 1:
		return token{}, 0, fmt.Errorf("line %d: second SOA record, the first is in line %d", l.soas[1].line, l.soas[0].line)
	case len(l.soas[0].data) != 7:
		return token{}, 0, fmt.Errorf("line %d: SOA record has %d fields, want 7", l.soas[0].line, len(l.soas[0].data))
	}
	at := l.soas[0].data[2]
	n, err := strconv.ParseUint(at.text, 10, 32)
	if err != nil || at.quoted {
		return token{}, 0, fmt.Errorf("line %d: serial %q is not a number of 32 bits", at.line, at.text)
	}
	return at, uint32(n), nil
}
