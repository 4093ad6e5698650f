package spec_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mailsetup/internal/inbound"
	"mailsetup/internal/spec"
)

// sameSpec compares what was read with what was written; nil and empty lists are
// one.
func sameSpec(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}))
}

// chooser draws valid values.
type chooser struct{ *rand.Rand }

func (c chooser) of(values ...string) string { return values[c.IntN(len(values))] }

func (c chooser) some(values ...string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(string) bool { return c.IntN(2) == 0 })
}

func (c chooser) span(never bool) time.Duration {
	spans := []time.Duration{0, time.Hour, 36 * time.Hour, 14 * 24 * time.Hour, 90 * time.Minute}
	if never {
		spans = append(spans, spec.Never)
	}
	return spans[c.IntN(len(spans))]
}

func (c chooser) update() spec.Update {
	return spec.Update{Server: c.of("", "192.0.2.53", "192.0.2.53:5353", "ns1.lab.example"), KeyFile: c.of("", "/etc/mailsetup/tsig.key")}
}

func (c chooser) rotation() spec.Rotation {
	every := []time.Duration{0, 30 * 24 * time.Hour, 180 * 24 * time.Hour, spec.Never}
	return spec.Rotation{Every: every[c.IntN(4)], Lag: []time.Duration{0, time.Hour, 2 * time.Hour}[c.IntN(3)], Revoke: c.span(true)}
}

func (c chooser) policies() (spec.SPF, spec.DMARC) {
	s := spec.SPF{All: c.of("softfail", "fail", "neutral"), Include: c.some("_spf.news.example", "spf.tickets.example")}
	if c.IntN(4) == 0 {
		s = spec.SPF{All: s.All, Redirect: "_spf.other.example"}
	}
	return s, spec.DMARC{
		Policy: c.of("none", "quarantine", "reject"), SubdomainPolicy: c.of("", "none", "reject"),
		ADKIM: c.of("", "relaxed", "strict"), ASPF: c.of("", "relaxed", "strict"),
		RUA: c.some("mailto:dmarc@lab.example", "mailto:a+b@reports.example"), RUF: c.some("mailto:one@lab.example"),
	}
}

func (c chooser) domain(name string) spec.Domain {
	d := spec.Domain{
		Name: name, Selector: c.of("202611", "s1", "mail.eu"), KeyBits: []int{1024, 2048, 3072, 4096}[c.IntN(4)],
		Receive: c.IntN(2) == 0, TTL: []uint32{60, 3600, 86400}[c.IntN(3)], NewZone: false, NS: c.some("ns1.lab.example", "ns2.lab.example"),
		Keep: c.some("spf", "helo", "dmarc"), WildcardRecords: c.of("", spec.Copy, "drop"), SignedBy: c.of("", spec.ByOther),
		DNS: spec.DNSMode(c.of("", "bind", "manual", "rfc2136")), Update: c.update(), Subdomains: c.IntN(2) == 0,
		Also: c.some("also-"+name, ".also-"+name, "ann@also2-"+name), Drain: c.span(false), Rotation: c.rotation(), Repair: c.of("", "yes", "no"),
		Identities: c.some(name+" @"+name, "*@"+name+" %"),
	}
	d.SPF, d.DMARC = c.policies()
	d.Identities = slices.DeleteFunc(d.Identities, func(s string) bool { return strings.HasPrefix(s, "*@") })
	d.Partial = len(d.Also) > 0 && c.IntN(2) == 0
	if d.DNS == spec.DNSUpdate {
		d.Update.KeyFile = "/etc/mailsetup/tsig.key"
	}
	return d
}

func (c chooser) host() spec.Host {
	h := spec.Host{
		Version: spec.Version, Hostname: c.of("mail.lab.example", "mx1.lab.example"), Domain: "lab.example", DNS: spec.DNSMode(c.of("bind", "manual")),
		Addresses: []netip.Addr{netip.MustParseAddr(c.of("192.0.2.25", "198.51.100.7")), netip.MustParseAddr("2001:db8::25")}[:1+c.IntN(2)],
		RootAlias: c.of("", "ann@elsewhere.example", "Ann.O'Hara@elsewhere.example"), MilterDefaultAction: c.of("tempfail", "accept"),
		SignBounces: c.of("", "yes", "no"), LeaveServices: c.some("submission/inet", "[::1]:10025/inet"),
		Drain: 14 * 24 * time.Hour, Rotation: spec.Rotation{Every: 180 * 24 * time.Hour, Lag: time.Hour, Revoke: spec.Never},
		Notify: c.of("", "ops@elsewhere.example"), Repair: c.of("", "yes", "no"), Update: c.update(),
		Trusted:           c.some("192.0.2.0/24", "2001:db8::/48", ".relay.example"),
		OpenDKIM:          c.some("Canonicalization simple/simple", "On-BadSignature", "AuthservID mail.lab.example"),
		NonsigningMilters: c.some("inet:192.0.2.7:8891"),
		BlockLists:        c.some("zen.spamhaus.org", "key.dbl.dq.spamhaus.net"),
	}
	h.Inbound = inbound.Policy{
		SPF: inbound.Mode(c.of("", "mark", "reject")), DMARC: inbound.Mode(c.of("", "mark", "quarantine", "reject")),
		DNSBL: c.some("zen.spamhaus.org=127.0.0.[2..11]", "bl.example=127.0.0.[2..11]"), Allow: c.some("192.0.2.7", "2001:db8::/48", ".relay.example", "@shop.example", "ann@shop.example"),
	}
	if c.IntN(2) == 0 {
		h.Defaults = spec.Defaults{Selector: "s2", KeyBits: 2048, TTL: 600}
		h.Defaults.SPF, h.Defaults.DMARC = c.policies()
	}
	return h
}

