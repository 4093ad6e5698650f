package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"mailsetup/internal/check/finding"
)

const (
	// fetchTime and maxPolicy bound how long is waited for a policy, and how much of it
	// is read: RFC 8461 section 3.3 suggests a minute and 64 kilobytes.
	fetchTime, maxPolicy = 15 * time.Second, 64 << 10
)

// fetched is what came of the look at a policy.
type fetched struct {
	asked   bool // false: its server belongs to others, who are not asked
	unknown error
	wrong   error // why senders have no policy
	remedy  finding.Remedy
	policy  Policy
}

// valid reports whether senders have the policy.
func (f fetched) valid() bool { return f.asked && f.unknown == nil && f.wrong == nil }

func policyHost(domain string) string { return "mta-sts." + domain }

func policyURL(domain string) string {
	return "https://" + policyHost(domain) + "/.well-known/mta-sts.txt"
}

// fetch gets the policy of a domain, if its server may be asked: this machine always.
func (c *checker) fetch(ctx context.Context, domain string) fetched {
	addresses, err := c.addresses(ctx, policyHost(domain))
	switch {
	case err != nil:
		return fetched{asked: true, unknown: err}
	case len(addresses) == 0:
		return fetched{
			asked: true, wrong: errors.New(policyHost(domain) + " has no address: senders find no policy"),
			remedy: finding.Text("publish the address of a web server that has the policy at " + policyHost(domain)),
		}
	case !c.o.Online && slices.ContainsFunc(addresses, func(a netip.Addr) bool { return !c.isHere(a) }):
		return fetched{}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	f := c.get(ctx, domain, addresses)
	f.asked = true
	return f
}

// get asks for the policy by HTTPS (RFC 8461 section 3.3).
func (c *checker) get(ctx context.Context, domain string, addresses []netip.Addr) fetched {
	var dialed error
	client := http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				conn, err := dialAny(ctx, network, addresses, c.o.HTTPSPort)
				dialed = err
				return conn, err
			},
			TLSClientConfig: &tls.Config{
				RootCAs: c.o.Roots, MinVersion: tls.VersionTLS12, Time: func() time.Time { return c.server.Now },
			},
			DisableKeepAlives: true, MaxResponseHeaderBytes: maxPolicy, ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, policyURL(domain), nil)
	if err != nil {
		return fetched{unknown: err}
	}
	response, err := client.Do(request)
	switch {
	case ctx.Err() != nil:
		return fetched{unknown: errors.New("no answer in time")}
	case dialed != nil:
		return fetched{unknown: short(dialed)}
	case err != nil:
		return fetched{
			wrong:  fmt.Errorf("senders get no policy: %w", unwrapped(err)),
			remedy: finding.Text("a certificate for " + policyHost(domain) + " of an authority that others trust, at that web server"),
		}
	}
	defer response.Body.Close()
	if f := judgeResponse(response); f.wrong != nil || f.unknown != nil {
		return f
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxPolicy+1))
	switch {
	case err != nil:
		return fetched{unknown: err}
	case len(text) > maxPolicy:
		return fetched{wrong: fmt.Errorf("senders refuse a policy of more than %d bytes", maxPolicy), remedy: finding.Text("shorten it")}
	}
	p, err := ParsePolicy(string(text))
	if err != nil {
		return fetched{wrong: fmt.Errorf("senders cannot use the policy: %w", err), remedy: finding.Text("correct the file behind " + policyURL(domain) + " (RFC 8461 section 3.2)")}
	}
	return fetched{policy: p}
}

// judgeResponse finds a response that has no policy.
func judgeResponse(r *http.Response) fetched {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests:
		return fetched{unknown: fmt.Errorf("the web server answers %d", r.StatusCode)}
	case r.StatusCode >= 300 && r.StatusCode < 400:
		return fetched{wrong: fmt.Errorf("the web server answers %d, and senders follow no redirect", r.StatusCode), remedy: finding.Text("serve the file itself under this name, by HTTPS")}
	case r.StatusCode != http.StatusOK:
		return fetched{wrong: fmt.Errorf("the web server answers %d: there is no policy", r.StatusCode), remedy: finding.Text("put the policy there (RFC 8461 section 3.2)")}
	case kind != "text/plain":
		return fetched{wrong: fmt.Errorf("the web server calls it %q instead of text/plain, and some senders refuse that", clip(kind)), remedy: finding.Text("have the web server send Content-Type: text/plain for mta-sts.txt")}
	}
	return fetched{}
}

// dialAny connects to the first address that takes the connection.
func dialAny(ctx context.Context, network string, addresses []netip.Addr, port string) (net.Conn, error) {
	var first error
	for _, a := range addresses {
		limit, cancel := context.WithTimeout(ctx, fetchTime/3)
		conn, err := new(net.Dialer).DialContext(limit, network, net.JoinHostPort(a.String(), port))
		cancel()
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// unwrapped returns the reason without the address that the library puts in front.
func unwrapped(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}
