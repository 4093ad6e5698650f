package hosts

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/detect/source"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/facts"
	"mailsetup/internal/resolvconf"
	"mailsetup/internal/state"
	"mailsetup/internal/system"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

// Network checks the resolvers of the server, which may be others than those of the
// client, the search list and the clock. Without a client, DNS is not asked.
func Network(ctx context.Context, c, own *dnsclient.Client, files system.Reader, s subject.Server) finding.Result {
	var r finding.Result
	if c != nil {
		r.Findings = append(resolvers(ctx, own, s, facts.ResolvConf(files)), search(ctx, c, files, s)...)
	}
	r.Findings = append(r.Findings, clock(files, s, kernelClock)...)
	return r
}

// publicResolvers are those that anybody may ask, by their first octets: block lists
// refuse them, since they hide who asks.
func publicResolvers() map[string][]string {
	return map[string][]string{
		"Google":     {"8.8.8.8/32", "8.8.4.4/32", "2001:4860:4860::/48"},
		"Cloudflare": {"1.1.1.0/24", "1.0.0.0/24", "2606:4700:4700::/48"},
		"Quad9":      {"9.9.9.0/24", "149.112.112.0/24", "2620:fe::/48"},
		"OpenDNS":    {"208.67.220.0/24", "208.67.222.0/24", "2620:119::/32"},
		"AdGuard":    {"94.140.14.0/24", "94.140.15.0/24", "2a10:50c0::/32"},
		"DNS4EU":     {"86.54.11.0/24", "2a13:1001::/48"},
		"Verisign":   {"64.6.64.0/24", "64.6.65.0/24", "2620:74::/32"},
	}
}

// publicResolver returns whose public resolver has an address, "" for nobody's.
func publicResolver(a netip.Addr) string {
	for owner, prefixes := range publicResolvers() {
		if slices.ContainsFunc(prefixes, func(p string) bool { return netip.MustParsePrefix(p).Contains(a) }) {
			return owner
		}
	}
	return ""
}

// dependants are what needs answers of a resolver of one's own, or validated ones: block
// lists and DANE, as Postfix and filters here are set.
func dependants(f state.Facts) (lists, dane string) {
	if p := f.Postfix; p != nil {
		settings := []state.Option{}
		for name, value := range p.Value {
			settings = append(settings, state.Option{Name: name, Expanded: value})
		}
		for _, service := range p.Services {
			settings = append(settings, service.Options...)
		}
		for _, o := range settings {
			switch v := o.Expanded; {
			case strings.HasPrefix(o.Name, "smtpd_") && (strings.Contains(v, "reject_rbl_client") || strings.Contains(v, "reject_rhsbl_") || strings.Contains(v, "permit_dnswl_")),
				o.Name == "postscreen_dnsbl_sites" && v != "":
				lists = max(lists, o.Name)
			case o.Name == "smtp_tls_security_level" && (v == "dane" || v == "dane-only"):
				dane = o.Name + " = " + v
			}
		}
	}
	for _, filter := range []string{"spamassassin", "rspamd"} {
		if lists == "" && f.Installed[filter] {
			lists = filter
		}
	}
	return lists, dane
}

// resolvers checks what the resolvers say of the root zone, which is signed.
func resolvers(ctx context.Context, c *dnsclient.Client, s subject.Server, file resolvconf.File) []finding.Finding {
	servers := c.Resolvers()
	list := make([]finding.Finding, len(servers))
	dead := make([]bool, len(servers))
	var wg sync.WaitGroup
	for i, server := range servers {
		wg.Go(func() { list[i], dead[i] = resolver(ctx, c, s, server, file) })
	}
	wg.Wait()
	if slices.Contains(dead, false) {
		for i := range list {
			switch {
			case i > 0 && !dead[i] && list[i].Severity == finding.Warning && !dead[0] && file.Here():
				list[i].Severity = finding.Note // it is asked while the one that is here does not run
			case dead[i]: // the others take its place, after a while for each look-up
				list[i].Severity = finding.Warning
			}
		}
	}
	return list
}

func resolver(ctx context.Context, c *dnsclient.Client, s subject.Server, server string, file resolvconf.File) (f finding.Finding, dead bool) {
	host, _, _ := net.SplitHostPort(server)
	a, _ := netip.ParseAddr(host)
	f = finding.Finding{ID: "net.resolver", Severity: finding.OK, Subject: host}
	q := dnsclient.Query(".", dns.TypeSOA, true)
	q.AuthenticatedData = true // asks whether the answer was validated (RFC 6840 section 5.7)
	m, err := c.Exchange(ctx, server, q)
	if err != nil || m.Rcode == dns.RcodeRefused {
		f.Severity, f.Expected = finding.Problem, "a resolver that answers"
		f.Remedy = finding.Text("see that it runs and lets this server ask it; /etc/resolv.conf names it")
		if f.Seen = "it refuses to look up names for this server"; err != nil {
			f.Seen = "it does not answer: " + finding.Excerpt(err.Error())
		}
		if ctx.Err() != nil {
			f.Severity = finding.Unknown
		}
		return f, true
	}
	lists, dane := dependants(s.Facts)
	validates := m.AuthenticatedData && m.Rcode == dns.RcodeSuccess
	local := a.IsLoopback() || slices.Contains(s.Facts.Addresses, a)
	owner := publicResolver(a)
	switch {
	case owner != "" && lists != "":
		f.Severity, f.Seen = finding.Warning, "a public resolver ("+owner+"), and "+lists+" asks block lists, which refuse those"
	case m.Rcode != dns.RcodeSuccess:
		f.Severity, f.Seen = finding.Note, "it answers "+dns.RcodeToString[m.Rcode]+" for the root zone: it knows names of this network only"
		return f, false
	case dane != "" && !validates:
		f.Severity, f.Seen = finding.Warning, "it does not validate DNSSEC, and "+dane+" depends on that"
	case owner != "":
		f.Severity, f.Seen = finding.Note, "a public resolver ("+owner+")"
	case !validates:
		f.Severity, f.Seen = finding.Note, "it does not validate DNSSEC"
	case !local:
		f.Severity, f.Seen = finding.Note, "it validates DNSSEC, on another machine"
	default:
		f.Seen = "on this server, validates DNSSEC"
		return f, false
	}
	f.Expected = "a resolver on this server that validates DNSSEC"
	at, listens := resolvconf.Listener(s.Facts.DNSAddress)
	does := resolvconf.NotRunning
	if listens {
		does = resolvconf.NotKnown
	}
	own := resolvconf.Own(s.Facts.DNS, does, file, at)
	switch {
	case f.Severity != finding.Warning:
	case local && s.Facts.DNS == state.BIND:
		f.Remedy = finding.Text("dnssec-validation auto; in the options of /etc/bind/named.conf.options, then:").Command("rndc reconfig")
	case !local && len(own) > 0:
		f.Remedy = finding.Advice(own...)
	default:
		f.Remedy = finding.Text("let " + s.Facts.DNS.Title() + " or another resolver on this server validate, and name it in /etc/resolv.conf")
	}
	return f, false
}

