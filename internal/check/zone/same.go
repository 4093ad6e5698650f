package zone

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/zonefile"

	"github.com/miekg/dns"
)

// copies are the servers that have copies of a zone: those in charge, each address once,
// and the primary on this machine that the world does not see, if mailsetup publishes
// there.
func copies(s subject.Server, d subject.Domain, a authority) []server {
	var list []server
	here := false
	for _, c := range a.inCharge() {
		if !slices.ContainsFunc(list, func(o server) bool { return o.Address == c.Address }) {
			list = append(list, c)
			here = here || isHere(s, c)
		}
	}
	hidden := slices.ContainsFunc(s.Facts.Zones.Named(a.zone), func(z state.Zone) bool {
		return z.Kind == "primary" && z.View == "" && z.Problem == ""
	})
	published := d.Wanted != nil && s.Spec.DNSOf(*d.Wanted) == spec.DNSBind
	if published && hidden && !here && s.Facts.DNSAddress != "" {
		list = append(list, server{NameServer: dnsclient.NameServer{Name: primaryHere, Address: s.Facts.DNSAddress}})
	}
	return list
}

const primaryHere = "the primary on this server"

func isHere(s subject.Server, c server) bool {
	host, _, _ := net.SplitHostPort(c.Address)
	a, err := netip.ParseAddr(host)
	return err == nil && slices.Contains(s.Facts.Addresses, a)
}

// data is what a server has of a domain's mail.
type data struct {
	of  server
	has map[string][]string // by question
	ok  bool
}

// questions are those whose answers are compared: what mail depends on, without the keys,
// which are compared with what they should be.
func questions(d subject.Domain) []question {
	return []question{{d.Name, dns.TypeMX}, {d.Name, dns.TypeTXT}, {dnsname.Policy(d.Name), dns.TypeTXT}}
}

type question struct {
	name string
	t    uint16
}

func (q question) String() string { return q.name + " " + dns.TypeToString[q.t] }

// read asks a server for what it has of a domain.
func (k *Checker) read(ctx context.Context, d subject.Domain, a authority, s server, again bool) data {
	r := data{of: s, has: map[string][]string{}}
	if again || s.soa == nil { // it may have a new copy now, and the one here was not asked
		if s = k.ask(ctx, s.NameServer, a.zone); s.soa == nil {
			return r
		}
		r.of = s
	}
	for _, q := range questions(d) {
		m, wrong := k.dns.Ask(ctx, s.NameServer, a.zone, q.name, q.t)
		if !wrong.OK() {
			return r
		}
		var values []string
		for _, rr := range dnsclient.AnswerChain(m, q.name, q.t) {
			if counts(q, rr) && len(values) < maxRecords {
				values = append(values, rr.Value)
			}
		}
		slices.Sort(values)
		r.has[q.String()] = values
	}
	r.ok = true
	return r
}

// counts reports whether a record has to be the same everywhere: of texts, those of mail.
func counts(q question, rr state.Record) bool {
	v := dnsname.Version(rr.Value)
	return rr.Type != "TXT" || v == "spf" || v == "dmarc"
}

func (k *Checker) readAll(ctx context.Context, d subject.Domain, a authority, list []server, again bool) []data {
	all := make([]data, len(list))
	var wg sync.WaitGroup
	for i, s := range list {
		wg.Go(func() { all[i] = k.read(ctx, d, a, s, again) })
	}
	wg.Wait()
	return slices.DeleteFunc(all, func(r data) bool { return !r.ok })
}

// differing returns the first question that a server answers differently, "" for none.
func differing(d subject.Domain, all []data) (q string, other data) {
	for _, r := range all[min(1, len(all)):] {
		for _, q := range questions(d) {
			if !slices.Equal(all[0].has[q.String()], r.has[q.String()]) {
				return q.String(), r
			}
		}
	}
	return "", data{}
}

// transferring reports whether copies may be about to become the same: one has a later
// serial, which the others will fetch.
func transferring(s subject.Server, all []data) bool {
	_, fell := serialFell(s, all)
	return !fell && slices.ContainsFunc(all, func(r data) bool { return r.of.soa.Serial != all[0].of.soa.Serial })
}

