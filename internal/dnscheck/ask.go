package dnscheck

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// ask queries a name server for a record. If there is nothing like it at its name, it
// queries the names at which such records end up by mistake.
func ask(ctx context.Context, c *dnsclient.Client, n dnsclient.NameServer, e ExpectedRecord) (Answer, dnsclient.Finding) {
	t, ok := dns.StringToType[e.Record.Type]
	if !ok {
		return Answer{}, finding(dnsclient.Broken, "unknown record type "+e.Record.Type, "")
	}
	m, wrong := c.Ask(ctx, n, e.Zone, e.Record.Name, t)
	if e.isDelegation() && wrong.Fault == dnsclient.Lame && strings.EqualFold(dnsclient.Referral(m), e.Record.Name) {
		return Answer{Records: dnsclient.FromRRs(slices.DeleteFunc(slices.Clone(m.Ns), func(rr dns.RR) bool { return rr.Header().Rrtype != t }))}, dnsclient.Finding{}
	}
	if wrong.Fault != dnsclient.OK {
		return Answer{}, wrong
	}
	s := Answer{Records: dnsclient.AnswerChain(m, e.Record.Name, t)}
	if last := len(s.Records) - 1; last >= 0 && s.Records[last].Type == "CNAME" && t != dns.TypeCNAME {
		// The alias leads out of the zone, so that others are in charge there.
		behind, _, _ := c.Lookup(ctx, s.Records[last].Value, e.Record.Type)
		s.Records = append(s.Records, behind...)
	}
	if t == dns.TypeCNAME && len(s.Records) == 0 && dnsname.IsKey(e.Record.Name) {
		// Some providers have a copy of the text behind it instead.
		if m, wrong := c.Ask(ctx, n, e.Zone, e.Record.Name, dns.TypeTXT); wrong.Fault == dnsclient.OK {
			s.Records = dnsclient.AnswerChain(m, e.Record.Name, dns.TypeTXT)
		}
	}
	if diagnose(e, s).Fault == Missing {
		s.Elsewhere = askMisplaced(ctx, c, n, e, t)
	}
	return s, dnsclient.Finding{}
}

func askMisplaced(ctx context.Context, c *dnsclient.Client, n dnsclient.NameServer, e ExpectedRecord, t uint16) map[string][]state.Record {
	found := map[string][]state.Record{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range misplacedNames(e) {
		wg.Go(func() {
			m, wrong := c.Ask(ctx, n, e.Zone, name, t)
			if wrong.Fault != dnsclient.OK {
				return
			}
			if records := dnsclient.AnswerChain(m, name, t); len(records) > 0 && !strings.EqualFold(records[0].Type, "CNAME") {
				mu.Lock()
				defer mu.Unlock()
				found[name] = records
			}
		})
	}
	wg.Wait()
	return found
}
