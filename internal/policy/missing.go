package policy

import (
	"net/netip"
	"slices"
	"strings"
)

// Missing returns the terms of another record that this one does not have and whose
// senders it does not pass otherwise: nothing if it passes as much or more. A different
// result for all other senders (all, redirect=) counts.
func (s SPF) Missing(other SPF) []string {
	var list []string
	for _, t := range other.Terms() {
		switch {
		case t.Name == "all":
			if s.All() != other.All() {
				list = append(list, t.String())
			}
		case t.Name == "redirect":
			if domain(s.Redirect()) != domain(t.Value) {
				list = append(list, t.String())
			}
		case t.Qualifier == '+' && !s.passes(t):
			list = append(list, t.String())
		}
	}
	return list
}

// passes reports whether the record passes the senders of a term, as far as that can be
// told without DNS.
func (s SPF) passes(t Term) bool {
	if slices.ContainsFunc(s.Terms(), func(o Term) bool { return strings.EqualFold(o.String(), t.String()) }) {
		return true
	}
	a, err := netip.ParseAddr(t.Value)
	if err != nil || t.Name != "ip4" && t.Name != "ip6" {
		return false
	}
	pass, _ := s.Literal(a)
	return pass
}

// Missing returns the tags of another record that this one lacks, or has with another
// value. Additional report addresses do not count.
func (d DMARC) Missing(other DMARC) []string {
	var list []string
	for _, t := range other.tags {
		has, ok := d.Get(t.name)
		same := ok && strings.EqualFold(has, t.value)
		if t.name == "rua" || t.name == "ruf" {
			have := d.URIs(t.name)
			same = !slices.ContainsFunc(other.URIs(t.name), func(uri string) bool { return !slices.Contains(have, uri) })
		}
		if !same {
			list = append(list, t.name+"="+t.value)
		}
	}
	return list
}
