// Package subject is what mailsetup check looks at: a server and its mail domains,
// as facts, without any verdict.
package subject

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/memory"
	"mailsetup/internal/keyring"
	"mailsetup/internal/postconf"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
)

// Server is the machine that is checked.
type Server struct {
	// Name is what it says in EHLO (smtp_helo_name, or else myhostname), without final
	// dot; "" if nothing here sends mail.
	Name   string
	Facts  state.Facts
	Egress []Egress
	// Hidden are source addresses that nobody outside sees: the public ones of an address
	// translation (NAT) are in Egress only where somebody declared them.
	Hidden []Egress
	// Smarthost is the nexthop of all mail to the Internet as Postfix has it
	// ([smtp.example.net]:587, see ParseHop), "" for none: then the addresses that
	// receivers see are not those of this machine.
	Smarthost string
	// SetUp: mailsetup init has run here. Else Spec and Ledger are empty.
	SetUp  bool
	Spec   spec.Spec
	Ledger keyring.Ledger
	// Edited are files that mailsetup wrote and somebody edited since: init overwrites them
	// with --overwrite-drift alone, and does nothing without.
	Edited []state.Path
	// Elapsed is how long keys have certainly been in their stages.
	Elapsed keyring.Elapsed
	// Ticks: a timer or cron runs rotate-dkim.
	Ticks bool
	// Unprivileged: what only root may read is not known.
	Unprivileged bool
	Now          time.Time
	// Memory is what earlier checks saw, nil for nothing.
	Memory *memory.Memory
	// Transfers are waited for; nil: nobody waits.
	Transfers *Transfers
}

// ZoneEdited reports whether somebody edited the records of a domain that mailsetup wrote
// into a file of its zone.
func (s Server) ZoneEdited(domain string) bool {
	return slices.ContainsFunc(dns.FragmentsOf(domain), func(p state.Path) bool { return slices.Contains(s.Edited, p) })
}

// Egress is an address from which mail leaves, as receivers see it.
type Egress struct {
	Address netip.Addr
	// Origin is how that is known: "host.toml", "smtp_bind_address",
	// "smtp_bind_address of relay/unix", "inet_interfaces", "route".
	Origin string
}

// Domain is a mail domain that is checked.
type Domain struct {
	Name string // A-labels, lower case, without final dot
	// Wanted is its file in /etc/mailsetup/domains.d; nil for one that mailsetup does
	// not know.
	Wanted *spec.Domain
	Keys   []keyring.Key
	// Selectors are those with which a signer signs its mail that mailsetup has not set
	// up, as its configuration says.
	Selectors []Selector
	// Sends and Receives are what the domain is for, as declared, or else as found.
	Sends, Receives bool
	// Declared: the administrator said so. A domain that neither sends nor receives is
	// parked only if that was said.
	Declared bool
}

// Refuses reports whether Postfix certainly refuses mail of others for a domain that is
// declared to be received here.
func (s Server) Refuses(d Domain) bool {
	return d.Wanted != nil && d.Wanted.Receive && s.refuses(d.Name)
}

func (s Server) refuses(name string) bool {
	is, known := s.Facts.MailDomains[name]
	return known && is.Unknown == "" && is.Class == state.ClassDefault
}

// Refused returns the domains for which Refuses holds, up to a number.
func (s Server) Refused(most int) []string {
	var names []string
	for _, d := range s.Spec.Domains {
		if d.Receive && s.refuses(d.Name) && len(names) < most {
			names = append(names, d.Name)
		}
	}
	return names
}

// HasMailboxes reports whether Postfix takes mail of a domain for itself, as far as its
// settings name the domain.
func (s Server) HasMailboxes(domain string) bool {
	p := s.Facts.Postfix
	for _, name := range []string{"mydestination", "virtual_mailbox_domains", "virtual_alias_domains"} {
		if slices.Contains(postconf.Words(strings.ToLower(p.Value[name])), domain) {
			return true
		}
	}
	return slices.Contains(p.Listed, domain)
}

// Parked reports whether the domain is declared to have no mail at all.
func (d Domain) Parked() bool { return d.Declared && !d.Sends && !d.Receives }

// Public reports whether receivers on the Internet can see an address: private networks
// (RFC 1918, RFC 4193), those behind carriers (RFC 6598), loopback and links are not.
func Public(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsGlobalUnicast() && !a.IsPrivate() && !netip.MustParsePrefix("100.64.0.0/10").Contains(a)
}

// PublicEgress returns the addresses of the server that receivers see, each once; none
// if all mail leaves through a smarthost.
func (s Server) PublicEgress() []Egress {
	var list []Egress
	for _, e := range s.Egress {
		seen := slices.ContainsFunc(list, func(o Egress) bool { return o.Address == e.Address })
		if s.Smarthost == "" && !seen && Public(e.Address) {
			list = append(list, e)
		}
	}
	return list
}

// Undeclared reports whether mail leaves from an address that mailsetup was not told of,
// and that its records do not have: addr.egress says so.
func (s Server) Undeclared(a netip.Addr) bool {
	return s.SetUp && !slices.Contains(s.Spec.Host.Addresses, a)
}

// Has reports whether an address is one of the server: of an interface, or one from
// which mail leaves.
func (s Server) Has(a netip.Addr) bool {
	return slices.Contains(s.Facts.Addresses, a) || slices.ContainsFunc(s.Egress, func(e Egress) bool { return e.Address == a }) ||
		slices.Contains(s.Spec.Host.Addresses, a)
}

// Selector is a DKIM key in the configuration of a signer.
type Selector struct {
	Name    string // s=
	Domain  string // d=
	KeyFile string // "" if it is not known
	Program string // "OpenDKIM", "rspamd", "amavis"
}
