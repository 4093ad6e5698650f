// Package postconf reads parameters of Postfix as postconf(5) describes them.
package postconf

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strconv"
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

// AtLeast reports whether Postfix is of the given version or a later one.
func AtLeast(p *state.Postfix, major, minor int) bool {
	parts := append(strings.SplitN(p.Version, ".", 3), "", "")
	a, _ := strconv.Atoi(parts[0])
	b, _ := strconv.Atoi(parts[1])
	return slices.Compare([]int{a, b}, []int{major, minor}) >= 0
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

// Owner returns the user that services of Postfix run as. Facts have mail_owner only where
// main.cf sets it.
func Owner(p *state.Postfix) string { return cmp.Or(Effective(p, nil, "mail_owner"), "postfix") }

// ContentFilters returns the content filters of main.cf and of services that take
// mail, each with the service that sets it, nil for main.cf.
func ContentFilters(p *state.Postfix) []ContentFilter {
	const name = "content_filter"
	var all []ContentFilter
	if value := Effective(p, nil, name); value != "" {
		all = append(all, ContentFilter{nil, value})
	}
	for i := range p.Services {
		s := &p.Services[i]
		if _, own := s.Option(name); !own || !slices.Contains([]string{"smtpd", "pickup", "qmqpd"}, s.Command) {
			continue
		}
		if value := Effective(p, s, name); value != "" {
			all = append(all, ContentFilter{s, value})
		}
	}
	return all
}

// ContentFilter is a content_filter(5): transport:nexthop.
type ContentFilter struct {
	Service *state.Service
	Value   string
}

// Transport returns the service that takes mail to the filter; false if there is none.
func (f ContentFilter) Transport(p *state.Postfix) (state.Service, bool) {
	name, _, _ := strings.Cut(f.Value, ":")
	i := slices.IndexFunc(p.Services, func(s state.Service) bool { return s.Name == name+"/unix" })
	if i < 0 {
		return state.Service{}, false
	}
	return p.Services[i], true
}

// PipesBack reports whether a content filter may hand mail back by sendmail(1): it is a
// program, pipe(8). A table can choose a filter as well (FILTER, access(5)); so a program
// that is told to run sendmail counts, too.
func PipesBack(p *state.Postfix) bool {
	if p == nil {
		return false
	}
	runs := func(arg string) bool { return path.Base(strings.TrimPrefix(arg, "argv=")) == "sendmail" }
	return slices.ContainsFunc(ContentFilters(p), func(f ContentFilter) bool {
		s, found := f.Transport(p)
		return found && s.Command == "pipe"
	}) || slices.ContainsFunc(p.Services, func(s state.Service) bool {
		return s.Command == "pipe" && slices.ContainsFunc(s.Args, runs)
	})
}

// ProxyFilter returns the filter to which an smtpd hands messages while they come in,
// before any milter sees them (SMTPD_PROXY_README); "" for none.
func ProxyFilter(p *state.Postfix, s *state.Service) string {
	if s.Command != "smtpd" {
		return ""
	}
	return Effective(p, s, "smtpd_proxy_filter")
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
