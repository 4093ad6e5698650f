package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"

	"github.com/miekg/dns"
)

// NameServer is one address of a name server.
type NameServer struct {
	Name    string // without final dot
	Address string // with port; "" if its name has none
}

// String returns the server's name and address for messages.
func (n NameServer) String() string {
	host, _, err := net.SplitHostPort(n.Address)
	if err != nil {
		return n.Name
	}
	return n.Name + " (" + host + ")"
}

// Authority is a zone with every address of its authoritative servers.
type Authority struct {
	Zone    string // absolute
	Servers []NameServer
	// Named are the absolute names in the zone itself, as the resolver sees it, and
	// Delegated those of the parent zone. If these are not known, DelegationError says
	// why; known and none means that the zone is not delegated.
	Named, Delegated []string
	DelegationError  error
}

// Authority finds the servers of a zone: those in the delegation of the parent zone,
// which the world queries first, and those that the zone itself names.
func (c *Client) Authority(ctx context.Context, zone string) (Authority, error) {
	return c.zones.getOrFind(ctx, zone, func() (Authority, error) { return c.findServers(ctx, zone) })
}

// maxNameServers and maxAddresses are how many name servers of a zone, and addresses of
// each, are looked at: a hostile zone has thousands. The root has thirteen.
const maxNameServers, maxAddresses = 20, 8

func (c *Client) findServers(ctx context.Context, zone string) (Authority, error) {
	a := Authority{Zone: zone}
	var wg sync.WaitGroup
	wg.Go(func() { a.Delegated, _, a.DelegationError = c.Delegation(ctx, zone) })
	wg.Go(func() {
		records, _, _ := c.Lookup(ctx, zone, "NS")
		for _, r := range records {
			if r.Type == "NS" {
				a.Named = append(a.Named, r.Value)
			}
		}
	})
	wg.Wait()
	slices.Sort(a.Named)
	a.Named = slices.Compact(a.Named)
	names := slices.Concat(a.Named, a.Delegated)
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > maxNameServers {
		names = names[:maxNameServers]
	}
	servers := make([][]NameServer, len(names))
	for i, n := range names {
		wg.Go(func() { servers[i] = c.addressesOf(ctx, n) })
	}
	wg.Wait()
	a.Servers = slices.Concat(servers...)
	if len(a.Servers) == 0 {
		return a, fmt.Errorf("no name server of %s is known", dnsname.TrimDot(zone))
	}
	return a, ctx.Err()
}

// ZoneOf returns the origin of the zone that holds a name. It queries for a type that
// is never answered from behind an alias; the negative answer has the SOA (RFC 2308
// section 3), which some caches omit.
func (c *Client) ZoneOf(ctx context.Context, name string) (string, error) {
	name = dns.CanonicalName(name)
	return c.origins.getOrFind(ctx, name, func() (string, error) { return c.findZone(ctx, name) })
}

func (c *Client) findZone(ctx context.Context, name string) (string, error) {
	for at := name; at != "."; at = dnsname.Parent(at) {
		m, err := c.recurse(ctx, at, dns.TypeCNAME)
		if err == nil && len(m.Answer) == 0 && !holdsSOA(m, at) {
			m, err = c.recurse(ctx, at, dns.TypeSOA)
		}
		if err != nil {
			return "", fmt.Errorf("find the zone of %s: %w", dnsname.TrimDot(name), err)
		}
		for _, rr := range slices.Concat(m.Answer, m.Ns) {
			owner := dns.CanonicalName(rr.Header().Name)
			switch {
			case rr.Header().Rrtype != dns.TypeSOA || !dns.IsSubDomain(owner, at):
			case dns.CountLabel(owner) < 2:
				return "", fmt.Errorf("find the zone of %s: %w, says %s", dnsname.TrimDot(name), ErrNoZone, owner)
			default:
				return owner, nil
			}
		}
	}
	return "", fmt.Errorf("find the zone of %s: %w", dnsname.TrimDot(name), ErrNoZone)
}

// ErrNoZone says that no zone below those of registries holds a name.
var ErrNoZone = errors.New("nobody is in charge of it")

// holdsSOA reports whether an answer has the SOA of a zone at or above a name.
func holdsSOA(m *dns.Msg, name string) bool {
	return slices.ContainsFunc(m.Ns, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeSOA && dns.IsSubDomain(rr.Header().Name, name)
	})
}

func (c *Client) addressesOf(ctx context.Context, name string) []NameServer {
	var found [2][]state.Record
	var wg sync.WaitGroup
	wg.Go(func() { found[0], _, _ = c.Lookup(ctx, name, "A") })
	wg.Go(func() { found[1], _, _ = c.Lookup(ctx, name, "AAAA") })
	wg.Wait()
	var list []NameServer
	for _, records := range found {
		for _, r := range records[:min(len(records), maxAddresses)] {
			if r.Type == "A" || r.Type == "AAAA" {
				list = append(list, NameServer{dnsname.TrimDot(name), net.JoinHostPort(r.Value, c.Port)})
			}
		}
	}
	if len(list) == 0 {
		list = append(list, NameServer{Name: dnsname.TrimDot(name)})
	}
	return list
}

