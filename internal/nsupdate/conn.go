package nsupdate

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/system"
)

// fudge is how far apart the clocks of both sides may be, in seconds (RFC 8945
// section 10).
const fudge = 300

// answerTimeout is how long one answer of a primary is waited for.
const answerTimeout = 10 * time.Second

// ServerError is what a primary, or the way to it, answered instead of doing
// what it was asked for.
type ServerError struct {
	Server string
	Text   string
	Hint   string // what can be done about it
	// untouched: it is certain that the zone is as it was.
	untouched bool
	err       error
}

// Error implements error.
func (e *ServerError) Error() string { return fmt.Sprintf("name server %s: %s", e.Server, e.Text) }

// Hints returns what can be done about it.
func (e *ServerError) Hints() []string {
	if e.Hint == "" {
		return nil
	}
	return []string{e.Hint}
}

// Unwrap gives what lies below, and system.ErrUntouched where that is certain.
func (e *ServerError) Unwrap() []error {
	list := []error{e.err}
	if e.untouched {
		list = append(list, system.ErrUntouched)
	}
	return list
}

// conn is a connection to a primary on which every message is signed.
type conn struct {
	server string
	key    Key
	client dns.Client
	tcp    *dns.Conn
	broken error // why nothing more can be asked
}

// dial opens a line. A name is looked up in DNS: the system's resolver would
// believe /etc/hosts, where Debian has 127.0.1.1 for a server's own name.
func dial(ctx context.Context, r dnsclient.Resolver, server string, key Key) (*conn, error) {
	l := &conn{server: server, key: key, client: dns.Client{
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
		conn, err := l.client.DialContext(ctx, at)
		if err == nil {
			l.tcp = conn
			return l, nil
		}
		errs = append(errs, err)
	}
	return nil, unreached(errors.Join(errs...))
}

// endpoints are the addresses of a host:port, each with the port.
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

func (l *conn) close() { _ = l.tcp.Close() }

// ask sends a message and accepts only a reply that the same key signed. The
// reply may say no: see Rcode.
func (l *conn) ask(ctx context.Context, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.tcp.Close() })()
	m.SetTsig(l.key.Name, l.key.Algorithm, fudge, time.Now().Unix())
	// A dns.Conn signs its second message as the continuation of the first.
	r, _, err := l.client.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: l.tcp.Conn})
	if r == nil {
		if err == nil {
			err = errors.New("no answer")
		}
		l.broken = &ServerError{
			Server: l.server, Text: "did not answer: " + err.Error(), err: err,
			Hint: "see on the server whether it runs, and what it logged",
		}
		return nil, l.broken
	}
	return r, l.verifyTSIG(r, err)
}

// verifyTSIG insists on a signature of our key. invalid is what the library found
// wrong with the one that is there.
func (l *conn) verifyTSIG(r *dns.Msg, invalid error) error {
	t := r.IsTsig()
	switch {
	case t != nil && t.Error != dns.RcodeSuccess:
		return l.tsigError(t, invalid)
	case t == nil && r.Rcode != dns.RcodeSuccess:
		e := l.refusal(r.Rcode)
		if r.Rcode == dns.RcodeNotAuth { // what PowerDNS and Knot say of a signature that they do not accept
			e.Text = fmt.Sprintf("does not accept what the key %s signed, or is not the primary of the zone (NOTAUTH)", l.key)
			e.Hint = sameKey + "; --rfc2136-server names the primary"
		}
		e.Text, e.untouched = e.Text+" (the reply is not signed)", false
		return e
	case errors.Is(invalid, dns.ErrAuth): // a NOTAUTH, whose signature the library does not look at
		e := l.refusal(r.Rcode)
		e.untouched = false
		return e
	case t == nil:
		return &ServerError{
			Server: l.server, Text: "its reply is not signed, so that anybody may have sent it",
			Hint: "a forwarder or firewall between here and the server may take the signature off",
		}
	case invalid != nil:
		return &ServerError{
			Server: l.server, Text: "the signature of its reply does not verify: " + invalid.Error(), err: invalid,
			Hint: "the key " + l.key.String() + " must be the same on both sides",
		}
	}
	return nil
}

// sameKey is what a key has to be. Knot says BADKEY of one that it knows, too, if
// none of its rules lets that key do what was asked.
const sameKey = "name, algorithm and secret in the key file must be those of a key on the server, which must let it change the zone"

// tsigError explains why the server did not accept our signature (RFC 8945
// section 5.2). Such a reply proves nothing, signed or not: the library does not
// look at the signature of a NOTAUTH.
func (l *conn) tsigError(t *dns.TSIG, invalid error) error {
	e := &ServerError{Server: l.server, err: invalid}
	key := l.key.String()
	switch t.Error {
	case dns.RcodeBadKey:
		e.Text = fmt.Sprintf("does not know the key %s (BADKEY)", key)
		e.Hint = sameKey
	case dns.RcodeBadSig:
		e.Text = fmt.Sprintf("has another secret under the name %s (BADSIG)", key)
		e.Hint = "copy the key statement from the server's configuration once more"
	case dns.RcodeBadTime:
		e.Text = "finds that the clocks differ too much (BADTIME)" + clockSkew(t)
		e.Hint = "set the clock, here or there: timedatectl shows whether it is synchronised"
	default:
		e.Text = fmt.Sprintf("does not accept the signature (%s)", dns.RcodeToString[int(t.Error)])
		e.Hint = "the key statement must be the same on both sides"
	}
	return e
}

// clockSkew tells by how much, from the time that the server puts into its reply.
func clockSkew(t *dns.TSIG) string {
	b, err := hex.DecodeString(t.OtherData)
	if err != nil || len(b) != 6 {
		return ""
	}
	n, err := strconv.ParseInt(t.OtherData, 16, 64)
	if err != nil {
		return ""
	}
	d := time.Until(time.Unix(n, 0)).Round(time.Second)
	if d < 0 {
		return fmt.Sprintf(": it is %v behind this machine", -d)
	}
	return fmt.Sprintf(": it is %v ahead of this machine", d)
}

// refusal explains a response code (RFC 2136 section 2.2). What it refuses it
// did not do, not even in part.
func (l *conn) refusal(rcode int) *ServerError {
	e := &ServerError{Server: l.server, untouched: true}
	switch rcode {
	case dns.RcodeRefused:
		e.Text = fmt.Sprintf("does not let the key %s do this (REFUSED)", l.key)
		e.Hint = fmt.Sprintf("the server must have the zone and let the key change it; BIND's update-policy needs: grant %s zonesub A AAAA MX TXT;", l.key)
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

// prerequisiteFailed reports whether the zone changed between a look and the update.
func prerequisiteFailed(rcode int) bool {
	return rcode == dns.RcodeYXRrset || rcode == dns.RcodeNXRrset || rcode == dns.RcodeYXDomain
}
