//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/e2e/lab"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// TestWildcardZones: in random zones with wildcards, delegations, aliases and
// names that exist for others below them, what BIND answers about addresses,
// mail, keys and policies before and after differs in our records only, or the
// plan asked; where it asked, something would be lost; and copies keep it all.
func TestWildcardZones(t *testing.T) { wildcardZones(t, 20261129, 30) }

// TestSoakWildcardZones is the same with many more zones, other ones each time.
func TestSoakWildcardZones(t *testing.T) { wildcardZones(t, uint64(time.Now().UnixNano()), 2500) }

func wildcardZones(t *testing.T, seed uint64, n int) {
	each(t, func(t *testing.T, release string) {
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(seed, 0))
		var all []*randomZone
		for len(all) < n {
			if z := newRandomZone(r, fmt.Sprintf("z%d.example.", len(all))); z.plan(t) {
				all = append(all, z)
			}
		}
		b := lab.Boot(t, lab.Options{Release: release, Hostname: "ns.lab.example"})
		before := namedAnswers(t, b, all, func(z *randomZone) string { return "" })
		without := namedAnswers(t, b, all, func(z *randomZone) string { return z.without })
		with := namedAnswers(t, b, all, func(z *randomZone) string { return z.with })
		asked, questions := 0, 0
		for _, z := range all {
			questions += len(z.names()) * len(askedTypes)
			lost := z.lost(before, without)
			if z.asks {
				asked++
			}
			if len(lost) > 0 != z.asks {
				t.Errorf("the plan asks: %v, and lost is %q\n%s", z.asks, lost, z)
			}
			if lost := z.lost(before, with); z.with != "" && len(lost) > 0 {
				t.Errorf("lost in spite of the copies: %q\n%s", lost, z)
			}
		}
		t.Logf("%d zones, %d plans that ask, %d questions to named three times", n, asked, questions)
		if asked < n/10 || asked > n*9/10 {
			t.Errorf("%d of %d plans ask: these zones prove little", asked, n)
		}
	})
}

// askedTypes are those that names are asked for.
var askedTypes = []string{"A", "AAAA", "MX", "TXT"}

// randomZone is a zone, and a domain and a host in it that get records.
type randomZone struct {
	origin       string
	text         string
	records      []state.Record
	domain, host string

	asks          bool
	ours          []state.Record // without copies
	without, with string         // our part of the zone; with is "" where no copy can be
}

func (z *randomZone) String() string {
	return fmt.Sprintf("domain %s, host %s\n%s; ours\n%s; with copies\n%s", z.domain, z.host, z.text, z.without, z.with)
}

func newRandomZone(r *rand.Rand, origin string) *randomZone {
	z := &randomZone{origin: origin}
	from := func(labels []string, depth int) string {
		at := origin
		for range depth {
			at = labels[r.IntN(len(labels))] + "." + at
		}
		return at
	}
	host := func(depth int) string { return from([]string{"a", "b", "c", "s9"}, depth) }
	name := func(depth int) string {
		return from([]string{"a", "b", "c", "a", "b", "_dmarc", "_domainkey", "s9"}, depth)
	}
	kinds := map[string][]string{}
	add := func(owner, kind, value string) {
		if slices.Contains(kinds[owner], "CNAME") || kind == "CNAME" && len(kinds[owner]) > 0 {
			return
		}
		kinds[owner] = append(kinds[owner], kind)
		rr := state.Record{Name: owner, Type: kind, TTL: 300, Value: value}
		z.records = append(z.records, rr)
		z.text += fmt.Sprintf("%s 300 IN %s %s\n", owner, kind, zonefile.Rdata(rr))
	}
	add(origin, "SOA", "ns.lab.example. hostmaster.lab.example. 1 3600 900 604800 60")
	add(origin, "NS", "ns.lab.example.")
	for range 2 + r.IntN(7) {
		owner := name(1 + r.IntN(3))
		wild := r.IntN(2) == 0
		if wild {
			owner = "*." + name(r.IntN(3))
		}
		switch r.IntN(11) {
		case 0, 1, 2:
			add(owner, "A", fmt.Sprintf("192.0.2.%d", r.IntN(250)))
		case 3:
			add(owner, "AAAA", fmt.Sprintf("2001:db8::%x", 1+r.IntN(250)))
		case 4, 5:
			add(owner, "MX", fmt.Sprintf("%d mx.remote.example.", r.IntN(3)))
		case 6:
			add(owner, "TXT", []string{"hello", "v=DMARC1; p=reject", "v=DKIM1; p=MIIB", "v=spf1 -all"}[r.IntN(4)])
		case 7:
			add(owner, "CNAME", host(1+r.IntN(2)))
		case 8:
			add(owner, "CNAME", "web.vendor.example.")
		default:
			if !wild {
				add(owner, "NS", "ns.vendor.example.")
			}
		}
	}
	z.domain, z.host = strings.TrimSuffix(host(r.IntN(3)), "."), strings.TrimSuffix(host(1+r.IntN(2)), ".")
	return z
}

