// Package transport checks TLS of the mail server, and what DNS and policies say of it:
// MTA-STS, TLS-RPT, DANE and CAA.
package transport

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/system"
)

// Options say how far the checks look.
type Options struct {
	Online bool          // hosts of others are asked
	Files  system.Reader // of this machine, nil for none
	// Roots are the authorities that receivers trust, nil for those of the system.
	Roots *x509.CertPool
	// SMTPPort and HTTPSPort are those of all servers, 25 and 443 if they are "".
	SMTPPort, HTTPSPort string
}

const (
	// atATime is how many domains and hosts are looked up, and sessionsAtATime how many
	// mail servers are talked to at a time: Postfix takes fifty connections of one client
	// (smtpd_client_connection_count_limit).
	atATime, sessionsAtATime = 64, 8
	// maxMX is how many MX of a domain, and addresses of a host, are looked at.
	maxMX = 16
)

// checker is one run.
type checker struct {
	dns    *dnsclient.Client
	server subject.Server
	o      Options

	mu       sync.Mutex
	sessions map[string]func() session // by address and name
	slots    chan struct{}             // for sessions
}

// Check checks the mail server and its domains; without DNS, what the configuration
// says.
func Check(ctx context.Context, client *dnsclient.Client, s subject.Server, domains []subject.Domain, o Options) finding.Result {
	if o.SMTPPort == "" {
		o.SMTPPort = "25"
	}
	if o.HTTPSPort == "" {
		o.HTTPSPort = "443"
	}
	c := &checker{dns: client, server: s, o: o, sessions: map[string]func() session{}, slots: make(chan struct{}, sessionsAtATime)}
	r := finding.Result{Findings: outgoing(s, o.Files)}
	if client == nil {
		return r
	}
	domains = slices.DeleteFunc(slices.Clone(domains), subject.Domain.Parked)
	list := make([]mailDomain, len(domains))
	_ = parallel.Do(len(domains), atATime, func(i int) error {
		list[i] = c.lookUp(ctx, domains[i])
		return nil
	})
	hosts := mxHosts(list)
	_ = parallel.Do(len(hosts), atATime, func(i int) error {
		c.ask(ctx, hosts[i])
		return nil
	})
	for i := range hosts {
		r.Findings = append(r.Findings, c.judge(ctx, *hosts[i])...)
	}
	for i := range list {
		r.Findings = append(r.Findings, list[i].findings(s.Now)...)
	}
	return r
}

// mailDomain is what DNS, and the server of its policy, say about a domain.
type mailDomain struct {
	subject.Domain
	mx          []string
	mxErr       error
	sts, tlsrpt texts
	policy      fetched
	// unannounced: the policy is another than when its id was first seen, at that time.
	unannounced time.Time
}

// lookUp finds out about a domain; its look-ups overlap.
func (c *checker) lookUp(ctx context.Context, d subject.Domain) mailDomain {
	m := mailDomain{Domain: d}
	var wg sync.WaitGroup
	wg.Go(func() { m.mx, m.mxErr = c.mx(ctx, d.Name) })
	wg.Go(func() { m.tlsrpt = c.texts(ctx, "_smtp._tls."+d.Name, "v=tlsrpt") })
	m.sts = c.texts(ctx, "_mta-sts."+d.Name, "v=stsv")
	if len(m.sts.ours) > 0 {
		m.policy = c.fetch(ctx, d.Name)
	}
	wg.Wait()
	m.unannounced = c.sameID(ctx, m)
	return m
}

// findings judges what belongs to the domain alone.
func (m mailDomain) findings(now time.Time) []finding.Finding {
	return append(m.stsFindings(now), m.tlsrptFinding()...)
}

// texts are the TXT records at a name that are for one purpose.
type texts struct {
	name string
	ours []string
	err  error
}

// texts looks up those TXT records at a name that begin with a version in lower case,
// whatever their own case and the white space around. Others, those of a wildcard
// perhaps, say nothing about the purpose (RFC 8461 section 3.1).
func (c *checker) texts(ctx context.Context, name, version string) texts {
	t := texts{name: name}
	records, status, err := c.dns.Lookup(ctx, name+".", "TXT")
	if status == dnsclient.Unknown {
		t.err = err
		return t
	}
	for _, r := range records {
		begin := strings.ToLower(strings.Join(strings.Fields(strings.Trim(r.Value, `"`)), ""))
		if r.Type == "TXT" && strings.HasPrefix(begin, version) && len(t.ours) < 10 {
			t.ours = append(t.ours, r.Value)
		}
	}
	return t
}

