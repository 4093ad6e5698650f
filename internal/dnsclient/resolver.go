// Package dnsclient asks resolvers and name servers.
package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/state"
)

// Status tells the kinds of empty answers apart.
type Status int

// The outcomes of a question. The zero value is "nobody answered", which must
// never be read as "nothing there".
const (
	Unknown  Status = iota // no server gave a usable answer
	Found                  // at least one record of the type asked for
	NoData                 // the name exists (or is an alias) without such records
	NXDomain               // the name does not exist (RFC 8020: nor anything below it)
)

// String implements fmt.Stringer.
func (s Status) String() string {
	switch s {
	case Found:
		return "found"
	case NoData:
		return "no such records"
	case NXDomain:
		return "no such name"
	default:
		return "no answer"
	}
}

// Resolver looks names up in public DNS. The records have the chain of aliases (type
// CNAME) in front of those asked for. The error is set exactly when the status is
// Unknown.
type Resolver interface {
	Lookup(ctx context.Context, name, rtype string) ([]state.Record, Status, error)
}

// Client is a Resolver that asks recursive name servers in turn.
type Client struct {
	// Timeout bounds the wait for one answer of one server.
	Timeout time.Duration
	// Port is that of authoritative servers, which are asked directly.
	Port string
	// Behind has the addresses of this machine that only others can reach, since it is
	// behind NAT, and where its own name server is asked in their place (host:port).
	Behind map[netip.Addr]string

	servers []string

	answers     *cache[answer]
	zones       *cache[Authority]
	origins     *cache[string]
	delegations *cache[[]string]
	direct      *cache[directAnswer]
	silent      *silent
	room        *room
}

// New returns a client of the given servers, addresses with or without a port.
// Each question waits two seconds for each server and goes round twice.
func New(servers ...string) *Client {
	c := &Client{Timeout: 2 * time.Second, Port: "53"}
	for _, s := range servers {
		c.servers = append(c.servers, WithPort(s))
	}
	return c
}

// Servers returns the name servers of a resolv.conf(5) text, 127.0.0.1 if it
// names none.
func Servers(resolvConf []byte) []string {
	conf, err := dns.ClientConfigFromReader(strings.NewReader(string(resolvConf)))
	if err != nil || len(conf.Servers) == 0 {
		return []string{"127.0.0.1"}
	}
	return conf.Servers
}

func WithPort(server string) string {
	if _, _, err := net.SplitHostPort(server); err == nil {
		return server
	}
	return net.JoinHostPort(server, "53")
}

// Lookup implements Resolver.
func (c *Client) Lookup(ctx context.Context, name, rtype string) ([]state.Record, Status, error) {
	t, ok := dns.StringToType[strings.ToUpper(rtype)]
	if !ok {
		return nil, Unknown, fmt.Errorf("look up %s: unknown record type %q", name, rtype)
	}
	a, err := c.answers.getOrFind(ctx, questionOf(name, rtype), func() (answer, error) { return c.lookup(ctx, name, t) })
	if err != nil {
		return nil, Unknown, fmt.Errorf("look up %s %s: %w", name, strings.ToUpper(rtype), err)
	}
	return a.records, a.status, nil
}

func (c *Client) lookup(ctx context.Context, name string, t uint16) (answer, error) {
	msg, err := c.recurse(ctx, name, t)
	if err != nil {
		return answer{}, err
	}
	return answerOf(msg, name, t), nil
}

// LookupTTL asks the resolver for records at a name, and returns for how long it will give
// the same answer: the smallest TTL, or that of a negative answer (RFC 2308 section 5).
func LookupTTL(ctx context.Context, c *Client, name string, t uint16) ([]state.Record, time.Duration, error) {
	m, err := c.recurse(ctx, name, t)
	if err != nil {
		return nil, 0, fmt.Errorf("look up %s %s: %w", name, dns.TypeToString[t], err)
	}
	list := m.Answer
	if records := AnswerChain(m, name, t); len(records) == 0 || records[len(records)-1].Type != dns.TypeToString[t] {
		list = append(list[:len(list):len(list)], m.Ns...)
	}
	var ttl *uint32
	for _, rr := range list {
		if h := rr.Header(); ttl == nil || h.Ttl < *ttl {
			ttl = &h.Ttl
		}
	}
	if ttl == nil {
		return AnswerChain(m, name, t), 0, nil
	}
	return AnswerChain(m, name, t), time.Duration(*ttl) * time.Second, nil
}

// answerOf returns what a message says about a name.
func answerOf(msg *dns.Msg, name string, t uint16) answer {
	a := answer{AnswerChain(msg, name, t), NoData}
	switch {
	case msg.Rcode == dns.RcodeNameError:
		a.status = NXDomain
	case len(a.records) > 0 && a.records[len(a.records)-1].Type == dns.TypeToString[t]:
		a.status = Found
	}
	return a
}

// failure is the error of a question that every resolver answered with a response code
// that says nothing about the name.
type failure struct{ error }

// Unwrap returns what each of them said.
func (f failure) Unwrap() error { return f.error }

