package text

import (
	"fmt"
	"strings"
)

// Count returns a number of things whose plural ends in s: "1 key", "2 keys".
func Count(n int, thing string) string { return CountOf(n, thing, thing+"s") }

// CountOf returns a number of things: "1 unit to act on", "2 units to act on".
func CountOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// List writes out the first names of many, and how many more there are.
func List(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
