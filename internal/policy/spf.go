// Package policy reads and merges the policy records of a domain: SPF
// (RFC 7208) and DMARC (RFC 9989). Text that needs no change stays as it is,
// to the octet. What a record means for an address is for an evaluator.
package policy

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mailsetup/internal/dnsname"
)

// MaxLookups is the limit of terms with DNS queries in an SPF evaluation, RFC 7208
// section 4.6.4.
const MaxLookups = 10

// SPF is a record as it was written, and its terms.
type SPF struct {
	text  string
	terms []Term
}

// Term is a mechanism or a modifier, RFC 7208 section 4.6.1.
type Term struct {
	Qualifier byte   // + - ~ ?; 0 for a modifier
	Name      string // lower case: all, include, a, mx, ptr, ip4, ip6, exists, redirect, …
	// Value is what follows the name, without the : or = in front; that of a
	// and mx may begin with a /.
	Value      string
	start, end int
}

// String returns the term as a record has it, a + left out.
func (t Term) String() string {
	q := ""
	switch t.Qualifier {
	case 0:
		return t.Name + "=" + t.Value
	case '+':
	default:
		q = string(t.Qualifier)
	}
	switch {
	case t.Value == "":
		return q + t.Name
	case t.Value[0] == '/':
		return q + t.Name + t.Value
	}
	return q + t.Name + ":" + t.Value
}

// Lookup reports whether the term counts towards MaxLookups.
func (t Term) Lookup() bool {
	return slices.Contains([]string{"include", "a", "mx", "ptr", "exists", "redirect"}, t.Name)
}

// Column returns where the term begins in its record, in octets from 1.
func (t Term) Column() int { return t.start + 1 }

// Domain returns the domain-spec of a term, "" for the domain of the record itself.
func (t Term) Domain() string {
	if t.Name == "a" || t.Name == "mx" {
		name, _, _ := strings.Cut(t.Value, "/")
		return name
	}
	return t.Value
}

// Network returns the network of an ip4 or ip6.
func (t Term) Network() (n netip.Prefix, ok bool) {
	if t.Name != "ip4" && t.Name != "ip6" {
		return netip.Prefix{}, false
	}
	n, err := network(t.Value)
	return n, err == nil
}

// Around returns the network around an address that an a or mx passes together with it.
func (t Term) Around(a netip.Addr) netip.Prefix {
	m := dualPrefix.FindStringSubmatch(t.Value)
	bits, text := a.BitLen(), ""
	if len(m) > 0 {
		if text = m[4]; a.Is4() {
			text = m[2]
		}
	}
	if n, err := strconv.Atoi(text); err == nil {
		bits = n
	}
	return netip.PrefixFrom(a, bits).Masked()
}

// Open reports whether an a or mx passes every address of a family.
func (t Term) Open() bool {
	m := dualPrefix.FindStringSubmatch(t.Value)
	return len(m) > 0 && (m[2] == "0" || m[4] == "0")
}

// SPFError is a mistake in the syntax of a record.
type SPFError struct {
	start, end int
	text       string
}

// Error implements error.
func (e *SPFError) Error() string { return e.text }

// Column returns where the term with the mistake begins in the record, in octets from 1.
func (e *SPFError) Column() int { return e.start + 1 }

// IsSPF reports whether a TXT record is one for SPF, RFC 7208 section 4.5.
func IsSPF(text string) bool { return dnsname.IsSPF(text) }

// ParseSPF parses a record. A term that RFC 7208 does not know makes receivers return
// permerror, so it is an error.
func ParseSPF(text string) (SPF, error) {
	if !IsSPF(text) {
		return SPF{}, fmt.Errorf("%q does not begin with v=spf1", text)
	}
	s := SPF{text: text}
	for at := len("v=spf1"); at < len(text); {
		if text[at] == ' ' {
			at++
			continue
		}
		end := len(text)
		if n := strings.IndexByte(text[at:], ' '); n >= 0 {
			end = at + n
		}
		t, err := parseTerm(text[at:end])
		if err == nil && t.Qualifier == 0 && (t.Name == "redirect" || t.Name == "exp") && s.has(t.Name) {
			err = fmt.Errorf("%s= is there twice", t.Name)
		}
		if err != nil {
			return SPF{}, &SPFError{at, end, err.Error()}
		}
		t.start, t.end = at, end
		s.terms, at = append(s.terms, t), end
	}
	return s, nil
}

