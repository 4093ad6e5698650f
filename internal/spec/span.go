package spec

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// DefaultDrain covers a week in our queue, another in the receiver's, and the
// time for which resolvers keep the record.
const DefaultDrain = 14 * day

const day = 24 * time.Hour

// maxDrain keeps a slip of the pen from meaning for ever.
const maxDrain = 366 * day

// Drain accepts how long a key that stopped signing stays published.
func Drain(s string) (time.Duration, error) {
	d, err := span(s)
	if err == nil && d > maxDrain {
		err = fmt.Errorf("is more than a year")
	}
	if err != nil {
		return 0, &BadValue{Field: "drain", Value: s, Why: err.Error(), Hint: `"14d" suits nearly everyone`}
	}
	return d, nil
}

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

// Span writes a span of time as the TOML files have it, in whole seconds and
// the largest unit that fits.
func Span(d time.Duration) string {
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
