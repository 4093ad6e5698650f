package dnshook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miekg/dns"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/nsupdate"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Client implements system.Updater: it changes zones by hooks, and has others updated on
// their primaries.
type Client struct {
	Sys       Machine
	Primaries system.Updater
	// Limit is how long a hook may run for one request, the constant if zero; Within for how
	// long the provider may show something else than was presented, 30 s if zero.
	Limit, Within time.Duration
}

var _ system.Updater = Client{}

// Update implements system.Updater. An RRset that was changed by somebody else is left as it
// is; so is what stands beside our records in one. What a killed run may have started is
// ended first.
func (c Client) Update(ctx context.Context, want state.Update) error {
	program, is := state.Hook(want.Server)
	if !is {
		return c.Primaries.Update(ctx, want)
	}
	h, err := open(c.Sys, program, c.Limit)
	if err != nil {
		return fmt.Errorf("update %s: %w: %w", want.Origin, system.ErrUntouched, err)
	}
	h.stop(ctx, unit+"change-*")
	if err := h.update(ctx, want, c.Within); err != nil {
		return fmt.Errorf("update %s: %w", want.Origin, err)
	}
	return nil
}

func (h hook) update(ctx context.Context, want state.Update, within time.Duration) error {
	have, listed, err := h.read(ctx, want.Origin, nsupdate.Questions(want))
	if e := (*Error)(nil); errors.As(err, &e) {
		e.untouched = true
	}
	if err != nil {
		return err
	}
	add, remove, err := want.Pending(have)
	if err != nil {
		return h.fail(true, err, "run the command again", "%v", err)
	}
	if len(add)+len(remove) == 0 {
		return nil
	}
	for i, set := range dnsclient.RRsets(slices.Concat(add, remove)) {
		err := h.change(ctx, want.Origin, in(have, set[0]), in(add, set[0]), in(remove, set[0]), listed)
		if e := (*Error)(nil); i > 0 && errors.As(err, &e) {
			e.untouched = false // other RRsets were changed
		}
		if err != nil {
			return err
		}
	}
	return h.waitServed(ctx, want, within)
}

// in returns the records of a list that belong to an RRset.
func in(list []state.Record, set state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r state.Record) bool { return !state.SameSet(r, set) })
}

// except returns the records of a list that are not among others, whatever their TTL.
func except(list, others []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(list), func(r state.Record) bool {
		return slices.ContainsFunc(others, func(x state.Record) bool { return state.Same(x, r) })
	})
}

// change has the program change an RRset of which all records are given. What it listed, it
// gets back as it was.
func (h hook) change(ctx context.Context, zone string, have, add, remove []state.Record, listed listing) error {
	after := append(except(have, slices.Concat(remove, add)), add...)
	gone := except(have, except(have, remove))
	first := slices.Concat(add, have)[0]
	r := Request{
		Operation: Present, Zone: zone, Name: dns.CanonicalName(first.Name), Type: first.Type, TTL: &first.TTL,
		Values: listed.values(after), Expected: listed.values(have), Add: listed.values(add), Delete: listed.values(gone),
	}
	if len(after) == 0 {
		r.Operation = Remove
	}
	_, err := h.call(ctx, r)
	return err
}

// waitServed waits until the provider has what was presented.
func (h hook) waitServed(ctx context.Context, want state.Update, within time.Duration) error {
	if within <= 0 {
		within = 30 * time.Second
	}
	for end := time.Now().Add(within); ; {
		have, _, err := h.read(ctx, want.Origin, nsupdate.Questions(want))
		switch {
		case err != nil:
			if e := (*Error)(nil); errors.As(err, &e) {
				e.untouched = false
			}
			return err
		case want.Done(have):
			return nil
		case time.Now().After(end):
			return h.fail(false, nil, h.tryIt(), "it says that it is done, but lists other records")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(time.Second, within)):
		}
	}
}

// read returns the records of a zone at some names and types, and how the program lists them.
// A name that is an alias has its CNAME record in their place, one that is delegated the NS
// records.
func (h hook) read(ctx context.Context, zone string, list []nsupdate.Question) ([]state.Record, listing, error) {
	asked, names := map[nsupdate.Question]bool{}, map[string]bool{}
	for _, q := range list {
		name := dns.CanonicalName(q.Name)
		for _, kind := range []string{q.Type, "CNAME"} {
			asked[nsupdate.Question{Name: name, Type: kind}] = true
		}
		for names[name] = true; name != zone && dns.IsSubDomain(zone, name); name = dnsname.Parent(name) {
			names[name] = true
			asked[nsupdate.Question{Name: name, Type: "NS"}], asked[nsupdate.Question{Name: name, Type: "DNAME"}] = true, true
		}
	}
	var all []string
	for name := range names {
		all = append(all, name)
	}
	slices.Sort(all)
	a, err := h.call(ctx, Request{Operation: List, Zone: zone, Names: all})
	if err != nil {
		return nil, nil, err
	}
	found, listed, err := records(a.RRsets, func(name, kind string) bool { return asked[nsupdate.Question{Name: name, Type: kind}] })
	if err != nil {
		return nil, nil, h.fail(true, err, h.tryIt(), "%s", h.clean(err.Error()))
	}
	return found, listed, nil
}
