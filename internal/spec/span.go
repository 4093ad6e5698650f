package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/spec/syntax"
)

// DefaultDrain covers a week in our queue, another in the receiver's, and the
// time for which resolvers keep the record.
const DefaultDrain = 14 * day

// The defaults of Rotation: half a year is what the field agrees on, an hour
// is as long as most resolvers remember that a record was not there.
const (
	DefaultEvery = 180 * day
	DefaultLag   = time.Hour
)

// HalfYear is the age up to which a key counts as rotated often enough.
const HalfYear = 184 * day

// QueueLife is how long Postfix tries to deliver a message, as others do
// (maximal_queue_lifetime, postconf(5)).
const QueueLife = 5 * day

// Never is the duration for what does not happen.
const Never time.Duration = -1

const day = 24 * time.Hour

// maxDrain limits a mistyped duration.
const maxDrain = 366 * day

// Drain accepts how long a key that stopped signing stays published.
func Drain(s string) (time.Duration, error) {
	return spanWithin("drain", s, `"14d" suits nearly everyone`, maxDrain, "a year")
}

// RotateEvery accepts the age at which a key gets a successor.
func RotateEvery(s string) (time.Duration, error) {
	return spanOrNever("rotate_every", s, `"180d" suits nearly everyone, "30d" is monthly`, 10*maxDrain)
}

// Revoke accepts for how long a drained key is shown as revoked.
func Revoke(s string) (time.Duration, error) {
	return spanOrNever("revoke", s, `"never" takes the record away at once, "30d" revokes it before`, maxDrain)
}

// Lag accepts how long a record has to be visible before its key signs.
func Lag(s string) (time.Duration, error) {
	return spanWithin("lag", s, `"1h" suits nearly everyone`, maxLag, "a month")
}

// maxLag is longer than any resolver remembers what a week of TTL told it.
const maxLag = 31 * day

func spanOrNever(field, s, hint string, most time.Duration) (time.Duration, error) {
	if strings.ToLower(strings.TrimSpace(s)) == never {
		return Never, nil
	}
	return spanWithin(field, s, hint, most, Span(most))
}

func spanWithin(field, s, hint string, most time.Duration, limit string) (time.Duration, error) {
	d, err := span(s)
	if err == nil && d > most {
		err = fmt.Errorf("is more than %s", limit)
	}
	if err != nil {
		return 0, &syntax.BadValue{Field: field, Value: s, Why: err.Error(), Hint: hint}
	}
	return d, nil
}

const never = "never"

// span reads a number with one unit: 14d, 36h, 90m, 10s.
func span(s string) (time.Duration, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	units := map[byte]time.Duration{'d': day, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if text == "" || units[text[len(text)-1]] == 0 {
		return 0, fmt.Errorf("is no span of time with a unit (d, h, m, s)")
	}
	unit := units[text[len(text)-1]]
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 31)
	if err != nil || n == 0 || time.Duration(n) > 1<<62/unit {
		return 0, fmt.Errorf("is no span of time with a unit (d, h, m, s)")
	}
	return time.Duration(n) * unit, nil
}

// Span writes a duration as the TOML files have it, in whole seconds and the largest
// unit that fits; "" if it is not set.
func Span(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d < 0:
		return never
	}
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if d >= u.unit && d%u.unit == 0 {
			return fmt.Sprintf("%d%s", d/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