// same compares what the servers of the zone have of a domain's mail.
func (k *Checker) same(ctx context.Context, s subject.Server, d subject.Domain, a authority) []finding.Finding {
	list := copies(s, d, a)
	if len(list) < 2 {
		return nil
	}
	f := finding.Finding{ID: "dns.same", Severity: finding.OK, Domain: d.Name, Subject: dnsname.TrimDot(a.zone)}
	all := k.readAll(ctx, d, a, list, false)
	q, other := differing(d, all)
	for q != "" {
		again := transferring(s, all) && s.Transfers.Wait(ctx)
		all = k.readAll(ctx, d, a, list, true)
		if q, other = differing(d, all); !again {
			break // the last look is a second one: some servers answer differently each time
		}
	}
	switch {
	case ctx.Err() != nil || len(all) < 2:
		f.Severity, f.Seen, f.CausedBy = finding.Unknown, "fewer than two of its name servers answered for "+d.Name, "dns.size"
		return []finding.Finding{f}
	case q == "":
		f.Seen = fmt.Sprintf("%d name servers have the same MX, SPF and DMARC records", len(all))
		return []finding.Finding{f}
	}
	f.Severity, f.Expected = finding.Problem, "the same records on all name servers"
	f.Seen = finding.Excerpt(fmt.Sprintf("%s: %s has %s (serial %d), %s has %s (serial %d)",
		q, all[0].of, values(all[0].has[q]), all[0].of.soa.Serial, other.of, values(other.has[q]), other.of.soa.Serial))
	f.Remedy = finding.Text("see why the zone is not transferred: the log of the name server with the lower serial; with BIND on its primary:").
		Command("rndc notify %s", dnsname.TrimDot(a.zone))
	if all[0].of.soa.Serial == other.of.soa.Serial {
		f.Remedy = finding.Text("raise the serial of the zone at its primary, and reload it: secondaries do not fetch a zone whose serial they have")
	}
	if _, fell := serialFell(s, all); fell {
		f.CausedBy = "zone.soa"
	}
	if s.Transfers.UnderWay() && transferring(s, all) {
		f.Severity, f.Seen = finding.Unknown, "not there yet: "+f.Seen
		f.Remedy = finding.Text("look again in a while:").Command("mailsetup check --only dns.same %s", d.Name)
	}
	return []finding.Finding{f}
}

func values(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, " | ")
}

// serialFell returns a secondary whose serial is ahead of that of the primary here.
func serialFell(s subject.Server, all []data) (secondary data, fell bool) {
	i := slices.IndexFunc(all, func(r data) bool { return r.of.Name == primaryHere || isHere(s, r.of) })
	primary := i >= 0 && slices.ContainsFunc(s.Facts.Zones.Named(all[i].of.soa.Hdr.Name), func(z state.Zone) bool {
		return z.Kind == "primary"
	})
	if !primary {
		return data{}, false
	}
	for _, r := range all {
		if zonefile.SerialBehind(all[i].of.soa.Serial, r.of.soa.Serial) {
			return r, true
		}
	}
	return data{}, false
}

// soa judges what of a SOA makes mail fail. The form of the serial, and times that are
// only unusual, are nobody's business.
func (k *Checker) soa(ctx context.Context, s subject.Server, d subject.Domain, a authority) finding.Finding {
	soa := a.inCharge()[0].soa
	zone := dnsname.TrimDot(a.zone)
	f := finding.Finding{
		ID: "zone.soa", Severity: finding.OK, Domain: d.Name, Subject: zone,
		Seen: fmt.Sprintf("serial %d, refresh %d, retry %d, expire %d", soa.Serial, soa.Refresh, soa.Retry, soa.Expire),
	}
	const week = 7 * 24 * 3600
	switch {
	case soa.Expire <= soa.Refresh:
		f.Severity, f.Expected = finding.Warning, "an expire of weeks, longer than refresh and retry"
		f.Seen += ": secondaries stop serving the zone before they ask for it again"
		f.Remedy = finding.Text("in the SOA of " + zone + ": expire 1209600")
	case soa.Expire < week:
		f.Severity, f.Expected = finding.Note, "an expire of weeks: if the primary is down for longer, secondaries stop serving the zone"
	}
	list := copies(s, d, a)
	if len(list) < 2 {
		return f
	}
	same := true
	for _, c := range list[1:] {
		same = same && c.soa != nil && c.soa.Serial == list[0].soa.Serial
	}
	if same {
		return f
	}
	all := k.readAll(ctx, d, a, list, true)
	if q, _ := differing(d, all); q != "" {
		if ahead, fell := serialFell(s, all); fell {
			f.Severity, f.Expected = finding.Problem, fmt.Sprintf("a serial after %d", ahead.of.soa.Serial)
			f.Seen = fmt.Sprintf("%s has serial %d, which is ahead of that of its primary here: it does not fetch the zone any more", ahead.of, ahead.of.soa.Serial)
			f.Remedy = finding.Text(fmt.Sprintf("give the zone a serial after %d in its file (with a dynamic zone between rndc freeze and rndc thaw), then:", ahead.of.soa.Serial)).
				Command("rndc reload %s", zone)
		}
	}
	return f
}
