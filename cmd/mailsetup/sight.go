package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

// see asks DNS about the keys that are on their way to sign.
func (t *turning) see(ctx context.Context) {
	t.sight = map[string]map[string]keyring.Sight{}
	var domains []spec.Domain
	for _, d := range t.old.Domains {
		if _, ok := keyring.Successor(t.s.keys[d.Name]); ok && t.about(d.Name) && t.s.o.root == "" {
			domains = append(domains, d)
		}
	}
	b := newBar(t.s.c, "records looked for", len(domains))
	if !b.live || t.s.o.accessible {
		b.total = 0 // a timer that finds nothing to do says nothing
	}
	defer b.end()
	resolver := t.s.Resolver.WithCache()
	var mu sync.Mutex
	_ = sideBySide(len(domains), atOnce, func(i int) error {
		k, _ := keyring.Successor(t.s.keys[domains[i].Name])
		sight := sightOf(ctx, resolver, domains[i], k)
		mu.Lock()
		defer mu.Unlock()
		t.sight[domains[i].Name] = map[string]keyring.Sight{k.Selector: sight}
		b.step(time.Now())
		return nil
	})
}

// sightOf is what the world sees of a key: every server in charge, each asked
// itself, and then the resolver. The resolver comes last, so that it does not
// remember for long that the record was not there.
func sightOf(ctx context.Context, resolver *dnsclient.Client, d spec.Domain, k keyring.Key) keyring.Sight {
	record := keyRecord(d, k)
	v := dnscheck.Check(ctx, resolver, dnscheck.Expected{
		Domain: d.Name, Records: []state.Record{record}, Keys: map[string]string{k.Selector: k.Public},
	}, dnscheck.Result{})
	if text := unseen(v); text != "" {
		return keyring.Sight{Text: text}
	}
	if text := unresolved(ctx, resolver, record.Name, k.Public); text != "" {
		return keyring.Sight{Text: text}
	}
	negative, err := negativeTTL(ctx, resolver, v.Servers[0].Zone)
	if err != nil {
		return keyring.Sight{Text: err.Error()}
	}
	return keyring.Sight{Served: true, Cached: max(negative, time.Duration(d.TTL)*time.Second)}
}

func keyRecord(d spec.Domain, k keyring.Key) state.Record {
	return state.Record{
		Name: k.Selector + "._domainkey." + d.Name + ".", Type: "TXT", TTL: d.TTL, Value: keygen.Record(k.Public),
	}
}

// unseen says which server does not have the record of a look for one, "" if
// all have it. A server of several addresses may have some that cannot be asked
// from here, but not all.
func unseen(v dnscheck.Result) string {
	if len(v.NoServer) > 0 {
		return v.NoServer[0].Text
	}
	asked := map[string]bool{}
	for _, s := range v.Servers {
		switch {
		case s.ServerProblem.Fault == dnsclient.NotAsked:
		case s.ServerProblem.Fault != dnsclient.OK:
			return fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
		case len(s.Records) != 1:
			return fmt.Sprintf("%s was not asked for the record", s)
		case s.Records[0].Fault != dnsclient.OK:
			return fmt.Sprintf("%s: %s", s, s.Records[0].Text)
		default:
			asked[s.Name] = true
		}
	}
	for _, s := range v.Servers {
		if !asked[s.Name] {
			return fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
		}
	}
	if len(v.Servers) == 0 {
		return "no name server was found"
	}
	return ""
}

// unresolved says what the resolver has instead of one record with the key.
func unresolved(ctx context.Context, resolver *dnsclient.Client, name, public string) string {
	records, _, err := resolver.Lookup(ctx, name, "TXT")
	if err != nil {
		return "the resolver: " + err.Error()
	}
	records = slices.DeleteFunc(records, func(r state.Record) bool { return r.Type != "TXT" })
	if len(records) != 1 {
		return fmt.Sprintf("the resolver of this machine has %s at the name; it may remember an older answer for a while", count(len(records), "record"))
	}
	r, err := keygen.ParseRecord(records[0].Value)
	if err != nil || r.Public != public {
		return "the resolver of this machine has another key"
	}
	return ""
}

// negativeTTL is how long resolvers remember at most that a name of the zone
// was not there, RFC 2308 section 5.
func negativeTTL(ctx context.Context, resolver *dnsclient.Client, zone string) (time.Duration, error) {
	records, _, err := resolver.Lookup(ctx, zone, "SOA")
	for _, r := range records {
		f := strings.Fields(r.Value)
		if r.Type != "SOA" || len(f) != 7 {
			continue
		}
		if n, err := strconv.ParseUint(f[6], 10, 32); err == nil {
			return time.Duration(n) * time.Second, nil
		}
	}
	return 0, fmt.Errorf("how long %s lets others remember that a record is missing is not known: %v", strings.TrimSuffix(zone, "."), err)
}

// oneDay is how often a run tells of the same key that waits.
const oneDay = 24 * time.Hour

// waiting tells of the keys that wait for somebody, each at most once a day, and
// lets the exit code say so, as of what else is left to do. What this run
// published itself has time until the next, but in an emergency.
func (t *turning) waiting(ctx context.Context) error {
	s := t.s
	var found []awaited
	for _, domain := range sortedKeys(s.keys) {
		d, known := t.domain(domain)
		k, ok := keyring.Successor(s.keys[domain])
		sight := t.sight[domain][k.Selector]
		manual := known && t.old.DNSOf(d) == spec.DNSManual
		switch {
		case !known || !ok || k.Stage == keyring.Published || sight.Served || !t.about(domain) || s.o.root != "":
			continue
		case t.made[domain] && !manual && !t.asked.compromised, s.notifiedToday(domain, k) && !t.asksFor():
			continue
		}
		if !s.notifiedToday(domain, k) {
			s.markNotified(domain, k)
		}
		found = append(found, t.awaited(d, k, sight, manual))
		s.turned.await(found[len(found)-1], k, sight)
		t.tell(found[len(found)-1])
	}
	reminded := t.remind(ctx)
	if len(found)+len(s.left) > 0 {
		s.send(ctx, t.old.Host, waitingLetter(found, s.left))
	}
	switch {
	case len(found) > 0 || reminded:
		return cmp.Or(s.savePassed(), errProblemsFound)
	case len(s.left) > 0:
		return errProblemsFound
	}
	return nil
}

// asksFor reports whether somebody asks for a step, and wants to know what it
// waits for.
func (t *turning) asksFor() bool { return t.asked.rotate || t.asked.compromised }

func (t *turning) awaited(d spec.Domain, k keyring.Key, sight keyring.Sight, manual bool) awaited {
	a := awaited{domain: d.Name, record: keyRecord(d, k), manual: manual}
	if sight.Text != "" {
		a.text = fmt.Sprintf("%s: %s does not sign yet, %s goes on: %s", d.Name, k.Selector, before(t.s.keys, d.Name), sight.Text)
	}
	return a
}

func (t *turning) tell(a awaited) {
	c := t.s.c
	if t.s.o.json {
		return
	}
	if a.manual {
		fmt.Fprintf(c.out, "%s: publish this record; a later run notices and goes on by itself\n\n%s\n\n", a.domain, onOneLine(a.record))
	}
	if a.text != "" {
		c.say("%s", fold(plan.Printable(a.text), 78))
	}
	c.hints([]string{"mailsetup dns --wait " + a.domain + " shows what each name server has"})
}