// recurse queries the servers in turn until one gives a usable answer. If there is none
// it does so again, unless all have said so.
func (c *Client) recurse(ctx context.Context, name string, t uint16) (*dns.Msg, error) {
	if len(c.servers) == 0 {
		return nil, errors.New("no name server is known")
	}
	var errs []error
	for range 2 {
		errs = errs[:0]
		failed := 0
		for _, server := range c.servers {
			msg, err := askResolver(ctx, c, server, Query(name, t, true))
			if err == nil {
				err = usable(msg)
			}
			if err == nil {
				return msg, nil
			}
			if errors.As(err, new(RcodeError)) {
				failed++
			}
			errs = append(errs, fmt.Errorf("%s: %w", server, err))
			if ctx.Err() != nil {
				return nil, errors.Join(errs...)
			}
		}
		if failed == len(c.servers) {
			return nil, failure{errors.Join(errs...)}
		}
	}
	return nil, errors.Join(errs...)
}

// askResolver queries a resolver, and remembers whether it answers.
func askResolver(ctx context.Context, c *Client, server string, m *dns.Msg) (*dns.Msg, error) {
	r, err := exchange(ctx, c, server, m)
	if err == nil || isTimeout(err) && ctx.Err() == nil {
		c.silent.note(server, err == nil)
	}
	return r, err
}

// isTimeout reports whether an error is that nothing came in time.
func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// usable refuses answers that say nothing about the name: failures, and referrals of a
// server that does not recurse.
func usable(m *dns.Msg) error {
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return RcodeError(m.Rcode)
	}
	if m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && !m.Authoritative && Referral(m) != "" {
		return errors.New("does not recurse for us")
	}
	return nil
}

// Referral returns the zone that the message refers to, "" if it does not.
func Referral(m *dns.Msg) string {
	zone := ""
	for _, rr := range m.Ns {
		switch rr.Header().Rrtype {
		case dns.TypeSOA:
			return ""
		case dns.TypeNS:
			zone = dns.CanonicalName(rr.Header().Name)
		}
	}
	return zone
}

// maxAliases is how many aliases in a row are followed.
const maxAliases = 32

// AnswerChain returns the aliases from name on, and the records of type t at their end.
// A circle of aliases ends after one round.
func AnswerChain(m *dns.Msg, name string, t uint16) []state.Record {
	var aliases []state.Record
	at := dns.CanonicalName(name)
	for range min(len(m.Answer)+1, maxAliases) {
		var here []state.Record
		next := ""
		for _, rr := range m.Answer {
			if dns.CanonicalName(rr.Header().Name) != at {
				continue
			}
			if rr.Header().Rrtype == t {
				here = append(here, FromRR(rr))
			} else if alias, ok := rr.(*dns.CNAME); ok {
				next = dns.CanonicalName(alias.Target)
				aliases = append(aliases, FromRR(rr))
			}
		}
		if len(here) > 0 || next == "" {
			return append(aliases, here...)
		}
		at = next
	}
	return aliases
}

func Query(name string, t uint16, recurse bool) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.CanonicalName(name), t)
	m.RecursionDesired = recurse
	m.AuthenticatedData = recurse // asks whether the answer was validated, RFC 6840 section 5.7
	// 1232 octets pass every path unfragmented (DNS flag day 2020); more comes
	// back truncated and is asked again over TCP.
	m.SetEdns0(1232, false)
	return m
}

// exchange queries one server, over TCP if the UDP answer is truncated and without EDNS
// if the server does not support it (RFC 6891 section 7).
func exchange(ctx context.Context, c *Client, server string, m *dns.Msg) (*dns.Msg, error) {
	r, err := c.send(ctx, "udp", server, m)
	if err == nil && (r.Rcode == dns.RcodeFormatError || r.Rcode == dns.RcodeNotImplemented) {
		plain := m.Copy()
		plain.Extra = nil
		r, err = c.send(ctx, "udp", server, plain)
	}
	if err == nil && r.Truncated {
		r, err = c.send(ctx, "tcp", server, m)
	}
	return r, err
}

// send puts a question over UDP or TCP, once there is room for it.
func (c *Client) send(ctx context.Context, network, server string, m *dns.Msg) (*dns.Msg, error) {
	if err := c.room.enter(ctx); err != nil {
		return nil, err
	}
	if c.silent.givenUp(server) { // while this question waited
		c.room.leave("", false, false)
		return nil, fmt.Errorf("nothing came within %v, several times", c.Timeout)
	}
	r, err := send(ctx, network, server, m, c.Timeout)
	c.room.leave(server, err == nil, isTimeout(err) && ctx.Err() == nil)
	return r, err
}

func send(ctx context.Context, network, server string, m *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := dns.Client{Net: network, Timeout: timeout, UDPSize: 4096}
	conn, err := d.DialContext(ctx, server)
	if err != nil {
		return nil, withoutPorts(err)
	}
	defer conn.Close()
	// The library looks at the context's deadline only; closing ends its wait
	// on cancellation as well.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	r, _, err := d.ExchangeWithConnContext(ctx, m, conn)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no answer over %s within %v: %w", network, timeout, ctx.Err())
		}
		return nil, withoutPorts(err)
	}
	if len(r.Question) != 1 || !sameQuestion(r.Question[0], m.Question[0]) {
		return nil, errors.New("answers another question")
	}
	return r, nil
}

// withoutPorts returns what went wrong without the addresses of both ends: the own port is
// another one each time, and two looks at the same fault would seem to differ.
func withoutPorts(err error) error {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Err != nil {
		return op.Err
	}
	return err
}

func sameQuestion(a, b dns.Question) bool {
	return a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}