// whole is a spec that any administrator could have written.
func (c chooser) whole() spec.Spec {
	s := spec.Spec{Host: c.host()}
	for _, name := range append(c.some("a.example", "b.example", "xn--bcher-kva.example"), "lab.example") {
		s.Domains = append(s.Domains, c.domain(name))
	}
	slices.SortFunc(s.Domains, func(a, b spec.Domain) int { return strings.Compare(a.Name, b.Name) })
	return s
}

func files(s spec.Spec, marshal func(spec.Domain) []byte) map[string][]byte {
	all := map[string][]byte{}
	for _, d := range s.Domains {
		all[d.Name] = marshal(d)
	}
	return all
}

// Nothing that can be wanted is lost or changed on the way through the files, in
// the long form or the short one.
func TestFilesSayWhatIsWanted(t *testing.T) {
	for seed := range uint64(300) {
		want := chooser{rand.New(rand.NewPCG(seed, 7208))}.whole()
		if f := want.Validate(); f != nil {
			t.Fatalf("seed %d: the wish is not valid: %v", seed, f)
		}
		for form, marshal := range map[string]func(spec.Domain) []byte{"long": spec.MarshalDomain, "short": spec.MarshalBrief} {
			got, err := spec.Parse(spec.MarshalHost(want.Host), files(want, marshal))
			if err != nil {
				t.Fatalf("seed %d, %s: %v", seed, form, err)
			}
			if d := sameSpec(want, got); d != "" {
				t.Fatalf("seed %d, %s (-want +got):\n%s", seed, form, d)
			}
		}
	}
}

// Every file is TOML, as a library that knows nothing of the keys reads it, and
// fits a terminal.
func TestFilesAreTOML(t *testing.T) {
	for seed := range uint64(100) {
		s := chooser{rand.New(rand.NewPCG(seed, 7208))}.whole()
		texts := append([][]byte{spec.MarshalHost(s.Host)}, spec.MarshalDomain(s.Domains[0]), spec.MarshalBrief(s.Domains[0]))
		for _, text := range texts {
			var keys map[string]any
			if err := toml.Unmarshal(text, &keys); err != nil {
				t.Fatalf("seed %d: %v in\n%s", seed, err, text)
			}
			if _, err := toml.Decode(string(text), &keys); err != nil || len(keys) < 3 {
				t.Errorf("seed %d: %d keys, %v", seed, len(keys), err)
			}
			for l := range strings.Lines(string(text)) {
				if comment := strings.HasPrefix(l, "#"); comment && len(l) > 81 {
					t.Errorf("a comment is wider than 80 columns: %s", l)
				}
			}
		}
	}
}

// remarked puts remarks of an administrator's between and behind the lines of a
// file, and orders nothing otherwise.
func remarked(c chooser, text []byte) string {
	var out strings.Builder
	for i, l := range slices.Collect(strings.Lines(string(text))) {
		if c.IntN(3) == 0 {
			fmt.Fprintf(&out, "# remark %d\n", i)
		}
		l = strings.TrimSuffix(l, "\n")
		if l != "" && !strings.HasPrefix(l, "#") && !strings.HasPrefix(l, "[") && c.IntN(3) == 0 {
			l = strings.Replace(l, " = ", []string{"=", "   = ", " =\t"}[c.IntN(3)], 1) + fmt.Sprintf("  # behind %d", i)
		}
		out.WriteString(l + "\n")
	}
	return out.String()
}

// A change of answers edits the lines of those answers. Every remark, and every
// line that says what it said, stays as it is; done again, it changes nothing.
func TestEditsTouchOnlyTheirLines(t *testing.T) {
	edited := 0
	for seed := range uint64(300) {
		c := chooser{rand.New(rand.NewPCG(seed, 7208))}
		before, after := c.domain("lab.example"), c.domain("lab.example")
		old := remarked(c, spec.MarshalDomain(before))
		got, err := spec.SetDomain([]byte(old), after)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkEdit(t, seed, old, string(got))
		host := spec.MarshalHost(spec.Host{
			Version: spec.Version, Hostname: "mail.lab.example", Domain: "lab.example", DNS: spec.DNSManual,
			Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.25")}, MilterDefaultAction: "tempfail",
			Update: spec.Update{KeyFile: "/etc/mailsetup/tsig.key"},
		})
		read, err := spec.Parse(host, map[string][]byte{"lab.example": got})
		if err != nil {
			t.Fatalf("seed %d: %v in\n%s", seed, err, got)
		}
		if d := sameSpec(after, read.Domains[0]); d != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, d)
		}
		again, err := spec.SetDomain(got, after)
		if err != nil || string(again) != string(got) {
			t.Errorf("seed %d: done again, it changes the file (%v)", seed, err)
		}
		if string(got) != old {
			edited++
		}
		same, err := spec.SetDomain([]byte(old), before)
		if err != nil || string(same) != old {
			t.Errorf("seed %d: what it says already changes the file (%v)", seed, err)
		}
	}
	if edited < 290 {
		t.Errorf("only %d files were changed: the wishes prove nothing", edited)
	}
}

