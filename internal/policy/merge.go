package policy

import (
	"errors"
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

// maxUnion is how many records at one name are put together.
const maxUnion = 10

// UnionSPF returns one record with what several at one name may have meant together, the
// same whatever order an answer has them in. Of what they say about all other senders the
// mildest stays: it refuses nobody whom another of them lets through. One that passes
// everybody, or leaves them to another domain, gives way to all others.
func UnionSPF(texts []string) (SPF, error) {
	var list []SPF
	for _, t := range slices.Sorted(slices.Values(texts))[:min(len(texts), maxUnion)] {
		s, err := ParseSPF(t)
		if err != nil {
			return SPF{}, err
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		return SPF{}, errors.New("no record")
	}
	mildness := func(s SPF) int { return slices.Index([]string{"pass", "", "fail", "softfail", "neutral"}, s.All()) }
	slices.SortStableFunc(list, func(a, b SPF) int { return mildness(b) - mildness(a) })
	one := list[0]
	for _, other := range list[1:] {
		var err error
		if one, err = ParseSPF(one.union(other)); err != nil {
			return SPF{}, err
		}
	}
	return one, nil
}

// union adds the terms of another record that pass more than this one. Whom a redirect of
// the other passes, an include does.
func (s SPF) union(other SPF) string {
	var terms []string
	for _, t := range other.Terms() {
		if t.Name == "redirect" && other.All() == "" && !strings.EqualFold(t.Value, s.Redirect()) {
			t = Term{Qualifier: '+', Name: "include", Value: t.Value}
		}
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
