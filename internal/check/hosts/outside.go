package hosts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/outside"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/system"
	"mailsetup/internal/text"

	"github.com/miekg/dns"
)

// Outside checks what only hosts of others can tell: whether port 25 is open, the time,
// and the routes to this server. Run is of the machine, nil for an image.
func Outside(ctx context.Context, w outside.World, run system.Runner, s subject.Server, domains []subject.Domain) finding.Result {
	var parts [4][]finding.Finding
	var wg sync.WaitGroup
	wg.Go(func() { parts[0] = portOut(ctx, w, s) })
	wg.Go(func() { parts[1] = clockThere(ctx, w) })
	wg.Go(func() { parts[2] = routes(ctx, w, s) })
	wg.Go(func() { parts[3] = portIn(ctx, w, run, s, domains) })
	wg.Wait()
	return finding.Result{Findings: slices.Concat(parts[:]...)}
}

// receivers are large ones, in several networks: one that is down says nothing.
var receivers = []string{"gmail.com", "outlook.com", "yahoo.com", "gmx.net", "icloud.com"}

// portOut checks whether port 25 of others can be reached, by each family that mail
// leaves with.
func portOut(ctx context.Context, w outside.World, s subject.Server) []finding.Finding {
	if s.Smarthost != "" || !sends(s) {
		return nil
	}
	var list []finding.Finding
	for _, family := range []struct{ name, network string }{{"IPv4", "tcp4"}, {"IPv6", "tcp6"}} {
		if slices.ContainsFunc(slices.Concat(s.Egress, s.Hidden), func(e subject.Egress) bool { return e.Address.Is4() == (family.name == "IPv4") }) {
			list = append(list, portOutBy(ctx, w, family.name, family.network))
		}
	}
	return list
}

