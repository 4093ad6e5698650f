package zone

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/check/finding"
	"mailsetup/internal/check/subject"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"

	"github.com/miekg/dns"
)

// signed asks for a record set with its signatures. With cd the resolver does not
// validate (RFC 4035 section 3.2.2).
func (k *Checker) signed(ctx context.Context, server, name string, t uint16, cd bool) (*dns.Msg, error) {
	q := dnsclient.Query(name, t, server == "")
	q.IsEdns0().SetDo()
	q.CheckingDisabled = cd
	if server != "" {
		return k.dns.Exchange(ctx, server, q)
	}
	err := errors.New("no resolver is known")
	var m *dns.Msg
	for _, r := range k.dns.Resolvers() {
		if m, err = k.dns.Exchange(ctx, r, q); err == nil {
			return m, nil
		}
	}
	return nil, err
}

// dnssec checks whether the zone is signed, and whether those who validate believe it.
func (k *Checker) dnssec(ctx context.Context, s subject.Server, d subject.Domain, a authority) finding.Finding {
	zone := dnsname.TrimDot(a.zone)
	f := finding.Finding{ID: "dns.dnssec", Severity: finding.OK, Domain: d.Name, Subject: zone}
	m, err := k.signed(ctx, "", a.zone, dns.TypeSOA, false)
	if err != nil {
		return unanswered(f, err)
	}
	switch {
	case m.Rcode == dns.RcodeServerFailure:
		unchecked, err := k.signed(ctx, "", a.zone, dns.TypeSOA, true)
		again, wrong := k.signed(ctx, "", a.zone, dns.TypeSOA, false) // it may have failed for a moment
		if err != nil || wrong != nil || unchecked.Rcode != dns.RcodeSuccess || len(unchecked.Answer) == 0 || again.Rcode != dns.RcodeServerFailure {
			f.Severity, f.Seen, f.CausedBy = finding.Unknown, "the resolver answers SERVFAIL", "dns.delegation"
			return f
		}
		f = bogus(f, zone, "the resolver answers SERVFAIL, and without validation it has an answer")
		if why := k.brokenChain(ctx, s, a); why != "" {
			f.Seen = why
		}
	case m.Rcode == dns.RcodeSuccess && m.AuthenticatedData:
		f.Seen = "signed, and validated by the resolver"
		f = expiring(f, s.Now, signatures(m, a.zone))
	default:
		f = k.unvalidated(ctx, f, s, a, signatures(m, a.zone))
	}
	return f
}

func bogus(f finding.Finding, zone, seen string) finding.Finding {
	f.Severity, f.Seen, f.Expected = finding.Problem, seen, "signatures that the DS record in the parent zone confirms, or no DS record"
	f.Remedy = finding.Text("see where the chain breaks:").Command("delv +vtrace %s SOA", zone).
		Text("then publish the DS of the key in use at the registrar (dnssec-dsfromkey), or take the DS out until the zone is signed right")
	return f
}

// unvalidated judges a zone of which the resolver does not say that it has validated it.
// What receivers that validate would say is told from the zone and the DS in its parent.
func (k *Checker) unvalidated(ctx context.Context, f finding.Finding, s subject.Server, a authority, sigs []*dns.RRSIG) finding.Finding {
	zone := dnsname.TrimDot(a.zone)
	if a.DelegationError != nil { // whether there is a DS in its parent is not known
		if f.Severity, f.Seen = finding.Note, "not signed"; len(sigs) > 0 {
			f.Seen = "signed; whether its parent zone has a DS record could not be asked"
			f = expiring(f, s.Now, sigs)
		}
		return f
	}
	ds, known := k.ds(ctx, a.zone)
	switch {
	case !known:
		f.Severity, f.Seen = finding.Unknown, "its DS record could not be asked for"
	case len(ds) == 0 && len(sigs) == 0:
		f.Severity, f.Seen = finding.Note, "not signed"
	case len(ds) == 0:
		f.Severity, f.Seen = finding.Note, "signed, but its parent zone has no DS record, so that nobody validates it"
	default:
		if why := k.brokenChain(ctx, s, a); why != "" {
			return bogus(f, zone, why)
		}
		f.Seen = "signed, and the DS record in its parent zone confirms that; this resolver does not validate"
		f = expiring(f, s.Now, sigs)
	}
	return f
}

// ds returns the DS records of a zone, as its parent has them.
func (k *Checker) ds(ctx context.Context, zone string) (list []*dns.DS, known bool) {
	m, err := k.signed(ctx, "", zone, dns.TypeDS, true)
	if err != nil || m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, false
	}
	for _, rr := range m.Answer {
		if ds, ok := rr.(*dns.DS); ok && strings.EqualFold(ds.Hdr.Name, zone) && len(list) < maxRecords {
			list = append(list, ds)
		}
	}
	return list, true
}

