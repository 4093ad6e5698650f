// Package outside asks hosts of others: web servers for JSON, SMTP and time servers. It
// looks their names up by our own client, and is bounded in time and size.
package outside

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"mailsetup/internal/dnsclient"

	"github.com/miekg/dns"
)

// World is what can be asked. The zero values of the ports are the usual ones.
type World struct {
	DNS   *dnsclient.Client
	Roots *x509.CertPool // that web servers are believed by; nil for those of the system
	// HTTPS, SMTP and NTP are ports.
	HTTPS, SMTP, NTP string
}

const (
	within       = 10 * time.Second
	maxAddresses = 4       // of one host that are tried
	maxBody      = 2 << 20 // the list of all registries has about 100 kB
	maxRedirects = 3
)

// Addresses looks up the addresses of a host of one family, or of both: tcp4, tcp6, tcp.
func (w World) Addresses(ctx context.Context, network, host string) ([]netip.Addr, error) {
	var list []netip.Addr
	err := errors.New("it has no address")
	for _, t := range []string{"A", "AAAA"} {
		if network == "tcp6" && t == "A" || network == "tcp4" && t == "AAAA" {
			continue
		}
		records, _, wrong := w.DNS.Lookup(ctx, dns.Fqdn(host), t)
		if wrong != nil {
			err = wrong
		}
		for _, rr := range records {
			if a, bad := netip.ParseAddr(rr.Value); bad == nil && rr.Type == t && len(list) < maxAddresses {
				list = append(list, a)
			}
		}
	}
	if len(list) > 0 {
		err = nil
	}
	return list, err
}

// dial connects to the first address of a host that takes the connection.
func (w World) dial(ctx context.Context, network, host, port string) (net.Conn, error) {
	list, err := w.Addresses(ctx, network, host)
	for _, a := range list {
		limit, cancel := context.WithTimeout(ctx, within/2)
		conn, wrong := new(net.Dialer).DialContext(limit, network, net.JoinHostPort(a.String(), port))
		cancel()
		if wrong == nil {
			return conn, nil
		}
		err = wrong
	}
	return nil, err
}

func portOr(port, usual string) string {
	if port == "" {
		return usual
	}
	return port
}

// StatusError is the answer of a web server that has not what was asked for.
type StatusError int

// Error implements error.
func (e StatusError) Error() string { return fmt.Sprintf("the web server answers %d", int(e)) }

// JSON gets a document by HTTPS and decodes it.
func (w World) JSON(ctx context.Context, url string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	client := http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				host, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				if w.HTTPS != "" {
					port = w.HTTPS
				}
				return w.dial(ctx, network, host, port)
			},
			TLSClientConfig:   &tls.Config{RootCAs: w.Roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || r.URL.Scheme != "https" {
				return errors.New("redirects on and on, or away from HTTPS")
			}
			return nil
		},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if r.URL.Scheme != "https" {
		return errors.New("no HTTPS address: " + url)
	}
	r.Header.Set("Accept", "application/rdap+json, application/json")
	r.Header.Set("User-Agent", "mailsetup")
	answer, err := client.Do(r)
	if err != nil {
		if inner := errors.Unwrap(err); inner != nil { // without the URL
			err = inner
		}
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return StatusError(answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxBody:
		return fmt.Errorf("more than %d octets", maxBody)
	}
	return json.Unmarshal(body, into)
}

// Greets connects to port 25 of a host and waits for its greeting.
func (w World) Greets(ctx context.Context, network, host string) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	conn, err := w.dial(ctx, network, host, portOr(w.SMTP, "25"))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	code := make([]byte, 3)
	if _, err := io.ReadFull(conn, code); err != nil {
		return errors.New("it takes the connection and says nothing")
	}
	_, _ = io.WriteString(conn, "QUIT\r\n")
	if code[0] < '2' || code[0] > '5' {
		return errors.New("what answers there is no mail server")
	}
	return nil
}

// ntpEpoch is the beginning of the time of NTP, in seconds before that of Unix.
const ntpEpoch = 2208988800

// ClockOffset asks a time server how far the clock here is behind it (RFC 4330).
func (w World) ClockOffset(ctx context.Context, host string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, within/2)
	defer cancel()
	list, err := w.Addresses(ctx, "tcp", host)
	if err != nil {
		return 0, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "udp", net.JoinHostPort(list[0].String(), portOr(w.NTP, "123")))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	q := make([]byte, 48)
	q[0] = 4<<3 | 3 // version 4, client
	sent := time.Now()
	binary.BigEndian.PutUint64(q[40:], uint64(sent.UnixNano())) // comes back as it is
	if _, err := conn.Write(q); err != nil {
		return 0, err
	}
	r := make([]byte, 128)
	n, err := conn.Read(r)
	if err != nil {
		return 0, fmt.Errorf("no answer within %v", within/2)
	}
	took := time.Since(sent)
	if n < 48 || r[0]&7 != 4 || r[0]>>6 == 3 || r[1] == 0 || r[1] > 15 || string(r[24:32]) != string(q[40:48]) {
		return 0, errors.New("its answer is none that says the time")
	}
	seconds, fraction := binary.BigEndian.Uint32(r[40:]), binary.BigEndian.Uint32(r[44:])
	there := time.Unix(int64(seconds)-ntpEpoch, int64(fraction)*int64(time.Second)>>32)
	return there.Sub(sent.Add(took / 2)), nil
}
