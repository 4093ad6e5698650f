package zone_test

import (
	"crypto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/zone"
	"mailsetup/internal/dnsclient/dnstest"
)

// newKey returns a key of lab.example and its DS record.
func newKey(t *testing.T) (*dns.DNSKEY, crypto.Signer, string) {
	t.Helper()
	key := &dns.DNSKEY{
		Hdr: dns.RR_Header{Name: "lab.example.", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60}, Flags: 257, Protocol: 3, Algorithm: dns.ECDSAP256SHA256,
	}
	private, err := key.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	return key, private.(crypto.Signer), strings.ReplaceAll(key.ToDS(dns.SHA256).String(), "\t", " ")
}

// signature returns the RRSIG of the SOA of child.
func signature(t *testing.T, key *dns.DNSKEY, private crypto.Signer, from, to time.Time) string {
	t.Helper()
	sig := &dns.RRSIG{
		Hdr: dns.RR_Header{Name: "lab.example.", Rrtype: dns.TypeRRSIG, Class: dns.ClassINET, Ttl: 60}, TypeCovered: dns.TypeSOA, Algorithm: key.Algorithm,
		Labels: 2, OrigTtl: 60, Inception: uint32(from.Unix()), Expiration: uint32(to.Unix()), KeyTag: key.KeyTag(), SignerName: "lab.example.",
	}
	if err := sig.Sign(private, dnstest.RRs(t, child()[0])); err != nil {
		t.Fatal(err)
	}
	return sig.String()
}

// withSignatures adds the signature of the SOA to its answers.
func withSignatures(answer answers, sig string, t *testing.T) answers {
	return func(r *dns.Msg) *dns.Msg {
		m := answer(r)
		if q := r.Question[0]; sig != "" && q.Name == "lab.example." && q.Qtype == dns.TypeSOA {
			m.Answer = append(m.Answer, dnstest.RRs(t, sig)...)
		}
		return m
	}
}

func TestDNSSEC(t *testing.T) {
	now := server().Now
	key, private, ds := newKey(t)
	_, _, otherDS := newKey(t)
	good := signature(t, key, private, now.Add(-24*time.Hour), now.Add(13*24*time.Hour))
	ending := signature(t, key, private, now.Add(-13*24*time.Hour), now.Add(2*time.Hour))
	ended := signature(t, key, private, now.Add(-14*24*time.Hour), now.Add(-time.Hour))
	short := signature(t, key, private, now.Add(-time.Hour), now.Add(20*time.Hour))
	for _, c := range []struct {
		name, ds, sig string
		resolver      string // what it makes of the zone
		want          finding.Severity
		seen          string
	}{
		{"not signed", "", "", "", finding.Note, "not signed"},
		{"nobody validates", "", good, "", finding.Note, "signed, but its parent zone has no DS record, so that nobody validates it"},
		{"right", ds, good, "", finding.OK, "signed, and the DS record in its parent zone confirms that; this resolver does not validate"},
		{"validated", ds, good, "AD", finding.OK, "signed, and validated by the resolver"},
		{"the DS of an old key", otherDS, good, "", finding.Problem, "the DS record in its parent zone is of none of the zone's keys"},
		{"two DS, one of an old key", otherDS + "\n" + ds, good, "", finding.OK, "signed, and the DS record in its parent zone confirms that; this resolver does not validate"},
		{"no longer signed", ds, "", "", finding.Problem, "its parent zone has a DS record, and the zone is not signed"},
		{"signatures that ended", ds, ended, "", finding.Problem, "its signatures are valid from 2026-11-16 07:00:00 to 2026-11-30 06:00:00 only"},
		{"signatures that end today", ds, ending, "", finding.Warning, "its signatures end at 2026-11-30 09:00:00, and nothing has renewed them"},
		{"signatures that never last long", ds, short, "", finding.OK, "signed, and the DS record in its parent zone confirms that; this resolver does not validate"},
		{"bogus for the resolver", otherDS, good, "bogus", finding.Problem, "the DS record in its parent zone is of none of the zone's keys"},
		{"bogus above the zone", ds, good, "bogus", finding.Problem, "the resolver answers SERVFAIL, and without validation it has an answer"},
		{"the resolver fails", ds, good, "fails", finding.Unknown, "the resolver answers SERVFAIL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := child()
			if c.sig != "" {
				records = append(records, key.String())
			}
			w := serving(t, records)
			if c.ds != "" {
				w.resolver = dnstest.Zones(t, slices.Concat(records, parent(), strings.Split(c.ds, "\n")))
			}
			for _, at := range []*answers{&w.one, &w.two, &w.resolver} {
				*at = withSignatures(*at, c.sig, t)
			}
			plain := w.resolver
			w.resolver = func(r *dns.Msg) *dns.Msg {
				m := plain(r)
				if r.IsEdns0() == nil || !r.IsEdns0().Do() || r.Question[0].Qtype != dns.TypeSOA {
					return m
				}
				switch {
				case c.resolver == "AD":
					m.AuthenticatedData = true
				case c.resolver == "bogus" && !r.CheckingDisabled, c.resolver == "fails":
					return dnstest.Reply(t, r, dns.RcodeServerFailure)
				}
				return m
			}
			r := zone.New(w.client(t)).Check(t.Context(), server(), domain())
			i := slices.IndexFunc(r.Findings, func(f finding.Finding) bool { return f.ID == "dns.dnssec" })
			if i < 0 || r.Findings[i].Severity != c.want || r.Findings[i].Seen != c.seen {
				t.Errorf("%+v, want %s: %s", r.Findings, c.want, c.seen)
			}
		})
	}
}
