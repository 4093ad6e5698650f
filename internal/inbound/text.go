package inbound

import (
	"fmt"
	"strings"

	"mailsetup/internal/text"
)

// Summary says in a line what incoming mail meets.
func (p Policy) Summary() string {
	if !p.On() {
		const off = "not checked for SPF, DMARC or block lists"
		if n := len(p.Allow); n > 0 {
			return fmt.Sprintf("%s, which %d would be let past", off, n)
		}
		return off
	}
	parts := []string{"SPF " + p.SPF.String(), "DMARC " + p.DMARC.String()}
	if n := len(p.DNSBL); n > 0 {
		parts = append(parts, text.Count(n, "block list"))
	}
	if n := len(p.Allow); n > 0 {
		parts = append(parts, fmt.Sprintf("%d let past", n))
	}
	return strings.Join(parts, ", ")
}

// Shown returns the block lists without the keys of accounts there.
func (p Policy) Shown() []string {
	all := []string{}
	for _, site := range p.Lists() {
		all = append(all, site.Shown())
	}
	return all
}

// Text says what incoming mail meets, a line for each check.
func (p Policy) Text() string {
	meaning := func(what string, m Mode) string {
		switch m {
		case Mark:
			return "mark: a header says what failed, and nothing is refused"
		case Quarantine:
			return "quarantine: a header to file by what its domain wants in the spam folder"
		case Reject:
			return "reject: " + what
		case Off:
		}
		return "off: not checked"
	}
	list := func(all []string) string {
		if len(all) == 0 {
			return "none"
		}
		return strings.Join(all, " ")
	}
	allow := list(p.Allow)
	if len(p.Allow) > 0 && !p.On() {
		allow += " (nothing is checked yet)"
	}
	return "SPF          " + meaning("mail from servers that its domain forbids is refused", p.SPF) +
		"\nDMARC        " + meaning("what the domain in From wants refused is refused", p.DMARC) +
		"\nBlock lists  " + text.Indent(text.Wrap(list(p.Shown()), 65), 13)[13:] +
		"\nLet past     " + text.Indent(text.Wrap(allow, 65), 13)[13:] + "\n"
}
