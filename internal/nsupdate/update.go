// Package nsupdate reads and changes zones on their primaries by dynamic updates
// (RFC 2136) that are signed with TSIG (RFC 8945).
package nsupdate

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Client implements system.Updater: it changes zones by dynamic updates.
type Client struct {
	Files    system.Reader      // for the keys
	Resolver dnsclient.Resolver // for the names of primaries
	// Within bounds how long a primary may take to serve what it accepted, 30 s
	// if zero.
	Within time.Duration
}

// pollEvery is the pause between two looks at what a primary serves.
const pollEvery = 100 * time.Millisecond

var _ system.Updater = Client{}

// Update implements system.Updater.
func (u Client) Update(ctx context.Context, want state.Update) error {
	key, err := ReadKey(u.Files, want.KeyFile)
	if err != nil {
		return fmt.Errorf("update %s: %w: %w", want.Origin, system.ErrUntouched, err)
	}
	c, err := dial(ctx, u.Resolver, want.Server, key)
	if err != nil {
		return fmt.Errorf("update %s: %w", want.Origin, err)
	}
	defer c.close()
	if err := c.update(ctx, want); err != nil {
		return fmt.Errorf("update %s: %w", want.Origin, err)
	}
	if err := c.waitServed(ctx, want, u.Within); err != nil {
		return fmt.Errorf("update %s: %w", want.Origin, err)
	}
	return nil
}

// update reads the records that are there and changes them, on the condition that they
// are still the same. An undo tries again if they changed in between.
func (c *conn) update(ctx context.Context, want state.Update) error {
	for tries := 1; ; tries++ {
		have, err := c.read(ctx, Questions(want))
		if err != nil {
			return &untouchedError{err}
		}
		if have, err = c.ownRecords(ctx, dns.CanonicalName(want.Origin), have); err != nil {
			return &untouchedError{err}
		}
		add, remove, err := want.Pending(dnsclient.FromRRs(have))
		if err != nil {
			return &ServerError{Server: c.server, Text: err.Error(), Hint: "run the command again", untouched: true}
		}
		if len(add)+len(remove) == 0 {
			return nil
		}
		m, err := message(want.Origin, have, add, remove)
		if err != nil {
			return &untouchedError{err}
		}
		r, err := c.ask(ctx, m)
		switch {
		case err != nil:
			return err
		case r.Rcode == dns.RcodeSuccess:
			return nil
		case !prerequisiteFailed(r.Rcode) || !want.Undo || tries == 3:
			return c.refusal(r.Rcode)
		}
	}
}

// untouchedError is a failure before any update was sent.
type untouchedError struct{ error }

// Unwrap returns the failure and system.ErrUntouched.
func (e *untouchedError) Unwrap() []error { return []error{e.error, system.ErrUntouched} }

// waitServed waits until the primary serves the update that it accepted.
func (c *conn) waitServed(ctx context.Context, want state.Update, within time.Duration) error {
	if within <= 0 {
		within = 30 * time.Second
	}
	end := time.Now().Add(within)
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	for {
		have, err := c.read(ctx, Questions(want))
		if err == nil { // names may be gone, and wildcards answer again
			have, err = c.ownRecords(ctx, dns.CanonicalName(want.Origin), have)
		}
		// The connection may notice the deadline a moment before the context.
		if err != nil && ctx.Err() == nil && time.Now().Before(end) {
			return err
		}
		if err == nil && want.Done(dnsclient.FromRRs(have)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return &ServerError{
				Server: c.server, Text: fmt.Sprintf("accepted the update, but does not serve it after %v", within),
				Hint: "see what it logged", err: ctx.Err(),
			}
		case <-time.After(pollEvery):
		}
	}
}

// Question is a name and a type to ask for.
type Question struct{ Name, Type string }

// Questions returns the names and types that an update is about.
func Questions(u state.Update) []Question {
	var list []Question
	for _, r := range slices.Concat(u.Add, u.Remove, u.Expected) {
		if q := (Question{r.Name, r.Type}); !slices.Contains(list, q) {
			list = append(list, q)
		}
	}
	return list
}

