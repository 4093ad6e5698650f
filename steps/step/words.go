package step

import (
	"fmt"
	"strings"
)

// EnumerateUpTo writes out the first of many.
func EnumerateUpTo(all []string, n int) string {
	if len(all) <= n {
		return Enumerate(all)
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:n], ", "), len(all)-n)
}

func Enumerate(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
