package nsupdate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/hint"
	"mailsetup/internal/system"
)

// fudge is by how many seconds the clocks of both sides may differ (RFC 8945
// section 10).
const fudge = 300

// answerTimeout bounds the wait for one answer of a primary.
const answerTimeout = 10 * time.Second

// ServerError says why a primary did not carry out a request, or could not be reached.
type ServerError struct {
	Server string
	Text   string
	Hint   string // what can be done about it
	// untouched: it is certain that the zone was not changed.
	untouched bool
	err       error
}

// Error implements error.
func (e *ServerError) Error() string { return fmt.Sprintf("name server %s: %s", e.Server, e.Text) }

// Hints returns what can be done about it.
func (e *ServerError) Hints() []string { return hint.One(e.Hint) }

// Unwrap gives what lies below, and system.ErrUntouched where that is certain.
func (e *ServerError) Unwrap() []error {
	list := []error{e.err}
	if e.untouched {
		list = append(list, system.ErrUntouched)
	}
	return list
}

// conn is a TCP connection to a primary, on which every message is signed.
type conn struct {
	server string
	key    Key
	client dns.Client
	tcp    *dns.Conn
	broken error // why nothing more can be asked
}

// dial connects to a primary. It looks its name up in DNS: the system's resolver would
// use /etc/hosts, where Debian has 127.0.1.1 for the machine's own name.
func dial(ctx context.Context, r dnsclient.Resolver, server string, key Key) (*conn, error) {
	c := &conn{server: server, key: key, client: dns.Client{
		Net: "tcp", Timeout: answerTimeout, TsigSecret: map[string]string{key.Name: key.secret},
	}}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	unreached := func(err error) error {
		return &ServerError{
			Server: server, Text: "cannot be reached: " + err.Error(), untouched: true, err: err,
			Hint: "see that it runs and takes TCP on its port; --rfc2136-server names another one",
		}
	}
	all, err := endpoints(ctx, r, dnsclient.WithPort(server))
	if err != nil {
		return nil, unreached(err)
	}
	var errs []error
	for _, at := range all {
		conn, err := c.client.DialContext(ctx, at)
		if err == nil {
			c.tcp = conn
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, unreached(errors.Join(errs...))
}

// endpoints returns the addresses of a host:port, each with the port.
func endpoints(ctx context.Context, r dnsclient.Resolver, server string) ([]string, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return []string{server}, nil
	}
	var all []string
	for _, rtype := range []string{"AAAA", "A"} {
		records, _, err := r.Lookup(ctx, host, rtype)
		if err != nil {
			return nil, err
		}
		for _, rr := range records {
			if rr.Type == rtype {
				all = append(all, net.JoinHostPort(rr.Value, port))
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no address in DNS", host)
	}
	return all, nil
}

func (c *conn) close() { _ = c.tcp.Close() }

// ask sends a message and accepts only a reply that is signed with the same key. The
// Rcode of the reply may still be a refusal.
func (c *conn) ask(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.tcp.Close() })()
	m.SetTsig(c.key.Name, c.key.Algorithm, fudge, time.Now().Unix())
	// A dns.Conn signs its second message as the continuation of the first.
	r, _, err := c.client.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: c.tcp.Conn})
	if r == nil {
		if err == nil || errors.Is(err, net.ErrClosed) { // by us, when the time was over
			err = errors.New("no reply in time")
		}
		c.broken = &ServerError{
			Server: c.server, Text: "did not answer: " + err.Error(), err: err,
			Hint: "see on the server whether it runs, and what it logged",
		}
		return nil, c.broken
	}
	return r, c.verifyTSIG(r, err)
}

// refusal explains a response code (RFC 2136 section 2.2). An update that is refused
// was not carried out, not even in part.
func (c *conn) refusal(rcode int) *ServerError {
	e := &ServerError{Server: c.server, untouched: true}
	switch rcode {
	case dns.RcodeRefused:
		e.Text = fmt.Sprintf("does not let the key %s do this (REFUSED)", c.key)
		e.Hint = fmt.Sprintf("the server must have the zone and let the key change it; BIND's update-policy needs: grant %s zonesub A AAAA MX TXT;", c.key)
	case dns.RcodeNotAuth, dns.RcodeNotZone:
		e.Text = fmt.Sprintf("is not the primary of the zone (%s)", dns.RcodeToString[rcode])
		e.Hint = "--rfc2136-server names the primary"
	case dns.RcodeYXDomain, dns.RcodeYXRrset, dns.RcodeNXRrset, dns.RcodeNameError:
		e.Text = fmt.Sprintf("the zone was changed since the plan was made (%s)", dns.RcodeToString[rcode])
		e.Hint = "run the command again"
	case dns.RcodeServerFailure:
		e.Text = "could not do it (SERVFAIL)"
		e.Hint = "its log says why: often it may not write the zone's directory or journal"
	case dns.RcodeNotImplemented:
		e.Text = "does not know dynamic updates (NOTIMP)"
		e.Hint = "--dns manual prints the records instead"
	default:
		e.Text = "answers " + dns.RcodeToString[rcode]
	}
	return e
}

// prerequisiteFailed reports whether a response code says that the zone changed since it
// was read.
func prerequisiteFailed(rcode int) bool {
	return rcode == dns.RcodeYXRrset || rcode == dns.RcodeNXRrset || rcode == dns.RcodeYXDomain
}
