package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// SPFChange is what has to be added to a record.
type SPFChange struct {
	Pass    []netip.Addr // addresses that pass
	Include []string     // domains whose senders pass
	All     string       // what becomes of everybody else: fail, softfail, neutral; "" to leave it
}

// Merge returns the text with the changes made. Addresses come first: there they cost
// no look-up, and no name before them can end the evaluation. Other new terms go before
// the first one that could end it otherwise, which is all in nearly every record.
// Existing terms keep their order and spelling.
func (s SPF) Merge(c SPFChange) string {
	var terms, first []string
	for _, i := range c.Include {
		terms = append(terms, "include:"+i)
	}
	text := s.insert(terms, s.withAll(c.All))
	for _, a := range c.Pass {
		first = append(first, AddressTerm(a))
	}
	if len(first) == 0 {
		return text
	}
	version := len("v=spf1")
	return text[:version] + " " + strings.Join(first, " ") + text[version:]
}

// insert inserts terms into the text, which differs from the record's at most in its
// all.
func (s SPF) insert(terms []string, text string) string {
	if len(terms) == 0 {
		return text
	}
	added := strings.Join(terms, " ")
	for _, t := range s.terms {
		if t.Name == "all" || t.Name == "redirect" || t.Qualifier != 0 && t.Qualifier != '+' {
			return text[:t.start] + added + " " + text[t.start:]
		}
	}
	end := len(strings.TrimRight(s.text, " "))
	return text[:end] + " " + added + text[end:]
}

// withAll changes the qualifier of all, or adds an all if there is neither all nor
// redirect=.
func (s SPF) withAll(result string) string {
	if result == "" || result == s.All() || s.All() == "" {
		return s.text
	}
	all := map[string]string{"fail": "-all", "softfail": "~all", "neutral": "?all"}[result]
	if t, ok := s.Find("all"); ok {
		return s.text[:t.start] + all + s.text[t.end:]
	}
	return strings.TrimRight(s.text, " ") + " " + all
}

// AddressTerm returns the mechanism that passes one address.
func AddressTerm(a netip.Addr) string {
	if a = a.Unmap(); a.Is4() {
		return "ip4:" + a.String()
	}
	return "ip6:" + a.String()
}

// Union adds the terms of another record that pass more than this one: what two records
// at one name may have meant together.
func (s SPF) Union(other SPF) string {
	var terms []string
	for _, t := range other.Terms() {
		here := func(o Term) bool { return strings.EqualFold(o.String(), t.String()) }
		if t.Qualifier == '+' && t.Name != "all" && !slices.ContainsFunc(s.Terms(), here) {
			terms = append(terms, t.String())
		}
	}
	return s.insert(terms, s.text)
}

// Without returns the text without one of its terms.
func (s SPF) Without(t Term) string {
	return strings.TrimRight(s.text[:t.start], " ") + s.text[t.end:]
}

// First returns the text with the ip4 and ip6 of some addresses moved behind v=spf1: ""
// if they are in front of all names already, or a term before them would refuse what
// they pass.
func (s SPF) First(addrs []netip.Addr) string {
	var moved []Term
	names := false
	for _, t := range s.Terms() {
		n, ok := t.Network()
		ours := ok && t.Qualifier == '+' && slices.ContainsFunc(addrs, n.Contains)
		switch {
		case ours && names:
			moved = append(moved, t)
		case t.Lookup() && t.Name != "redirect":
			names = true
		case t.Qualifier != 0 && t.Qualifier != '+' && t.Name != "all":
			return ""
		}
	}
	if len(moved) == 0 {
		return ""
	}
	var words []string
	text := s.text
	for _, t := range slices.Backward(moved) {
		words = slices.Insert(words, 0, text[t.start:t.end])
		text = strings.TrimRight(text[:t.start], " ") + text[t.end:]
	}
	version := len("v=spf1")
	return text[:version] + " " + strings.Join(words, " ") + text[version:]
}