func (s SPF) has(name string) bool {
	return slices.ContainsFunc(s.terms, func(t Term) bool { return t.Name == name })
}

var modifier = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._-]*=`)

func parseTerm(word string) (Term, error) {
	if modifier.MatchString(word) {
		name, value, _ := strings.Cut(word, "=")
		t := Term{Name: strings.ToLower(name), Value: value}
		switch {
		case t.Name == "redirect" || t.Name == "exp":
			return t, domainSpec(word, value)
		case !macroString.MatchString(value):
			return t, fmt.Errorf("%q has a macro that is none (RFC 7208 section 7.1)", word)
		}
		return t, nil
	}
	t := Term{Qualifier: '+'}
	rest := word
	if strings.IndexByte("+-~?", word[0]) >= 0 {
		t.Qualifier, rest = word[0], word[1:]
	}
	t.Name = rest
	if i := strings.IndexAny(rest, ":/"); i >= 0 {
		t.Name, t.Value = rest[:i], strings.TrimPrefix(rest[i:], ":")
		if t.Value == "" || rest[i] == ':' && t.Value[0] == '/' {
			return Term{}, fmt.Errorf("%q has nothing after the colon", word)
		}
	}
	t.Name = strings.ToLower(t.Name)
	return t, t.fault(word)
}

// fault returns what is wrong with a mechanism's value.
func (t Term) fault(word string) error {
	switch t.Name {
	case "all":
		if t.Value != "" {
			return fmt.Errorf("%q: all takes no value", word)
		}
	case "include", "exists":
		return domainSpec(word, t.Value)
	case "ptr":
		if strings.Contains(t.Value, "/") {
			return fmt.Errorf("%q: ptr takes no prefix length", word)
		}
		if t.Value != "" {
			return domainSpec(word, t.Value)
		}
	case "a", "mx":
		if !dualPrefix.MatchString(t.Value) {
			return fmt.Errorf("%q has a prefix length that is none", word)
		}
		if name, _, _ := strings.Cut(t.Value, "/"); name != "" {
			return domainSpec(word, name)
		}
	case "ip4", "ip6":
		if n, err := network(t.Value); err != nil || n.Addr().Is4() != (t.Name == "ip4") {
			return fmt.Errorf("%q is no %s address or network", word, map[string]string{"ip4": "IPv4", "ip6": "IPv6"}[t.Name])
		}
	default:
		return fmt.Errorf("%q: SPF has no such mechanism", word)
	}
	return nil
}

// The grammar of RFC 7208 section 7.1. A domain-spec ends in a macro or in a
// top label, which is not of digits alone and not the only one: receivers take
// a:mail and a:192.0.2.1 for permanent errors. It has no c, r or t (section 7.2).
const (
	transformers = `(?:0*[1-9][0-9]*)?[rR]?[-.+,/_=]*`
	macroExpand  = `%(?:%|_|-|\{[slodiphcrtvSLODIPHCRTV]` + transformers + `\})`
	domainExpand = `%(?:%|_|-|\{[slodiphvSLODIPHV]` + transformers + `\})`
)

var (
	macroString  = regexp.MustCompile(`^(?:[!-$&-~]|` + macroExpand + `)*$`)
	domainString = regexp.MustCompile(`^(?:[!-$&-~]|` + domainExpand + `)*$`)
	domainEnd    = regexp.MustCompile(`(?:\.(?:[0-9a-zA-Z]*[a-zA-Z][0-9a-zA-Z]*|[0-9a-zA-Z]+-[0-9a-zA-Z-]*[0-9a-zA-Z])\.?|` + domainExpand + `)$`)
)

// domainSpec returns an error if a term has no valid domain.
func domainSpec(word, name string) error {
	switch {
	case name == "" || strings.Contains(name, "/"):
		return fmt.Errorf("%q names no domain", word)
	case !domainString.MatchString(name):
		return fmt.Errorf("%q has a macro that is none (RFC 7208 section 7.1)", word)
	case !domainEnd.MatchString(name):
		return fmt.Errorf("%q does not name a domain in full", word)
	}
	return nil
}

var dualPrefix = regexp.MustCompile(`^[^/]*(/([0-9]|[12][0-9]|3[0-2]))?(//([0-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?$`)

func network(s string) (netip.Prefix, error) {
	addr, bits, found := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, cmp.Or(err, fmt.Errorf("%q has a zone", s))
	}
	if !found {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	n, err := strconv.Atoi(bits)
	if err != nil || strconv.Itoa(n) != bits { // +24, 024
		return netip.Prefix{}, cmp.Or(err, fmt.Errorf("%q is no prefix length", bits))
	}
	return a.Prefix(n)
}

// String returns the record as it was written.
func (s SPF) String() string { return s.text }

// Terms returns the terms that are evaluated, in order: those after all are not, nor is
// redirect= beside an all (RFC 7208 section 6.1).
func (s SPF) Terms() []Term {
	evaluated, _ := s.split()
	return evaluated
}

// Ignored returns the terms that are not evaluated since there is an all.
func (s SPF) Ignored() []Term {
	_, ignored := s.split()
	return ignored
}

func (s SPF) split() (evaluated, ignored []Term) {
	end := slices.IndexFunc(s.terms, func(t Term) bool { return t.Name == "all" })
	for i, t := range s.terms {
		if t.Qualifier == 0 && (t.Name != "redirect" || end < 0) || t.Qualifier != 0 && (i <= end || end < 0) {
			evaluated = append(evaluated, t)
		} else {
			ignored = append(ignored, t)
		}
	}
	return evaluated, ignored
}

// Find returns the first evaluated term of a name.
func (s SPF) Find(name string) (Term, bool) {
	for _, t := range s.Terms() {
		if t.Name == name {
			return t, true
		}
	}
	return Term{}, false
}

// All returns the result for all other senders: fail, softfail, neutral or pass in the
// words of RFC 7208 section 2.6, neutral without an all (section 4.7); "" if another
// record decides (redirect=).
func (s SPF) All() string {
	if t, ok := s.Find("all"); ok {
		return map[byte]string{'-': "fail", '~': "softfail", '?': "neutral", '+': "pass"}[t.Qualifier]
	}
	if _, ok := s.Find("redirect"); ok {
		return ""
	}
	return "neutral"
}

// Redirect returns the domain of redirect=, "" for none.
func (s SPF) Redirect() string {
	t, _ := s.Find("redirect")
	return t.Value
}

// Includes returns the included domains, in lower case, without those of macros.
func (s SPF) Includes() []string {
	var list []string
	for _, t := range s.Terms() {
		if name := domain(t.Value); t.Name == "include" && t.Qualifier == '+' && !strings.Contains(name, "%") {
			list = append(list, name)
		}
	}
	return list
}

func domain(s string) string { return strings.ToLower(dnsname.TrimDot(s)) }

// Uses reports whether a mechanism is in the record and evaluated.
func (s SPF) Uses(name string) bool {
	_, ok := s.Find(name)
	return ok
}

// Lookups returns the number of the record's own terms with DNS queries.
func (s SPF) Lookups() int {
	n := 0
	for _, t := range s.Terms() {
		if t.Lookup() {
			n++
		}
	}
	return n
}

// Names reports whether an ip4 or ip6 of the record passes an address, whatever
// precedes it.
func (s SPF) Names(a netip.Addr) bool {
	return slices.ContainsFunc(s.Terms(), func(t Term) bool {
		n, err := network(t.Value)
		return (t.Name == "ip4" || t.Name == "ip6") && t.Qualifier == '+' && err == nil && n.Contains(a)
	})
}

// Literal evaluates the record without DNS. Sure is false if a term that needs DNS
// comes before the result.
func (s SPF) Literal(a netip.Addr) (pass, sure bool) {
	sure = true
	for _, t := range s.Terms() {
		n, err := network(t.Value)
		match := t.Name == "all" || (t.Name == "ip4" || t.Name == "ip6") && err == nil && n.Contains(a)
		switch {
		case match && t.Qualifier == '+':
			return true, true
		case match:
			return false, sure
		case t.Lookup():
			sure = false
		}
	}
	return false, sure
}
