package system

import (
	"slices"
	"strings"
)

// Fatal returns the last line of a journal by which a program of Postfix says why it
// dies, "" if there is none.
func Fatal(lines []string) string {
	for _, l := range slices.Backward(lines) {
		if strings.Contains(l, "fatal: ") || strings.Contains(l, "panic: ") {
			return l
		}
	}
	return ""
}

// Excerpt returns the last most lines of a journal, the one by which a program says why
// it dies among them: what follows from that may fill many.
func Excerpt(lines []string, most int) []string {
	last := lines[max(0, len(lines)-most):]
	if why := Fatal(lines); why != "" && !slices.Contains(last, why) {
		return append([]string{why}, last[1:]...)
	}
	return last
}
