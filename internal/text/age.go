package text

import (
	"fmt"
	"time"
)

// recent is for how long a time is told by its distance from now, and not by its
// date.
const recent = 48 * time.Hour

// Age returns how long ago something was, in the largest unit that says enough;
// "-" for the zero time.
func Age(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	switch d := max(0, now.Sub(at)); {
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < recent:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}

// Ago returns a time in the past as how long ago it was or, after two days, its
// date.
func Ago(at, now time.Time) string {
	if d := now.Sub(at); d < 0 || d >= recent {
		return Date(at)
	}
	return Age(at, now) + " ago"
}

// Soon returns a time in the future in the same way. What is due happens in the
// next run.
func Soon(at, now time.Time) string {
	switch d := at.Sub(now); {
	case at.IsZero() || d >= recent:
		return Date(at)
	case d <= 0:
		return "now"
	default:
		return "in " + Age(now, at.Add(time.Minute-time.Second)) // not before
	}
}

// Date returns the day of a time, "-" for the zero time.
func Date(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Format(time.DateOnly)
}