// attempts is the number of queries to one server: a lost datagram does not mean that
// it is down.
const attempts = 2

// noWay is the finding about a server that cannot be asked from here.
var noWay = Finding{NotAsked, "this machine has no way to its address", "ask it from another network"}

// behindNAT returns where this machine's own name server is asked in place of an address
// that only others can reach.
func (c *Client) behindNAT(address string) (here string, ok bool) {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", false
	}
	here, ok = c.Behind[ap.Addr()]
	return here, ok
}

// Ask queries a name server itself and accepts only authoritative answers. The finding
// is a fault of the server as a whole.
func (c *Client) Ask(ctx context.Context, n NameServer, zone, name string, t uint16) (*dns.Msg, Finding) {
	if n.Address == "" {
		return nil, Finding{NoAddress, "its name has no address", "give " + n.Name + " an address, or take its NS record out of " + dnsname.TrimDot(zone)}
	}
	got, err := c.direct.getOrFind(ctx, n.Address+" "+zone+" "+dns.TypeToString[t]+" "+dns.CanonicalName(name), func() (directAnswer, error) {
		m, wrong := askDirectly(ctx, c, n, zone, name, t)
		return directAnswer{m, wrong}, ctx.Err()
	})
	if err != nil && got.msg == nil && got.wrong.OK() { // another one asked, and this one had no time left
		return nil, unanswered(wireError(err, c.Timeout))
	}
	return got.msg, got.wrong
}

// unanswered is the fault of a server that does not answer.
func unanswered(why string) Finding {
	return Finding{NoAnswer, "it does not answer: " + why, "see that it runs and that port 53 is open, UDP and TCP"}
}

func askDirectly(ctx context.Context, c *Client, n NameServer, zone, name string, t uint16) (*dns.Msg, Finding) {
	if c.silent.givenUp(n.Address) {
		return nil, unanswered(fmt.Sprintf("nothing came within %v, several times", c.Timeout))
	}
	if here, ok := c.behindNAT(n.Address); ok {
		m, err := exchange(ctx, c, here, Query(name, t, false))
		if err == nil && checkAuthority(m, dnsname.TrimDot(zone)).OK() {
			return m, Finding{}
		}
		return nil, noWay // another machine behind the same address may be meant
	}
	var m *dns.Msg
	err := errors.New("not asked")
	for range attempts {
		if m, err = exchange(ctx, c, n.Address, Query(name, t, false)); err == nil || ctx.Err() != nil {
			break
		}
	}
	switch {
	case errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
		return nil, noWay
	case err != nil:
		if ctx.Err() == nil && !errors.Is(err, syscall.ECONNREFUSED) { // which costs no time
			c.silent.note(n.Address, false)
		}
		return nil, unanswered(wireError(err, c.Timeout))
	}
	c.silent.note(n.Address, true)
	return m, checkAuthority(m, dnsname.TrimDot(zone))
}

// wireError describes a failed exchange in few words.
func wireError(err error, timeout time.Duration) string {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens there"
	}
	if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("nothing came within %v", timeout)
	}
	return err.Error()
}

// checkAuthority returns a fault for answers of a server that is not authoritative for
// the zone.
func checkAuthority(m *dns.Msg, zone string) Finding {
	switch {
	case m.Rcode == dns.RcodeRefused:
		return Finding{Refuses, "it refuses to answer for " + zone, "configure the zone " + zone + " there, or take its NS record out"}
	case m.Rcode == dns.RcodeServerFailure:
		return Finding{Broken, "it answers SERVFAIL: it has the zone " + zone + " but could not load or renew it", "see its log; with BIND: rndc zonestatus " + zone}
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return Finding{Broken, "it answers " + dns.RcodeToString[m.Rcode], "see its log"}
	case !m.Authoritative:
		return Finding{Lame, "it is not in charge of " + zone + ", although it is named as one who is (lame)", "configure the zone " + zone + " there, or take its NS record out"}
	}
	return Finding{}
}

// SerialAt queries one server of a zone for its serial.
func (c *Client) SerialAt(ctx context.Context, n NameServer, zone string) (uint32, Finding) {
	m, wrong := c.Ask(ctx, n, zone, zone, dns.TypeSOA)
	if wrong.Fault != OK {
		return 0, wrong
	}
	for _, rr := range m.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial, Finding{}
		}
	}
	return 0, Finding{}
}

// Complete reports whether every name server has an address.
func (a Authority) Complete() bool {
	return !slices.ContainsFunc(a.Servers, func(n NameServer) bool { return n.Address == "" })
}
