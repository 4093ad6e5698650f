package step

import (
	"fmt"
	"strings"
)

// EnumerateUpTo writes out the first n of a list, and how many more there are.
func EnumerateUpTo(all []string, n int) string {
	if len(all) <= n {
		return Enumerate(all)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:n], ", "), len(all)-n)
}

// Enumerate writes a list out: "a, b and c".
func Enumerate(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