// mx returns the hosts that take mail for a domain, in any order; without an MX it is
// the domain itself (RFC 5321 section 5.1).
func (c *checker) mx(ctx context.Context, domain string) ([]string, error) {
	records, status, err := c.dns.Lookup(ctx, domain+".", "MX")
	switch status {
	case dnsclient.Unknown:
		return nil, err
	case dnsclient.NXDomain:
		return nil, nil
	case dnsclient.NoData:
		return []string{domain}, nil
	}
	var hosts []string
	for _, r := range records {
		_, host, isMX := strings.Cut(r.Value, " ")
		if host = dnsname.TrimDot(host); r.Type == "MX" && isMX && isPlain(host) && len(hosts) < maxMX {
			hosts = append(hosts, strings.ToLower(host))
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// addresses looks up the addresses of a host, IPv4 first. None without an error: it has
// none.
func (c *checker) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	var list []netip.Addr
	var failed error
	for _, t := range []string{"A", "AAAA"} {
		records, status, err := c.dns.Lookup(ctx, host+".", t)
		if status == dnsclient.Unknown {
			failed = err
		}
		for _, r := range records {
			if a, err := netip.ParseAddr(r.Value); err == nil && r.Type == t && len(list) < maxMX {
				list = append(list, a.Unmap())
			}
		}
	}
	if len(list) > 0 {
		failed = nil
	}
	return list, failed
}

// isOurs reports whether an address leads to this machine.
func (c *checker) isOurs(a netip.Addr) bool {
	return c.isHere(a) || slices.Contains(c.server.Spec.Host.Addresses, a)
}

// isHere reports whether an address is one of an interface of this machine.
func (c *checker) isHere(a netip.Addr) bool {
	return slices.Contains(c.server.Facts.Addresses, a)
}

// mxHost is a host that takes mail for domains.
type mxHost struct {
	name      string
	enforcing []string // domains whose MTA-STS policy, in mode enforce, names it
	sessions  []session
	others    []session // with clients that verify another kind of key
	dane      dane
	certbot   bool // it made the certificate of this Postfix
}

// mxHosts returns the hosts that take mail for the domains whose mail this server
// receives, each once, in the order of the domains.
func mxHosts(list []mailDomain) []*mxHost {
	byName := map[string]*mxHost{}
	var hosts []*mxHost
	for _, m := range list {
		if !m.Receives {
			continue
		}
		for _, name := range m.mx {
			h := byName[name]
			if h == nil {
				h = &mxHost{name: name}
				byName[name] = h
				hosts = append(hosts, h)
			}
			if p := m.policy.policy; m.policy.valid() && p.Mode == enforce && p.Covers(name) {
				h.enforcing = append(h.enforcing, m.Name)
			}
		}
	}
	return hosts
}

// ask talks to the host by each of its addresses that may be asked, and looks up its
// TLSA records if there was one.
func (c *checker) ask(ctx context.Context, h *mxHost) {
	addresses, err := c.addresses(ctx, h.name)
	if err != nil {
		return // of names without addresses others tell
	}
	for _, a := range addresses {
		switch {
		case c.isHere(a):
			h.sessions = append(h.sessions, c.session(ctx, h.name, a, net.JoinHostPort(a.String(), c.o.SMTPPort), anyKey))
		case c.isOurs(a): // behind NAT
			h.sessions = append(h.sessions, c.session(ctx, h.name, a, c.server.Facts.SMTPAddress, anyKey))
		case c.o.Online:
			h.sessions = append(h.sessions, c.session(ctx, h.name, a, net.JoinHostPort(a.String(), c.o.SMTPPort), anyKey))
		}
	}
	if len(h.sessions) == 0 {
		return
	}
	if h.dane = c.lookUpTLSA(ctx, h.name); !h.dane.demands() || len(h.dane.usable()) == 0 {
		return
	}
	for _, s := range h.sessions { // senders that verify another kind of key see another one
		switch {
		case !s.secure() || len(s.chain) == 0:
		case keyOf(s.chain[0]) == rsaKey:
			h.others = append(h.others, c.session(ctx, h.name, s.address, s.to, ecdsaKey))
		default:
			h.others = append(h.others, c.session(ctx, h.name, s.address, s.to, rsaKey))
		}
	}
}

// chains are the certificates that clients see, each once.
func (h mxHost) chains() [][]*x509.Certificate {
	var list [][]*x509.Certificate
	for _, s := range slices.Concat(h.sessions, h.others) {
		known := func(c []*x509.Certificate) bool { return c[0].Equal(s.chain[0]) }
		if s.secure() && len(s.chain) > 0 && !slices.ContainsFunc(list, known) {
			list = append(list, s.chain)
		}
	}
	return list
}

// session talks to an address once. With names that have certificates of their own
// (tls_server_sni_maps) it does so for each name.
func (c *checker) session(ctx context.Context, name string, a netip.Addr, address string, kind keyKind) session {
	key := string(kind) + a.String()
	if p := c.server.Facts.Postfix; !c.isOurs(a) || p == nil || p.Raw["tls_server_sni_maps"] != "" {
		key += " " + name
	}
	c.mu.Lock()
	once := c.sessions[key]
	if once == nil {
		once = sync.OnceValue(func() session {
			c.slots <- struct{}{}
			defer func() { <-c.slots }()
			return converse(ctx, c.server.Name, name, a, address, kind)
		})
		c.sessions[key] = once
	}
	c.mu.Unlock()
	return once()
}

// judge returns what is to be said of a host.
func (c *checker) judge(ctx context.Context, h mxHost) []finding.Finding {
	if len(h.sessions) == 0 {
		return nil
	}
	h.certbot = len(certbotNames(c.server.Facts.Postfix)) > 0
	all := h.startTLS()
	if f, found := worst(h.certificates(c.o.Roots, c.server.Now)); found {
		all = append(all, f)
	}
	if f, found := worst(h.versions()); found {
		all = append(all, f)
	}
	all = append(all, h.daneFindings(c.o.Files, c.server, c.server.Now)...)
	return append(all, c.caa(ctx, h)...)
}

// worst returns the finding of a list that matters most: of several addresses with the
// same certificate one is told.
func worst(list []finding.Finding) (finding.Finding, bool) {
	rank := func(f finding.Finding) int { return slices.Index(finding.Severities(), f.Severity) }
	if len(list) == 0 {
		return finding.Finding{}, false
	}
	return slices.MinFunc(list, func(a, b finding.Finding) int { return rank(a) - rank(b) }), true
}

// clip cuts what others wrote.
func clip(text string) string {
	const most = 200
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// isPlain reports whether a name may stand in a command or a record as it is.
func isPlain(name string) bool {
	_, valid := dns.IsDomainName(name)
	return valid && name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_", r))
	})
}
