package hosts

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/system"

	"github.com/miekg/dns"
)

// portIn judges whether others reach port 25 of this server, by each family in which an
// MX leads here. From inside nobody can see that; that somebody far away was here, can be
// read in the log.
func portIn(ctx context.Context, w outside.World, run system.Runner, s subject.Server, domains []subject.Domain) []finding.Finding {
	addresses := exchangersHere(ctx, w, s, domains)
	if len(addresses) == 0 {
		return nil
	}
	clients := visitors(ctx, run, s)
	var list []finding.Finding
	for _, family := range []string{"IPv4", "IPv6"} {
		of := func(a netip.Addr) bool { return a.Is4() == (family == "IPv4") }
		i := slices.IndexFunc(addresses, of)
		if i < 0 {
			continue
		}
		f := finding.Finding{ID: "net.in25", Severity: finding.OK, Subject: family, Expected: "others connect to port 25"}
		if k := slices.IndexFunc(clients, func(v visitor) bool { return of(v.address) }); k >= 0 {
			f.Seen = fmt.Sprintf("%s connected on %s", clients[k].address, clients[k].at.UTC().Format(time.DateOnly))
		} else {
			f.Severity, f.Seen = finding.Unknown, "from inside nobody can see that, and the log has no connection from elsewhere within a week"
			if s.Unprivileged {
				f.Seen += ", as far as you may read it"
			}
			f.Remedy = finding.Text("on a machine elsewhere:").Command("nc -w 10 %s 25", addresses[i].String())
		}
		list = append(list, f)
	}
	return list
}

// maxReceiving is of how many domains the MX are looked up: most have the same.
const maxReceiving = 10

// exchangersHere returns the public addresses of this server that an MX leads to.
func exchangersHere(ctx context.Context, w outside.World, s subject.Server, domains []subject.Domain) []netip.Addr {
	var list []netip.Addr
	var hosts []string
	asked := 0
	for _, d := range domains {
		if !d.Receives || asked == maxReceiving {
			continue
		}
		asked++
		records, _, _ := w.DNS.Lookup(ctx, dns.Fqdn(d.Name), "MX")
		if len(records) == 0 {
			hosts = append(hosts, d.Name)
		}
		for _, r := range records[:min(len(records), maxPTR)] {
			if _, host, ok := strings.Cut(r.Value, " "); ok && r.Type == "MX" && host != "." {
				hosts = append(hosts, strings.ToLower(dnsname.TrimDot(host)))
			}
		}
	}
	slices.Sort(hosts)
	for _, host := range slices.Compact(hosts) {
		for _, network := range []string{"tcp4", "tcp6"} {
			found, _ := w.Addresses(ctx, network, host) // mx.addr and mx.ours say what is wrong with it
			list = append(list, found...)
		}
	}
	return slices.DeleteFunc(list, func(a netip.Addr) bool { return !s.Has(a) || !subject.Public(a) })
}

// visitor is a client that connected to port 25.
type visitor struct {
	address netip.Addr
	at      time.Time
}

const (
	// logTime, logLines and maxVisitors bound what is read of the journal.
	logTime     = 3 * time.Second
	logLines    = "2000"
	maxVisitors = 2000
)

// connected is what smtpd(8) and postscreen(8) log of a client: "connect from
// mx.far.example[203.0.113.7]", "CONNECT from [203.0.113.7]:40612 to [192.0.2.10]:25".
var connected = regexp.MustCompile(`^([0-9]{1,11})\.[0-9]+ \S+ postfix/(?:smtpd|postscreen)\[[0-9]+\]: (?:connect from [^ \[]*|CONNECT from )\[([0-9a-fA-F.:]+)\]`)

// visitors returns the clients far away that connected within a week, the last first:
// none where the log may not be read.
func visitors(ctx context.Context, run system.Runner, s subject.Server) []visitor {
	if run == nil {
		return nil
	}
	// The services for users have names of their own there: postfix/submission/smtpd.
	result, err := run.Run(ctx, system.Command{Argv: []string{
		"journalctl", "-q", "--no-pager", "-o", "short-unix", "--since", "-7d", "-r", "-n", logLines,
		"-t", "postfix/smtpd", "-t", "postfix/postscreen", "-g", "^connect from",
	}, Within: logTime})
	if err != nil {
		return nil
	}
	var list []visitor
	lines := bufio.NewScanner(strings.NewReader(string(result.Stdout)))
	for lines.Scan() && len(list) < maxVisitors {
		m := connected.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		a, err := netip.ParseAddr(m[2])
		if seconds, bad := strconv.ParseInt(m[1], 10, 64); err == nil && bad == nil && isFar(a.Unmap(), s) {
			list = append(list, visitor{a.Unmap(), time.Unix(seconds, 0)})
		}
	}
	return list
}

// isFar reports whether an address is of another network than this server, whose provider
// may let its own machines through: another /16, or /32 of IPv6.
func isFar(a netip.Addr, s subject.Server) bool {
	if !subject.Public(a) || s.Has(a) {
		return false
	}
	near := func(own netip.Addr) bool {
		own = own.Unmap()
		bits := 16
		if own.Is6() {
			bits = 32
		}
		network, err := own.WithZone("").Prefix(bits)
		return err == nil && network.Contains(a)
	}
	return !slices.ContainsFunc(s.Facts.Addresses, near) && !slices.ContainsFunc(s.Spec.Host.Addresses, near)
}
