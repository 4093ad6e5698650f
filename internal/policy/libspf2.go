package policy

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// compiledSize is how many octets of a record's compiled form libspf2 evaluates.
const compiledSize = 512

// numbered is a macro of the domain or the client's address that keeps some labels (RFC 7208
// section 7.1).
var numbered = regexp.MustCompile(`%\{([doiDOI])([0-9]+)[rR]?\}`)

// MisreadByLibspf2 says what libspf2 1.2.10, by which Debian's Exim and OpenDMARC evaluate
// SPF, makes of the record of a domain otherwise than RFC 7208 (measured on Debian 12):
// nothing behind 512 octets of the compiled form, 8 for ip4 and 20 for ip6, is evaluated;
// redirect= counts where it stands (section 6.1: behind all mechanisms); a macro that keeps
// all labels loses its first character; a dot in a modifier's name is an error.
func (s SPF) MisreadByLibspf2(domain string) (reasons []string) {
	size, ended := 0, ""
	for i, t := range s.terms {
		switch {
		case t.Qualifier == 0 && strings.Contains(t.Name, "."):
			reasons = append(reasons, fmt.Sprintf("%s= makes the record a permerror", t.Name))
		case t.Name == "redirect" && ended == "" && !s.has("all"): // that beside all is another mistake
			ended = "redirect="
		case t.Qualifier == 0:
		case ended != "":
			reasons = append(reasons, fmt.Sprintf("nothing behind %s is looked at", ended))
			ended = "-"
		case size >= compiledSize:
			reasons = append(reasons, fmt.Sprintf("nothing behind the first %d terms is looked at", i))
			ended = "-"
		}
		if ended == "-" {
			break
		}
		if t.Qualifier != 0 {
			size += compiled(t)
		}
	}
	for _, m := range numbered.FindAllStringSubmatch(s.text, -1) {
		labels := strings.Count(domain, ".") + 1
		if strings.EqualFold(m[1], "i") {
			labels = 4 // of IPv4
		}
		if n, err := strconv.Atoi(m[2]); err == nil && n >= labels {
			reasons = append(reasons, m[0]+" loses its first character")
		}
	}
	return reasons
}

// compiled is the least size of a mechanism in libspf2's form.
func compiled(t Term) int {
	switch t.Name {
	case "ip4":
		return 8
	case "ip6":
		return 20
	}
	return 4 + len(t.Domain())
}