func portOutBy(ctx context.Context, w outside.World, name, network string) finding.Finding {
	errs, asked := make([]error, len(receivers)), make([]bool, len(receivers))
	var wg sync.WaitGroup
	for i, domain := range receivers {
		wg.Go(func() {
			host, err := exchanger(ctx, w, network, domain)
			if asked[i] = err == nil; asked[i] {
				err = w.Greets(ctx, network, host)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	f := finding.Finding{ID: "net.out25", Severity: finding.OK, Subject: name}
	var reached, failed []string
	var last error
	for i, domain := range receivers {
		switch {
		case errs[i] == nil:
			reached = append(reached, domain)
		case asked[i]:
			failed, last = append(failed, domain), errs[i]
		}
	}
	switch {
	case ctx.Err() != nil || len(reached)+len(failed) < 2:
		f.Severity, f.Seen = finding.Unknown, "too few large receivers could be asked"
	case len(reached) == 0:
		f.Severity, f.Seen = finding.Problem, finding.Excerpt("none of "+strings.Join(failed, ", ")+" answers on port 25: "+last.Error())
		f.Expected, f.Remedy = "port 25 to the outside is open", finding.Text("ask the provider of this server to open port 25 to the outside, or send through a relay of its:").Command("postconf -e 'relayhost = [RELAY]:587' && systemctl reload postfix")
		if name == "IPv6" {
			f.Remedy = finding.Text("ask the provider of this server to open port 25 with IPv6, or do without IPv6:").Command("postconf -e 'inet_protocols = ipv4' && systemctl restart postfix")
		}
	case len(failed) > 0:
		f.Severity, f.Seen = finding.Unknown, strings.Join(reached, ", ")+" answered, "+strings.Join(failed, ", ")+" not"
	default:
		f.Seen = text.List(reached, 5) + " answered"
	}
	return f
}

// exchanger returns the MX of a domain that is asked first and has an address of the
// family.
func exchanger(ctx context.Context, w outside.World, network, domain string) (string, error) {
	records, _, err := w.DNS.Lookup(ctx, dns.Fqdn(domain), "MX")
	if err != nil {
		return "", err
	}
	type exchange struct {
		preference int
		host       string
	}
	var list []exchange
	for _, rr := range records {
		var e exchange
		if n, _ := fmt.Sscanf(rr.Value, "%d %s", &e.preference, &e.host); n == 2 && rr.Type == "MX" && len(list) < maxPTR {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b exchange) int { return cmp.Compare(a.preference, b.preference) })
	for _, e := range list {
		if found, err := w.Addresses(ctx, network, e.host); err == nil && len(found) > 0 {
			return dnsname.TrimDot(e.host), nil
		}
	}
	return "", errors.New("no MX with such an address")
}

// clockThere compares the clock with those of time servers.
func clockThere(ctx context.Context, w outside.World) []finding.Finding {
	const servers = 3
	offsets := make([]time.Duration, servers)
	errs := make([]error, servers)
	var wg sync.WaitGroup
	for i := range servers {
		wg.Go(func() { offsets[i], errs[i] = w.ClockOffset(ctx, fmt.Sprintf("%d.debian.pool.ntp.org", i)) })
	}
	wg.Wait()
	var known []time.Duration
	for i := range servers {
		if errs[i] == nil {
			known = append(known, offsets[i])
		}
	}
	f := finding.Finding{ID: "net.clock", Severity: finding.OK, Subject: "clock beside time servers"}
	if len(known) < 2 {
		f.Severity, f.Seen = finding.Unknown, "fewer than two time servers answered"
		return []finding.Finding{f}
	}
	slices.Sort(known)
	off := known[len(known)/2].Abs()
	if known[len(known)-1]-known[0] > 10*time.Second && len(known) == 2 {
		f.Severity, f.Seen = finding.Unknown, "two time servers differ"
		return []finding.Finding{f}
	}
	f.Seen, f.Expected = "off by "+off.Round(100*time.Millisecond).String(), "less than a minute"
	switch {
	case off > clockSlack:
		f.Severity = finding.Problem
	case off > time.Minute:
		f.Severity = finding.Warning
	default:
		return []finding.Finding{f}
	}
	f.Remedy = finding.Command("timedatectl set-ntp true && timedatectl timesync-status")
	return []finding.Finding{f}
}

// routes asks RIPEstat whether the routes to the server's addresses have ROAs.
func routes(ctx context.Context, w outside.World, s subject.Server) []finding.Finding {
	var list []finding.Finding
	for _, e := range s.PublicEgress() {
		list = append(list, route(ctx, w, e.Address))
	}
	return list
}

func route(ctx context.Context, w outside.World, a netip.Addr) finding.Finding {
	f := finding.Finding{ID: "net.rpki", Severity: finding.Note, Subject: a.String()}
	const base = "https://stat.ripe.net/data/"
	var info struct {
		Data struct {
			ASNs   []string `json:"asns"`
			Prefix string   `json:"prefix"`
		} `json:"data"`
	}
	if err := w.JSON(ctx, base+"network-info/data.json?resource="+a.String(), &info); err != nil {
		f.Severity, f.Seen = finding.Unknown, "RIPEstat: "+finding.Excerpt(err.Error())
		return f
	}
	prefix, err := netip.ParsePrefix(info.Data.Prefix)
	if err != nil || len(info.Data.ASNs) == 0 || strings.Trim(info.Data.ASNs[0], "0123456789") != "" {
		f.Severity, f.Seen = finding.Unknown, "RIPEstat knows no route to it"
		return f
	}
	as := info.Data.ASNs[0]
	var valid struct {
		Data struct {
			Status string `json:"status"`
		} `json:"data"`
	}
	if err := w.JSON(ctx, base+"rpki-validation/data.json?resource="+as+"&prefix="+prefix.String(), &valid); err != nil {
		f.Severity, f.Seen = finding.Unknown, "RIPEstat: "+finding.Excerpt(err.Error())
		return f
	}
	switch f.Seen = "AS" + as + " announces " + prefix.String(); valid.Data.Status {
	case "valid":
		f.Severity, f.Seen = finding.OK, f.Seen+" with a valid ROA"
	case "unknown":
		f.Seen += " without a ROA"
	default:
		f.Seen += ", and its ROA says otherwise: " + finding.Excerpt(valid.Data.Status)
	}
	if f.Severity == finding.Note {
		f.Expected = "a valid ROA, which only the owner of the addresses can make"
	}
	return f
}