// read returns the records that answer the questions. A name that is an alias has its
// CNAME record in their place, one that is delegated the NS records.
func (c *conn) read(ctx context.Context, list []Question) ([]dns.RR, error) {
	var found []dns.RR
	for _, q := range list {
		m := dnsclient.Query(q.Name, dns.StringToType[q.Type], false)
		r, err := c.ask(ctx, m)
		if err != nil {
			return nil, err
		}
		if !r.Authoritative && dnsclient.Referral(r) == "" || r.Rcode != dns.RcodeSuccess && r.Rcode != dns.RcodeNameError {
			return nil, c.explainNoData(r, q.Name)
		}
		for _, rr := range r.Answer {
			if about(rr, m.Question[0]) {
				found = append(found, rr)
			}
		}
		if !r.Authoritative {
			found = append(found, r.Ns...)
		}
	}
	return dnsclient.Distinct(found), nil
}

// about reports whether a record of an answer has the name and type of the question, is
// an alias of that name, or redirects the tree that holds it (DNAME, RFC 6672).
func about(rr dns.RR, q dns.Question) bool {
	name, kind := dns.CanonicalName(rr.Header().Name), rr.Header().Rrtype
	if kind == dns.TypeDNAME {
		return dns.IsSubDomain(name, q.Name)
	}
	return name == q.Name && (kind == q.Qtype || kind == dns.TypeCNAME)
}

// explainNoData explains why a server does not answer with the records of a name.
func (c *conn) explainNoData(r *dns.Msg, name string) error {
	e := &ServerError{
		Server: c.server, Text: fmt.Sprintf("has no zone with %s", dnsname.TrimDot(name)),
		Hint: "--rfc2136-server names the primary",
	}
	if r.Rcode == dns.RcodeRefused {
		e.Text = fmt.Sprintf("does not answer the key %s about %s (REFUSED)", c.key, dnsname.TrimDot(name))
		e.Hint = "its zone must be there, and its allow-query must let this machine ask"
	} else if r.Rcode != dns.RcodeSuccess {
		e.Text = fmt.Sprintf("answers %s about %s", dns.RcodeToString[r.Rcode], dnsname.TrimDot(name))
	}
	return e
}

// message builds the update: the zone, the prerequisites (RFC 2136 section 2.4), and what
// to delete and to add (2.5). Records that exist go into it as the server sent them,
// since TXT records that are cut into other strings are not equal.
func message(origin string, have []dns.RR, add, remove []state.Record) (*dns.Msg, error) {
	m := new(dns.Msg).SetUpdate(dns.CanonicalName(origin))
	for _, set := range dnsclient.RRsets(slices.Concat(add, remove)) {
		var there []dns.RR
		for _, rr := range have {
			if state.SameSet(dnsclient.FromRR(rr), set[0]) {
				there = append(there, dns.Copy(rr))
			}
		}
		m.Used(there)
		if len(there) == 0 {
			m.RRsetNotUsed([]dns.RR{deleteRRset(set[0].Name, dns.StringToType[set[0].Type])})
		}
	}
	for _, name := range names(add) {
		// Where there is an alias, servers drop what is added and call it success
		// (section 3.4.2.2).
		if !slices.ContainsFunc(remove, func(r state.Record) bool { return r.Type == "CNAME" && dns.CanonicalName(r.Name) == name }) {
			m.RRsetNotUsed([]dns.RR{deleteRRset(name, dns.TypeCNAME)})
		}
	}
	for _, rr := range have {
		if slices.ContainsFunc(remove, func(r state.Record) bool { return state.Same(r, dnsclient.FromRR(rr)) }) {
			m.Remove([]dns.RR{dns.Copy(rr)})
		}
	}
	for _, r := range add {
		rr, err := dnsclient.ToRR(r)
		if err != nil {
			return nil, err
		}
		m.Insert([]dns.RR{rr})
	}
	return m, nil
}

func deleteRRset(name string, kind uint16) dns.RR {
	return &dns.ANY{Hdr: dns.RR_Header{Name: dns.CanonicalName(name), Rrtype: kind}}
}

func names(list []state.Record) []string {
	var all []string
	for _, r := range list {
		if n := dns.CanonicalName(r.Name); !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}
