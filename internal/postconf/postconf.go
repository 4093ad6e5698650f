// Package postconf reads parameters of Postfix as postconf(5) describes them.
package postconf

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/milters"
	"mailsetup/internal/state"
)

// Host removes the port, and brackets, from an address in Postfix's notation.
func Host(address string) string {
	if end := strings.IndexByte(address, ']'); end > 0 && address[0] == '[' {
		return address[1:end]
	}
	if at := strings.LastIndexByte(address, ':'); at >= 0 {
		return address[:at]
	}
	return address
}

// IsLoopback reports whether a host is a loopback address or name.
func IsLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

// OnlyLoopback reports whether a list of networks has only the loopback.
func OnlyLoopback(networks string) bool {
	all := Words(networks)
	for _, w := range all {
		w = strings.NewReplacer("[", "", "]", "").Replace(w)
		address, _, _ := strings.Cut(w, "/")
		if !IsLoopback(strings.TrimPrefix(address, "::ffff:")) {
			return false
		}
	}
	return len(all) > 0
}

// Effective returns the value of a parameter in a service, references expanded.
func Effective(p *state.Postfix, s *state.Service, name string) string {
	if s != nil {
		if o, ok := s.Option(name); ok && o.Expanded != "" {
			return strings.TrimSpace(o.Expanded)
		}
	}
	own := func(name string) (string, bool) {
		if s == nil {
			return "", false
		}
		o, ok := s.Option(name)
		return o.Value, ok
	}
	lookup := func(name string) string {
		if value, ok := own(name); ok {
			return value
		}
		if value, ok := p.Raw[name]; ok {
			return value
		}
		return p.Value[name]
	}
	return strings.TrimSpace(milters.Expand(lookup(name), lookup))
}

// Has reports whether a list in main.cf or master.cf has a word.
func Has(value, word string) bool { return slices.Contains(Words(value), word) }

// The files that postconf(1) and master(5) are about.
const (
	MainCF   state.Path = "/etc/postfix/main.cf"
	MasterCF state.Path = "/etc/postfix/master.cf"
)

// Words returns the elements of a list in main.cf, postconf(5).
func Words(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}
