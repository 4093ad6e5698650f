package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/zonefile"
)

const (
	servedWithin  = 15 * time.Second
	servedAddress = "127.0.0.1:53"
	servedPoll    = 100 * time.Millisecond
)

// WaitServed waits until the name server at p.Address (127.0.0.1:53 if empty) answers
// with authority and serves p.Records, none of p.Gone, and a serial of p.Origin not
// behind p.Serial (RFC 1982, 0 for any), at most p.Within (15 s if zero). BIND loads
// asynchronously and reports a reload as done even if it refused the zone, so only the
// records count. Of p.Once the first answer does. An RRset must be equal to the wanted one, TTLs aside. TXT records of
// several purposes share a name: at the name of a key or DMARC policy exactly the
// wanted text may be, elsewhere others too, but no second v=spf1 (RFC 7208 section
// 4.5). The error names the first difference.
func WaitServed(ctx context.Context, p state.Probe) error {
	if p.Address == "" {
		p.Address = servedAddress
	}
	if p.Within <= 0 {
		p.Within = servedWithin
	}
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, p.Within)
	defer cancel()
	var last error
	for {
		err := servedOnce(ctx, p)
		if err == nil {
			return nil
		}
		if p.Once && !errors.As(err, new(noAnswer)) {
			return fmt.Errorf("name server %s: %w", p.Address, err)
		}
		if last == nil || !expired(ctx) {
			last = err // a question that was cut short says nothing
		}
		select {
		case <-ctx.Done():
			if err := outer.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("ask %s: %w", p.Address, err)
			}
			return fmt.Errorf("name server %s, after %v: %w", p.Address, p.Within, last)
		case <-time.After(servedPoll):
		}
	}
}

// expired reports whether the deadline has passed; a dial may notice that a little
// before its context does.
func expired(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(end)
}

func servedOnce(ctx context.Context, p state.Probe) error {
	if err := serialReached(ctx, p); err != nil {
		return err
	}
	for _, want := range RRsets(p.Records) {
		if err := rrsetServed(ctx, p.Address, want); err != nil {
			return err
		}
	}
	for _, gone := range p.Gone {
		if err := recordGone(ctx, p.Address, gone); err != nil {
			return err
		}
	}
	return nil
}

// RRsets groups records by name and type, in the order of first appearance.
func RRsets(records []state.Record) [][]state.Record {
	var sets [][]state.Record
	for _, r := range records {
		i := slices.IndexFunc(sets, func(s []state.Record) bool {
			return strings.EqualFold(s[0].Type, r.Type) && dns.CanonicalName(s[0].Name) == dns.CanonicalName(r.Name)
		})
		if i < 0 {
			sets = append(sets, []state.Record{r})
		} else {
			sets[i] = append(sets[i], r)
		}
	}
	return sets
}

func serialReached(ctx context.Context, p state.Probe) error {
	if p.Serial == 0 {
		return nil
	}
	served, err := Serial(ctx, p.Address, p.Origin)
	if err == nil && zonefile.SerialBehind(served, p.Serial) {
		err = fmt.Errorf("zone %s: serial %d is served; should be %d or later", p.Origin, served, p.Serial)
	}
	return err
}

// Serial returns the serial of a zone that the name server at an address serves with
// authority.
func Serial(ctx context.Context, server, origin string) (uint32, error) {
	m, err := authoritative(ctx, server, origin, dns.TypeSOA)
	if err != nil {
		return 0, err
	}
	for _, rr := range m.Answer {
		if soa, ok := rr.(*dns.SOA); ok {
			return soa.Serial, nil
		}
	}
	return 0, fmt.Errorf("zone %s: no SOA is served", origin)
}

func rrsetServed(ctx context.Context, server string, want []state.Record) error {
	name, rtype := want[0].Name, strings.ToUpper(want[0].Type)
	served, err := askServed(ctx, server, name, rtype)
	if err != nil {
		return err
	}
	compare := served
	if rtype == "TXT" {
		compare = relevant(name, served, want)
	}
	if equalSets(compare, want) {
		return nil
	}
	return fmt.Errorf("%s %s: served %s; should be %s", name, rtype, DescribeValues(compare, want), DescribeValues(want, compare))
}