// signatures returns those of the SOA of a zone.
func signatures(m *dns.Msg, zone string) []*dns.RRSIG {
	var list []*dns.RRSIG
	for _, rr := range m.Answer {
		if sig, ok := rr.(*dns.RRSIG); ok && sig.TypeCovered == dns.TypeSOA && strings.EqualFold(sig.Hdr.Name, zone) && len(list) < maxRecords {
			list = append(list, sig)
		}
	}
	return list
}

// brokenChain says why those who validate do not believe a zone with a DS record: it is
// not signed, its keys are others, its signatures are not by them, or their time is over.
// "" if none of this is so, or it cannot be told.
func (k *Checker) brokenChain(ctx context.Context, s subject.Server, a authority) string {
	ds, known := k.ds(ctx, a.zone)
	at := a.inCharge()[0].Address
	own, err := k.signed(ctx, at, a.zone, dns.TypeSOA, false)
	if !known || len(ds) == 0 || err != nil {
		return ""
	}
	answer, err := k.signed(ctx, at, a.zone, dns.TypeDNSKEY, false)
	if err != nil || answer.Rcode != dns.RcodeSuccess {
		return ""
	}
	var keys []*dns.DNSKEY
	for _, rr := range answer.Answer {
		if key, ok := rr.(*dns.DNSKEY); ok && len(keys) < maxRecords {
			keys = append(keys, key)
		}
	}
	sigs := signatures(own, a.zone)
	switch {
	case len(keys) == 0 || len(sigs) == 0:
		return "its parent zone has a DS record, and the zone is not signed"
	case !slices.ContainsFunc(ds, func(ds *dns.DS) bool {
		return unknownDigest(ds) || slices.ContainsFunc(keys, func(key *dns.DNSKEY) bool { return confirms(ds, key) })
	}):
		return "the DS record in its parent zone is of none of the zone's keys"
	}
	var soa []dns.RR
	for _, rr := range own.Answer {
		if rr.Header().Rrtype == dns.TypeSOA {
			soa = append(soa, rr)
		}
	}
	why := "its SOA has no signature by one of its keys"
	for _, sig := range sigs {
		for _, key := range keys {
			switch {
			case key.KeyTag() != sig.KeyTag || key.Algorithm != sig.Algorithm || sig.Verify(key, soa) != nil:
			case sig.ValidityPeriod(s.Now):
				return ""
			default:
				why = "its signatures are valid from " + day(sig.Inception) + " to " + day(sig.Expiration) + " only"
			}
		}
	}
	if slices.ContainsFunc(sigs, func(sig *dns.RRSIG) bool { return !verifiable(sig.Algorithm) }) {
		return "" // it cannot be told here
	}
	return why
}

// confirms reports whether a DS record is of a key.
func confirms(ds *dns.DS, key *dns.DNSKEY) bool {
	if key.KeyTag() != ds.KeyTag || key.Algorithm != ds.Algorithm {
		return false
	}
	of := key.ToDS(ds.DigestType)
	return of != nil && strings.EqualFold(of.Digest, ds.Digest)
}

// unknownDigest reports whether a DS record is by a digest that this program cannot make.
func unknownDigest(ds *dns.DS) bool {
	return !slices.Contains([]uint8{dns.SHA1, dns.SHA256, dns.SHA384}, ds.DigestType)
}

// verifiable reports whether signatures of an algorithm can be verified.
func verifiable(algorithm uint8) bool {
	return slices.Contains([]uint8{dns.RSASHA1, dns.RSASHA1NSEC3SHA1, dns.RSASHA256, dns.RSASHA512, dns.ECDSAP256SHA256, dns.ECDSAP384SHA384, dns.ED25519}, algorithm)
}

func day(at uint32) string { return time.Unix(int64(at), 0).UTC().Format(time.DateTime) }

// expiring warns of signatures whose time is over within a day, and nine tenths of which
// are over: who signs should have renewed them.
func expiring(f finding.Finding, now time.Time, sigs []*dns.RRSIG) finding.Finding {
	for _, sig := range sigs {
		left := time.Unix(int64(sig.Expiration), 0).Sub(now)
		tenth := time.Duration(sig.Expiration-sig.Inception) * time.Second / 10
		if left < min(24*time.Hour, tenth) && !now.IsZero() {
			f.Severity, f.Seen = finding.Warning, "its signatures end at "+day(sig.Expiration)+", and nothing has renewed them"
			f.Expected = "signatures for days"
			f.Remedy = finding.Text("see why the zone is not signed anew; with BIND:").Command("rndc sign %s", f.Subject)
			return f
		}
	}
	return f
}
