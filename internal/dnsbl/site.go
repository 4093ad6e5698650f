// Package dnsbl knows block lists in DNS (RFC 5782): their answers, what these mean, and
// how Postfix is told to refuse mail by them.
package dnsbl

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// DefaultCodes are the answers of a list of addresses that mean a listing. Without any,
// Postfix takes each answer for one, 127.255.255.254 included, by which lists refuse a
// resolver: then it refuses all mail.
const DefaultCodes = "127.0.0.[2..11]"

// Site is a list by which mail is refused.
type Site struct {
	Zone    string
	Codes   string // as postconf(5) has them: 127.0.0.[2..11]
	Domains bool   // it lists domains of senders; else addresses of clients
}

// Fault is what is wrong with a list as somebody wrote it.
type Fault struct {
	Value string // without a key
	Why   string // it cannot be meant
	Hint  string // what to write instead
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("%q %s; hint: %s", f.Value, f.Why, f.Hint) }

const (
	example = "as in zen.spamhaus.org, or zen.spamhaus.org=127.0.0.[2..11]"
	another = "name another one, " + example + ", or none"
	// maxZone leaves room for an IPv6 address in front (RFC 5782 section 2.4).
	maxZone = 253 - 64
)

// Parse reads LIST or LIST=CODES. A list without codes gets those that are right for it.
func Parse(text string) (Site, error) {
	text = strings.TrimSpace(text)
	zone, codes, given := strings.Cut(text, "=")
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	shown := Shown(zone)
	if why := badZone(zone); why != "" {
		return Site{}, &Fault{clip(shown), why, example}
	}
	if why := Dead(zone); why != "" {
		return Site{}, &Fault{shown, "is dead: " + why, another}
	}
	l := Named(zone)
	if l.Unfit != "" {
		return Site{}, &Fault{shown, "refuses no mail here: " + l.Unfit, another}
	}
	s := Site{Zone: zone, Codes: cmp.Or(l.Refuse, DefaultCodes), Domains: l.Domains}
	if !given {
		return s, nil
	}
	if why := badCodes(codes); why != "" {
		return Site{}, &Fault{shown + "=" + clip(codes), "has codes that cannot be used: " + why, s.Shown() + ", or " + shown + " alone, which means the same"}
	}
	s.Codes = codes
	return s, nil
}

// String returns the list as people and host.toml write it, and Postfix reads it.
func (s Site) String() string { return s.Zone + "=" + s.Codes }

// Shown is String without a key.
func (s Site) Shown() string { return Shown(s.Zone) + "=" + s.Codes }

// Answers are the addresses that mean a listing, nil if they are more than most.
func (s Site) Answers(most int) (all []string) {
	octets, why := pattern(s.Codes)
	if why != "" {
		return nil
	}
	all = []string{""}
	for i := range octets {
		var longer []string
		for _, front := range all {
			for n := range octets[i] {
				if octets[i].has(n) {
					longer = append(longer, front+[]string{"", "."}[min(i, 1)]+strconv.Itoa(n))
				}
			}
		}
		if all = longer; len(all) > most {
			return nil
		}
	}
	return all
}

// TestEntry is the absolute name, without the final dot, of the entry that every list has
// (RFC 5782 section 5).
func TestEntry(s Site) string {
	if listed, _ := Named(s.Zone).Entries(); s.Domains {
		return listed + "." + s.Zone
	}
	return "2.0.0.127." + s.Zone
}

// badZone says why no list can have a name, "" if one can.
func badZone(zone string) string {
	switch {
	case zone == "":
		return "has no name"
	case len(zone) > maxZone:
		return "is longer than the name of a list can be"
	case !strings.Contains(zone, "."):
		return "is no zone"
	}
	digits := true
	for label := range strings.SplitSeq(zone, ".") {
		if label == "" || len(label) > 63 {
			return "is no zone"
		}
		for _, r := range label {
			switch {
			case r >= 'a' && r <= 'z', r == '-', r == '_':
				digits = false
			case r >= '0' && r <= '9':
			default:
				return fmt.Sprintf("has %q, which no zone has", r)
			}
		}
	}
	if digits {
		return "is an address"
	}
	return ""
}

