package postconf

import (
	"net/netip"
	"slices"
	"strings"

	"mailsetup/internal/state"
)

// PublicServices returns the smtpd(8) that strangers talk to: on port 25, or behind
// postscreen(8).
func PublicServices(p *state.Postfix) []*state.Service {
	var all []*state.Service
	for i := range p.Services {
		s := &p.Services[i]
		if s.Command == "smtpd" && (s.Name == "smtpd/pass" || Port(*s) == "25" && !onLoopback(*s)) {
			all = append(all, s)
		}
	}
	return all
}

// onLoopback reports whether a service listens at an address of this machine alone.
func onLoopback(s state.Service) bool {
	at := strings.TrimSuffix(s.Name, "/inet")
	host := strings.Trim(at[:max(0, strings.LastIndexByte(at, ':'))], "[]")
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// OwnNetworks returns mynetworks of a service that sets it itself, "" for one that does not,
// or sets nothing but addresses that no stranger has.
func OwnNetworks(p *state.Postfix, s *state.Service) string {
	if _, own := s.Option("mynetworks"); !own {
		return ""
	}
	value := Effective(p, s, "mynetworks")
	for _, w := range Words(value) {
		net := strings.NewReplacer("[", "", "]", "").Replace(w)
		n, err := netip.ParsePrefix(net)
		if a, e := netip.ParseAddr(net); e == nil {
			n, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || !n.Addr().IsLoopback() && !n.Addr().IsPrivate() || n.Bits() < 7 {
			return value
		}
	}
	return ""
}

// Decision is what a list of restrictions does with mail of a stranger to somebody
// elsewhere.
type Decision int

// The decisions.
const (
	Undecided Decision = iota // not known, or not by this list
	Refused                   // whatever comes after
	Permitted                 // by this list
)

// ForStrangers returns what a list does, and the word that decides it, "" if it ends
// without one. Restrictions that only refuse change nothing.
func ForStrangers(list string) (string, Decision) {
	words := Words(strings.ToLower(list))
	for i := 0; i < len(words); i++ {
		switch w := words[i]; {
		case w == "warn_if_reject": // the next only warns
			if i++; i < len(words) && takesArgument(words[i]) {
				i++
			}
		case slices.Contains([]string{"reject", "defer", "reject_unauth_destination", "defer_unauth_destination"}, w):
			return w, Refused
		case w == "permit":
			return w, Permitted
		case slices.Contains([]string{"permit_mynetworks", "permit_sasl_authenticated", "permit_auth_destination", "defer_if_permit", "defer_if_reject"}, w):
		case takesArgument(w):
			i++
		case strings.HasPrefix(w, "reject_"):
		default:
			return w, Undecided
		}
	}
	return "", Undecided
}

// takesArgument reports whether a restriction that only refuses is followed by a name.
func takesArgument(word string) bool {
	return strings.HasPrefix(word, "reject_rbl_") || strings.HasPrefix(word, "reject_rhsbl_")
}

// Port returns the port of a service, in figures where it has a name.
func Port(s state.Service) string {
	at, inet := strings.CutSuffix(s.Name, "/inet")
	if !inet {
		return ""
	}
	p := at[strings.LastIndexByte(at, ':')+1:]
	if n, named := map[string]string{"smtp": "25", "submission": "587", "smtps": "465", "submissions": "465"}[p]; named {
		return n
	}
	return p
}

// UserService reports whether users hand in mail at a service.
func UserService(p *state.Postfix, s state.Service) bool {
	if s.Command != "smtpd" || Port(s) == "" || Port(s) == "25" {
		return false
	}
	return Port(s) == "587" || Port(s) == "465" || Effective(p, &s, "smtpd_sasl_auth_enable") == "yes"
}
