// Package dnsprovider knows providers that host zones by the names of their name servers,
// and habits of the forms in which they take records.
package dnsprovider

import (
	"fmt"
	"strings"

	"mailsetup/internal/dnsname"
)

// Provider hosts zones.
type Provider struct {
	Name    string
	Servers []string // the last labels of the names of its name servers; * is any part of one
	Habits
	Sources []string // where the habits are described
}

// Habits are those of a provider's form. What is not known is not said.
type Habits struct {
	Relative bool // names are entered without the domain, which the form adds
	Dot      bool // a host in a value ends in a dot, or the form adds the domain to it
	Quotes   bool // a TXT value stands in quotes, in strings of at most 255 octets
	Bare     bool // a TXT value has no quotes around it
	Splits   bool // the form splits a value of over 255 octets
	Proxies  bool // an address may be hidden behind one of the provider's own
	MaxTXT   int  // the most octets of a TXT value, 0 if that is not known
}

// Of returns the provider that runs all name servers of a zone, nil if that is none or
// not known: of two providers, either may be the one whose form counts.
func Of(servers []string) *Provider {
	var found *Provider
	for _, s := range servers {
		p := ofServer(strings.ToLower(dnsname.TrimDot(s)))
		if p == nil || found != nil && p != found {
			return nil
		}
		found = p
	}
	return found
}

func ofServer(name string) *Provider {
	for i := range Providers {
		for _, pattern := range Providers[i].Servers {
			if matches(name, pattern) {
				return &Providers[i]
			}
		}
	}
	return nil
}

// matches reports whether a name ends in the labels of a pattern.
func matches(name, pattern string) bool {
	labels, want := strings.Split(name, "."), strings.Split(pattern, ".")
	if len(labels) < len(want) {
		return false
	}
	labels = labels[len(labels)-len(want):]
	for i, w := range want {
		head, tail, any := strings.Cut(w, "*")
		if l := labels[i]; !any && l != w || any && (len(l) < len(head)+len(tail) || !strings.HasPrefix(l, head) || !strings.HasSuffix(l, tail)) {
			return false
		}
	}
	return true
}

// String returns the habits in a sentence without its stop, "" if none is known.
func (h Habits) String() string {
	var list []string
	add := func(is bool, text string) {
		if is {
			list = append(list, text)
		}
	}
	add(h.Relative, "enter names without the domain, which the form adds")
	add(h.Dot, "keep the dot at the end of a host in a value")
	add(h.Quotes, "enter TXT values in quotes, in strings of at most 255 octets, as they stand here")
	add(h.Bare, "enter TXT values without quotes")
	add(h.Splits, "enter long TXT values whole, since the form splits them")
	add(h.MaxTXT > 0, fmt.Sprintf("a TXT value has at most %d octets there", h.MaxTXT))
	add(h.Proxies, `have addresses of the mail server as "DNS only", without the proxy`)
	return strings.Join(list, "; ")
}
