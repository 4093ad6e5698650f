package dnscheck

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/state"
)

// isDelegation reports whether the record is an NS record by which a zone gives a name to
// another one.
func (e ExpectedRecord) isDelegation() bool {
	return e.Record.Type == "NS" && !dnsname.Same(e.Record.Name, e.Zone)
}

// zoneQueryName returns the name whose zone has the records of a name: those that delegate
// it stand in the zone above.
func zoneQueryName(w Expected, name string) string {
	if slices.ContainsFunc(w.Records, func(r state.Record) bool { return r.Type == "NS" && r.Name == name }) {
		return dnsname.Parent(name)
	}
	return dnsclient.ZoneQueryName(name)
}

// delegated diagnoses the NS records that a server of the zone above has: all of them count,
// so one more leads to a server that does not know the zone.
func (e ExpectedRecord) delegated(there []state.Record) dnsclient.Finding {
	name := dnsname.TrimDot(e.Record.Name)
	good := slices.ContainsFunc(there, func(r state.Record) bool { return strings.EqualFold(r.Value, e.Record.Value) })
	switch {
	case len(there) == 0:
		return finding(Missing, "missing: "+name+" is not delegated, so nobody finds the keys that are only here", e.publishRemedy())
	case !good:
		return finding(Different, name+" is delegated to "+dnsclient.DescribeValues(there, []state.Record{e.Record}), e.replaceRemedy())
	}
	return dnsclient.Finding{}
}

// delegationAbove returns the zone above one, or how a server of that does not delegate it to
// the servers that the zone itself names: whoever asks there finds no key.
func delegationAbove(ctx context.Context, c *dnsclient.Client, zone dnsclient.Authority) (above, problem string) {
	if len(zone.Named) == 0 {
		return "", "the name servers of " + dnsname.TrimDot(zone.Zone) + " are not known"
	}
	want := Expected{Domain: dnsname.TrimDot(dnsname.Parent(zone.Zone))}
	for _, ns := range zone.Named {
		want.Records = append(want.Records, state.Record{Name: zone.Zone, Type: "NS", Value: ns})
	}
	r := Check(ctx, c, want, Result{})
	if len(r.NoServer) > 0 {
		return "", r.NoServer[0].Text
	}
	for _, s := range r.Servers {
		switch {
		case s.NotAsked():
		case !s.ServerProblem.OK():
			return "", fmt.Sprintf("%s: %s", s, s.ServerProblem.Text)
		default:
			for _, x := range s.Records {
				if !x.OK() {
					return "", fmt.Sprintf("%s: %s", s, x.Text)
				}
			}
		}
		above = s.Zone
	}
	if above == "" {
		return "", "no name server above " + dnsname.TrimDot(zone.Zone) + " was found"
	}
	return above, ""
}

// negativeTTLs returns how long resolvers may remember that a zone, or the one above it
// before it was delegated, has no record of a name; above is "" for no such zone. Meanwhile
// it asks something else, and returns the problem.
func negativeTTLs(ctx context.Context, c *dnsclient.Client, zone, above string, meanwhile func() string) (longest time.Duration, problem string) {
	var found [2]time.Duration
	var errs [2]error
	var wg sync.WaitGroup
	for i, zone := range []string{zone, above} {
		if zone != "" {
			wg.Go(func() { found[i], errs[i] = negativeTTL(ctx, c, zone) })
		}
	}
	problem = meanwhile()
	wg.Wait()
	if err := cmp.Or(errs[0], errs[1]); problem == "" && err != nil {
		problem = err.Error()
	}
	return max(found[0], found[1]), problem
}