// maxSearch is how many domains of a search list count, as in older C libraries.
const maxSearch = 6

// search looks for wildcards in the search list of resolv.conf(5): they answer for names
// that do not exist.
func search(ctx context.Context, c *dnsclient.Client, files system.Reader, s subject.Server) []finding.Finding {
	var list []finding.Finding
	for _, domain := range searchList(files, s) {
		f := finding.Finding{ID: "net.search", Severity: finding.OK, Subject: domain, Seen: "no wildcard in the search list"}
		for _, t := range []string{"A", "TXT"} {
			_, status, err := c.Lookup(ctx, dnsclient.UnusedName(dnsname.Absolute(domain)), t)
			switch {
			case status == dnsclient.Found:
				f.Severity, f.Seen = finding.Note, "the search list of /etc/resolv.conf has a domain with a wildcard ("+t+")"
				f.Expected = "no such domain there: programs that ask the C library for names without final dot get its answers for names that do not exist (mailsetup and Postfix ask with the dot)"
			case status == dnsclient.Unknown && f.Severity == finding.OK:
				f = unanswered(f, err)
			}
		}
		if f.Severity == finding.Unknown && f.CausedBy == "" {
			continue // a domain that nobody serves answers nothing
		}
		list = append(list, f)
	}
	return list
}

// searchList returns the search list of resolv.conf(5), which is the domain of the
// server's name where it has none.
func searchList(files system.Reader, s subject.Server) []string {
	content, err := source.Text(files, "/etc/resolv.conf")
	if err != nil {
		return nil
	}
	conf, err := dns.ClientConfigFromReader(strings.NewReader(string(content)))
	if err != nil {
		return nil
	}
	found := conf.Search
	if _, domain, ok := strings.Cut(s.Facts.Hostname, "."); ok && len(found) == 0 {
		found = []string{domain}
	}
	var list []string
	for _, d := range found {
		d = canonical(d)
		if _, ok := dns.IsDomainName(d); ok && d != "" && !slices.Contains(list, d) && len(list) < maxSearch {
			list = append(list, d)
		}
	}
	return list
}

// clockSlack is the difference of clocks that TSIG (RFC 8945 section 5.2.3) and the times
// of signatures forgive.
const clockSlack = 300 * time.Second

// clock checks that the clock goes with the times that were written down here, and that
// something sets it. In a container the host sets it.
func clock(files system.Reader, s subject.Server, synchronised func() (yes, known bool)) []finding.Finding {
	f := finding.Finding{ID: "net.clock", Severity: finding.OK, Subject: "clock"}
	var latest time.Time
	for _, keys := range s.Ledger {
		for _, k := range keys {
			for _, at := range k.Since {
				if at.After(latest) {
					latest = at
				}
			}
		}
	}
	if ahead := latest.Sub(s.Now); !s.Now.IsZero() && ahead > clockSlack {
		f.Severity, f.Expected = finding.Problem, "the right time"
		f.Seen = fmt.Sprintf("it says %s, and a key took a step at %s, %v later", s.Now.UTC().Format(time.DateTime), latest.UTC().Format(time.DateTime), ahead.Round(time.Second))
		f.Remedy = finding.Command("timedatectl set-ntp true && timedatectl timesync-status")
		return []finding.Finding{f}
	}
	yes, known := synchronised()
	switch {
	case known && yes:
		f.Seen = "it is set by NTP"
	case !known || inContainer(files):
		return nil
	default:
		f.Severity, f.Seen, f.Expected = finding.Note, "the kernel does not say that NTP sets it", "a clock that is right within 60 seconds"
		f.Remedy = finding.Command("apt install systemd-timesyncd && timedatectl set-ntp true")
	}
	return []finding.Finding{f}
}

// kernelClock reports whether the kernel's clock is kept by NTP, adjtimex(2).
func kernelClock() (yes, known bool) {
	var t unix.Timex
	st, err := unix.Adjtimex(&t)
	const timeError = 5
	return err == nil && st != timeError && t.Status&unix.STA_UNSYNC == 0, err == nil
}

func inContainer(files system.Reader) bool {
	for _, p := range []state.Path{"/run/systemd/container", "/run/.containerenv", "/.dockerenv"} {
		if o, err := files.Stat(p); err == nil && o.Kind != state.Absent {
			return true
		}
	}
	return false
}