// CheckPattern reports what is wrong with codes in main.cf as Postfix reads them
// (postconf(5), reject_rbl_client), "" if nothing is: smtpd(8) ends with each connection
// otherwise, and takes no mail, while postfix check is content.
func CheckPattern(codes string) string {
	_, why := pattern(codes)
	return why
}

// CatchesRefusals reports whether a pattern takes answers for a listing by which lists
// say that they do not answer: 127.255.255.x, 127.0.0.1 or addresses outside 127.0.0.0/8.
func CatchesRefusals(codes string) bool {
	octets, why := pattern(codes)
	if why != "" {
		return false
	}
	errors := octets[0].has(127) && octets[1].has(255) && octets[2].has(255)
	public := octets[0].has(127) && octets[1].has(0) && octets[2].has(0) && octets[3].has(1)
	return errors || public || !octets[0].only(127)
}

// badCodes says why codes are not taken, "" if they are.
func badCodes(codes string) string {
	why := CheckPattern(codes)
	if why == "" && CatchesRefusals(codes) {
		why = "they have answers that are no listing, by which lists refuse a resolver (127.255.255.x, 127.0.0.1) or all that is not 127.x.x.x"
	}
	return why
}

// octet are the numbers that one of the four parts of a pattern has.
type octet [256]bool

func (o *octet) has(n int) bool { return o[n] }

func (o *octet) only(n int) bool {
	for i, in := range o {
		if in != (i == n) {
			return false
		}
	}
	return true
}

// pattern reads d.d.d.d, where each d is a number or [] with numbers and ranges n..n
// between semicolons, as ip_match_parse() of Postfix does, but that it takes no blanks.
func pattern(codes string) (octets [4]octet, why string) {
	parts, rest := 0, codes
	for ; ; parts++ {
		var field string
		if strings.HasPrefix(rest, "[") {
			end := strings.IndexByte(rest, ']')
			if end < 0 {
				return octets, "a [ is not closed"
			}
			field, rest = rest[1:end], rest[end+1:]
			if field == "" {
				return octets, "there is nothing between [ and ]"
			}
		} else {
			field, rest = rest, ""
			if end := strings.IndexByte(field, '.'); end >= 0 {
				field, rest = field[:end], field[end:]
			}
			if strings.ContainsAny(field, ";") {
				return octets, "numbers with ; between them stand in [ and ]"
			}
		}
		if parts == 4 {
			return octets, "it has more than four parts"
		}
		for item := range strings.SplitSeq(field, ";") {
			if why := octets[parts].add(item); why != "" {
				return octets, why
			}
		}
		switch {
		case rest == "" && parts == 3:
			return octets, ""
		case rest == "":
			return octets, fmt.Sprintf("it has %d parts, and an address has four", parts+1)
		case rest[0] != '.':
			return octets, fmt.Sprintf("%q stands where a dot or the end should be", clip(rest))
		}
		rest = rest[1:]
	}
}

// add adds a number or a range.
func (o *octet) add(item string) string {
	from, to, isRange := strings.Cut(item, "..")
	if !isRange {
		to = from
	}
	first, why := number(from)
	last, whyLast := number(to)
	switch {
	case why != "" || whyLast != "":
		return cmp.Or(why, whyLast)
	case first > last:
		return fmt.Sprintf("the range %s goes down", item)
	}
	for n := first; n <= last; n++ {
		o[n] = true
	}
	return ""
}

// number reads an octet.
func number(text string) (int, string) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, fmt.Sprintf("%q is no number; a range is written [2..11]", clip(text))
		}
	}
	n, err := strconv.Atoi(text)
	switch {
	case text == "":
		return 0, "a number is missing"
	case err != nil || n > 255:
		return 0, fmt.Sprintf("%s is no number from 0 to 255", clip(text))
	}
	return n, ""
}

// clip cuts what others wrote.
func clip(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
