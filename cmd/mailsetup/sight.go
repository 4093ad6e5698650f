package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsclient"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
)

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