// relevant returns the served TXT records that are wanted or conflict with a wanted
// one.
func relevant(name string, served, want []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(served), func(s state.Record) bool {
		return !slices.ContainsFunc(want, func(w state.Record) bool {
			return Same(s, w) || dnsname.Conflict(name, s.Value, w.Value)
		})
	})
}

func equalSets(a, b []state.Record) bool { return within(a, b) && within(b, a) }

func within(a, b []state.Record) bool {
	return !slices.ContainsFunc(a, func(r state.Record) bool {
		return !slices.ContainsFunc(b, func(o state.Record) bool { return Same(r, o) })
	})
}

// recordGone returns an error if a record is at its name. An alias there, of a wildcard
// that answers again, does not count.
func recordGone(ctx context.Context, server string, gone state.Record) error {
	t, ok := dns.StringToType[strings.ToUpper(gone.Type)]
	if !ok {
		return fmt.Errorf("%s: unknown record type %q", gone.Name, gone.Type)
	}
	m, err := authoritative(ctx, server, gone.Name, t)
	if err != nil {
		return err
	}
	served := AnswerChain(m, gone.Name, t)
	if slices.ContainsFunc(served, func(r state.Record) bool { return Same(r, gone) }) {
		return fmt.Errorf("%s %s: still served %s; should be gone", gone.Name, gone.Type, Quote(gone.Value, ""))
	}
	return nil
}

// askServed queries the server itself for the records at a name. An alias is an error:
// nothing else can be beside it.
func askServed(ctx context.Context, server, name, rtype string) ([]state.Record, error) {
	t, ok := dns.StringToType[strings.ToUpper(rtype)]
	if !ok {
		return nil, fmt.Errorf("%s: unknown record type %q", name, rtype)
	}
	m, err := authoritative(ctx, server, name, t)
	if err != nil {
		return nil, err
	}
	records := AnswerChain(m, name, t)
	if len(records) > 0 && records[0].Type == "CNAME" && t != dns.TypeCNAME {
		return nil, fmt.Errorf("%s %s: the name is an alias (CNAME) of %s", name, rtype, records[0].Value)
	}
	return records, nil
}

// noAnswer is the error of a question that no answer came to, though somebody may be there.
type noAnswer struct{ error }

// Unwrap returns what went wrong.
func (e noAnswer) Unwrap() error { return e.error }

// authoritative queries without recursion and accepts only authoritative answers.
func authoritative(ctx context.Context, server, name string, t uint16) (*dns.Msg, error) {
	m, err := exchange(ctx, New(), WithPort(server), Query(name, t, false))
	if err != nil {
		if !errors.Is(err, syscall.ECONNREFUSED) {
			err = noAnswer{err}
		}
		return nil, fmt.Errorf("%s %s: %w", name, dns.TypeToString[t], err)
	}
	if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
		return nil, fmt.Errorf("%s %s: the server answers %s", name, dns.TypeToString[t], dns.RcodeToString[m.Rcode])
	}
	if !m.Authoritative {
		return nil, fmt.Errorf("%s %s: the server has no zone with this name", name, dns.TypeToString[t])
	}
	return m, nil
}

// DescribeValues lists values for a message; long ones begin where they differ from the
// other list.
func DescribeValues(list, other []state.Record) string {
	if len(list) == 0 {
		return "nothing"
	}
	var out []string
	for i, r := range list {
		against := ""
		if i < len(other) {
			against = other[i].Value
		}
		out = append(out, Quote(r.Value, against))
	}
	return strings.Join(out, ", ")
}

const maxShown = 72

// Quote shortens a long text to the part around its first difference from
// another.
func Quote(s, other string) string {
	if len(s) <= maxShown {
		return fmt.Sprintf("%q", s)
	}
	at := 0
	for at < len(s) && at < len(other) && s[at] == other[at] {
		at++
	}
	if at < maxShown/2 || other == "" {
		return fmt.Sprintf("%q… (%d octets)", s[:maxShown], len(s))
	}
	from := at - 16
	return fmt.Sprintf("%q…%q… (%d octets, differs after %d)", s[:16], s[from:min(from+maxShown/2, len(s))], len(s), at)
}