// plan asks the steps what they would do; false for what they refuse for other
// reasons, as names that are aliases or given away.
func (z *randomZone) plan(t *testing.T) bool {
	t.Helper()
	stage, _, err := dns.Publish(z.input(""))
	var refusal *step.Refusal
	switch {
	case err == nil:
		z.asks = slices.ContainsFunc(stage.Questions, func(q state.Question) bool { return q.Kind == state.AskWildcard })
		z.with = z.fragment(stage)
		if len(stage.Questions) > 1 || len(stage.Questions) == 1 && !z.asks {
			return false
		}
	case errors.As(err, &refusal) && refusal.Keep != nil && refusal.Keep.Kind == state.AskWildcard:
		z.asks = true
	default:
		return false
	}
	stage, _, err = dns.Publish(z.input(spec.Drop))
	if err != nil {
		t.Fatalf("without copies: %v\n%s", err, z)
	}
	z.without = z.fragment(stage)
	z.ours, err = zonefile.Parse([]byte(z.without), z.origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func (z *randomZone) fragment(stage state.Stage) string {
	for _, f := range stage.Files {
		if strings.HasPrefix(string(f.Path), "/etc/bind/mailsetup/") {
			return string(f.Content)
		}
	}
	return ""
}

func (z *randomZone) input(answer string) step.Input {
	key := keyring.Key{Selector: "s1", Bits: 2048, Public: "MIIB", File: "/etc/dkimkeys/x/s1.private", Stage: keyring.Active}
	return step.Input{
		Spec: spec.Spec{
			Host: spec.Host{Version: 1, Hostname: z.host, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.1")}, Domain: z.domain, DNS: spec.DNSBind},
			Domains: []spec.Domain{{
				Name: z.domain, Selector: "s1", KeyBits: 2048, TTL: 300, WildcardRecords: answer, SPF: spec.SPF{All: "softfail"}, DMARC: spec.DMARC{Policy: "none"},
			}},
		},
		Facts: state.Facts{
			Installed: map[string]bool{"bind9": true}, DNS: state.BIND,
			Zones: []state.Zone{{Origin: z.origin, Kind: "primary", File: "/etc/bind/db", Content: []byte(z.text), Records: z.records}},
		},
		Ledger: keyring.Ledger{z.domain: {key}}, Now: time.Unix(1.8e9, 0),
	}
}

// names are those of the zone and of our records, with all above them, and some
// below each that nobody has.
func (z *randomZone) names() []string {
	all := map[string]bool{}
	for _, r := range slices.Concat(z.records, z.ours) {
		for at := r.Name; at != "example."; _, at, _ = strings.Cut(at, ".") {
			all[strings.TrimPrefix(at, "*.")] = true
			for _, label := range []string{"a", "zz", "zz.zz", "_dmarc", "_dmarc.zz", "zz._domainkey", "zz._report"} {
				all[label+"."+strings.TrimPrefix(at, "*.")] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// lost is what people look for and no longer find: addresses and mail of names
// without underscores, keys and policies at names with them. Where a record of
// ours stands, that is what was asked for.
func (z *randomZone) lost(before, after map[string][]string) []string {
	stands := func(name, kind string) bool {
		return slices.ContainsFunc(z.ours, func(r state.Record) bool { return r.Name == name && r.Type == kind })
	}
	isKey := func(name string) bool { // of another selector
		_, domain, is := strings.Cut(name, "._domainkey.")
		return is && !strings.Contains(domain, "_") && !strings.HasSuffix(name, ".s1._domainkey."+domain)
	}
	isPolicy := func(name string) bool {
		domain, is := strings.CutPrefix(name, "_dmarc.")
		if _, to, report := strings.Cut(name, "._report._dmarc."); report { // a consent to reports
			domain, is = to, true
		}
		return is && !strings.Contains(domain, "_")
	}
	given := func(name string) bool {
		return slices.ContainsFunc(z.records, func(r state.Record) bool {
			return r.Type == "NS" && r.Name != z.origin && strings.HasSuffix("."+name, "."+r.Name)
		})
	}
	var lost []string
	for _, name := range z.names() {
		for _, kind := range askedTypes {
			q := name + " " + kind
			if kind != "TXT" && strings.Contains("."+name, "._") || kind == "TXT" && !strings.Contains("."+name, "._") || stands(name, kind) {
				continue
			}
			for _, rdata := range before[q] {
				key, policy := strings.Contains(rdata, "v=DKIM1"), strings.Contains(rdata, "v=DMARC1")
				if kind == "TXT" && (!key || !isKey(name)) && (!policy || !isPolicy(name)) {
					continue
				}
				if alias, is := strings.CutPrefix(rdata, "CNAME "); is && strings.HasSuffix(alias, z.origin) && !given(alias) {
					continue // at whose end there is nothing of the kind
				}
				if !slices.Contains(after[q], rdata) {
					lost = append(lost, q+" "+rdata)
				}
			}
		}
	}
	return lost
}

// namedAnswers has BIND serve the zones with what is added to them, and asks it
// about all names: the data of the records at the end of the aliases, or the
// alias that leads elsewhere.
func namedAnswers(t *testing.T, b *lab.Box, all []*randomZone, added func(*randomZone) string) map[string][]string {
	t.Helper()
	files := map[string]string{"/etc/bind/named.conf.options": "options { directory \"/var/cache/bind\"; recursion no; minimal-responses yes; };\n", "/etc/bind/named.conf.local": ""}
	var batch strings.Builder
	for i, z := range all {
		file := fmt.Sprintf("/etc/bind/zone%d", i)
		files["/etc/bind/named.conf.local"] += fmt.Sprintf("zone %q { type primary; check-names ignore; file %q; };\n", z.origin, file)
		files[file] = z.text + added(z)
		for _, name := range z.names() {
			for _, kind := range askedTypes {
				fmt.Fprintf(&batch, "%s %s\n", name, kind)
			}
		}
	}
	b.NamedConf(t, files)
	b.Write(t, "/root/questions", batch.String(), 0o644)
	out := b.Run(t, "dig", "@127.0.0.1", "+norecurse", "+noall", "+question", "+answer", "+nocrypto", "-f", "/root/questions")
	answers, question := map[string][]string{}, ""
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) == 3 && strings.HasPrefix(f[0], ";"):
			question = strings.TrimPrefix(f[0], ";") + " " + f[2]
			answers[question] = nil
		case len(f) > 4 && f[2] == "IN":
			if list := answers[question]; len(list) > 0 && strings.HasPrefix(list[len(list)-1], "CNAME ") {
				answers[question] = list[:len(list)-1] // which leads on
			}
			answers[question] = append(answers[question], strings.Join(f[3:], " "))
		}
	}
	if n := strings.Count(batch.String(), "\n"); len(answers) < n*9/10 {
		t.Fatalf("%d of %d questions were answered:\n%.2000s", len(answers), n, out)
	}
	return answers
}