// checkEdit compares two texts line by line.
func checkEdit(t *testing.T, seed uint64, old, text string) {
	t.Helper()
	kept := strings.Split(text, "\n")
	for l := range strings.Lines(old) {
		l = strings.TrimSuffix(l, "\n")
		remark := ""
		if i := strings.Index(l, "# "); i >= 0 {
			remark = l[i:]
		}
		if slices.Contains(kept, l) {
			continue
		}
		if remark != "" && !slices.ContainsFunc(kept, func(k string) bool { return strings.HasSuffix(k, remark) }) {
			t.Errorf("seed %d: the remark %q is gone", seed, remark)
		}
		key := strings.TrimSpace(strings.SplitN(l, "=", 2)[0])
		if key != "" && !strings.HasPrefix(key, "#") && !slices.ContainsFunc(kept, func(k string) bool { return strings.HasPrefix(k, key) }) {
			t.Errorf("seed %d: the line of %s is gone", seed, key)
		}
	}
}

// A domain that is left out of a set leaves nothing behind, and the others are as
// they were; a set never changes in place.
func TestDomainsComeAndGo(t *testing.T) {
	for seed := range uint64(100) {
		s := chooser{rand.New(rand.NewPCG(seed, 7208))}.whole()
		copied := spec.Spec{Host: s.Host, Domains: slices.Clone(s.Domains)}
		for _, gone := range s.Domains {
			left := s.Without(gone.Name)
			if left.Has(gone.Name) || len(left.Domains) != len(s.Domains)-1 {
				t.Errorf("seed %d: without %s there are %d domains", seed, gone.Name, len(left.Domains))
			}
			for _, d := range left.Domains {
				i := slices.IndexFunc(s.Domains, func(o spec.Domain) bool { return o.Name == d.Name })
				if diff := sameSpec(s.Domains[i], d); diff != "" {
					t.Errorf("seed %d: %s changed:\n%s", seed, d.Name, diff)
				}
			}
		}
		if diff := sameSpec(copied, s); diff != "" {
			t.Fatalf("seed %d: the set itself changed:\n%s", seed, diff)
		}
	}
}

// What a domain does not say is as the host says, and what neither says is the
// documented default.
func TestWordOfTheHostAndDefaults(t *testing.T) {
	for seed := range uint64(200) {
		c := chooser{rand.New(rand.NewPCG(seed, 7208))}
		s := spec.Spec{Host: spec.Host{Drain: c.span(false), Rotation: c.rotation(), DNS: "bind", Repair: c.of("", "yes", "no"), Update: c.update()}}
		d := c.domain("lab.example")
		pick := func(own, host, otherwise time.Duration) time.Duration {
			switch {
			case own != 0:
				return own
			case host != 0:
				return host
			}
			return otherwise
		}
		const days = 24 * time.Hour
		wantRotation := spec.Rotation{
			Every: pick(d.Every, s.Host.Every, 180*days), Lag: pick(d.Lag, s.Host.Lag, time.Hour), Revoke: pick(d.Revoke, s.Host.Revoke, spec.Never),
		}
		if got := s.RotationOf(d); got != wantRotation {
			t.Errorf("seed %d: rotation %v, want %v", seed, got, wantRotation)
		}
		if got, want := s.DrainOf(d), pick(d.Drain, s.Host.Drain, 14*days); got != want {
			t.Errorf("seed %d: drain %v, want %v", seed, got, want)
		}
		wantRepair := d.Repair != "no" && (d.Repair == "yes" || s.Host.Repair != "no")
		if got := s.Repairs(d); got != wantRepair {
			t.Errorf("seed %d: repairs %v with %q of the domain and %q of the host", seed, got, d.Repair, s.Host.Repair)
		}
		mode := d.DNS
		if mode == "" {
			mode = "bind"
		}
		if got := s.DNSOf(d); got != mode {
			t.Errorf("seed %d: DNS %q, want %q", seed, got, mode)
		}
		if got := s.UpdateOf(d); d.Update.Server != "" && got.Server != d.Update.Server || d.Update.Server == "" && got.Server != s.Host.Update.Server {
			t.Errorf("seed %d: updates go to %q", seed, got.Server)
		}
	}
}
