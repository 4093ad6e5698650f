// Package prove asks block lists, and finds out through a resolver whether they can
// be believed.
package prove

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"mailsetup/internal/dnsbl"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/resolvconf"

	"github.com/miekg/dns"
)

// Asker asks lists.
type Asker struct{ DNS dnsclient.Resolver }

// Abilities are what a list has proved: it lists names of domains, addresses of a kind.
type Abilities struct{ Names, IPv4, IPv6 bool }

// maxAnswers bounds what is read of an answer.
const maxAnswers = 20

// Doubt is why a list cannot be believed.
type Doubt struct {
	Text string
	Kind Kind
}

// Kind is a kind of doubt.
type Kind int

// The kinds.
const (
	Wrong      Kind = iota // it answers what no list does
	Unanswered             // nobody answers for it
	Silent                 // it has nothing
	Refuses                // it says that it does not answer this resolver
)

// Prove asks a list for its own entries (RFC 5782 section 5): one that does not have
// the first is dead or refuses, one that has the second lists everything. Which kinds a
// list that is not known has is found by that as well. Without any, it says why.
func (a Asker) Prove(ctx context.Context, l dnsbl.List) (can Abilities, why Doubt) {
	if l.Domains || len(l.Codes) == 0 {
		listed, clear := l.Entries()
		can.Names, why = a.believable(ctx, l, listed, clear)
	}
	if !l.Domains {
		can.IPv4, why = a.believable(ctx, l, dnsbl.Reversed(netip.MustParseAddr("127.0.0.2")), dnsbl.Reversed(netip.MustParseAddr("127.0.0.1")))
		if can.IPv4 {
			can.IPv6, _ = a.believable(ctx, l, dnsbl.Reversed(netip.MustParseAddr("::ffff:127.0.0.2")), dnsbl.Reversed(netip.MustParseAddr("::ffff:127.0.0.1")))
		}
	}
	return can, why
}

// believable reports whether a list has one entry and lacks another, and why not.
func (a Asker) believable(ctx context.Context, l dnsbl.List, listed, clear string) (bool, Doubt) {
	yes, err := a.Addresses(ctx, l, listed)
	if err != nil {
		return false, Doubt{"it does not answer: " + clip(err.Error()), Unanswered}
	}
	switch v := l.Read(yes); {
	case v.Refused != "":
		return false, Doubt{v.Refused, Refuses}
	case len(v.Codes) == 0 && len(v.Odd) > 0:
		return false, Doubt{fmt.Sprintf("its test entry says %s, which no block list does", v.Odd[0]), Wrong}
	case len(v.Codes) == 0:
		return false, Doubt{"it lacks its test entry: it is dead, or does not answer this resolver", Silent}
	}
	no, err := a.Addresses(ctx, l, clear)
	switch v := l.Read(no); {
	case err != nil:
		return false, Doubt{"it does not answer: " + clip(err.Error()), Unanswered}
	case v.Refused != "":
		return false, Doubt{v.Refused, Refuses}
	case len(no) > 0:
		return false, Doubt{"it lists everything, even what no list has", Wrong}
	}
	return true, Doubt{}
}

// Door says why mail cannot be refused by a list: it cannot be believed, or lists
// something else than what it would be asked about; empty if it can.
func (a Asker) Door(ctx context.Context, s dnsbl.Site) Doubt {
	can, why := a.Prove(ctx, dnsbl.Named(s.Zone))
	switch {
	case can == (Abilities{}):
		return why
	case s.Domains && !can.Names || !s.Domains && !can.IPv4:
		return Doubt{Text: "it lists domains, and Postfix would ask it about addresses"}
	}
	return Doubt{}
}

// Resolves finds out what a name server does with a question about a name that it does
// not serve, by the test entry of a list. At is host:port, "" where nothing listens.
func Resolves(ctx context.Context, at string, s dnsbl.Site) resolvconf.Resolves {
	if at == "" {
		return resolvconf.NotRunning
	}
	c := dnsclient.New(at)
	m, err := c.Exchange(ctx, at, dnsclient.Query(dnsbl.TestEntry(s)+".", dns.TypeA, true))
	switch {
	case err != nil:
		return resolvconf.NotRunning
	case m.Rcode == dns.RcodeRefused || !m.RecursionAvailable:
		return resolvconf.Refuses
	}
	switch why := (Asker{c}).Door(ctx, s); {
	case why == (Doubt{}):
		return resolvconf.ByItself
	case why.Kind == Refuses: // it refuses whom it is asked by in the end
		return resolvconf.PassesOn
	}
	return resolvconf.NotKnown
}

// Addresses returns the addresses that a list has for a name.
func (a Asker) Addresses(ctx context.Context, l dnsbl.List, name string) ([]netip.Addr, error) {
	records, status, err := a.DNS.Lookup(ctx, name+"."+l.Zone+".", "A")
	if status == dnsclient.Unknown {
		return nil, errors.New(l.WithoutKey(err.Error()))
	}
	var all []netip.Addr
	for _, r := range records {
		if ip, err := netip.ParseAddr(r.Value); err == nil && r.Type == "A" && ip.Is4() && len(all) < maxAnswers {
			all = append(all, ip)
		}
	}
	return all, nil
}

// Reason is the text that a list has about an entry, "" if it has none.
func (a Asker) Reason(ctx context.Context, l dnsbl.List, name string) string {
	records, _, _ := a.DNS.Lookup(ctx, name+"."+l.Zone+".", "TXT")
	for _, r := range records {
		if r.Type == "TXT" {
			return clip(l.WithoutKey(r.Value))
		}
	}
	return ""
}

// clip cuts what others wrote.
func clip(text string) string {
	const most = 160
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}
