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

// Values writes out texts that others wrote, as many and as much as a message has room
// for: somebody may have put thousands of them into DNS.
func Values(texts []string) string {
	const most, octets = 3, 450 // what an SPF record is advised to stay below, RFC 7208 section 3.4
	list := make([]string, 0, most)
	for _, t := range texts[:min(len(texts), most)] {
		if len(t) > octets {
			t = fmt.Sprintf("%s... (%d octets)", strings.ToValidUTF8(t[:octets], ""), len(t))
		}
		list = append(list, t)
	}
	all := strings.Join(list, " and ")
	if more := len(texts) - most; more > 0 {
		all = fmt.Sprintf("%s, and %d more", strings.Join(list, ", "), more)
	}
	return all
}

// List writes out the first names of many, and how many more there are.
func List(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// First returns the first of some lines, each wrapped, and how many things more there are.
func First(lines []string, most int, thing string) string {
	var b strings.Builder
	for _, l := range lines[:min(len(lines), most)] {
		b.WriteString(Wrap(Printable(l), 78) + "\n")
	}
	if more := len(lines) - most; more > 0 {
		b.WriteString("and " + Count(more, thing) + " more\n")
	}
	return b.String()
}
