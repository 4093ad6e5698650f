package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnspub"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps"
)

// vouched refuses a rollback after which a key would sign again whose record is
// no longer there: whoever publishes the records may have taken it out since.
// Where no name server can be asked the rollback goes on.
func (s *session) vouched(ctx context.Context, p plan.Plan) error {
	if s.o.root != "" {
		return nil
	}
	signs := signingAgain(p)
	for _, domain := range sortedKeys(signs) {
		k := signs[domain]
		if publishes(p, domain, k) {
			continue
		}
		if text := s.lost(ctx, domain, k); text != "" {
			return fail(fmt.Sprintf("publish it again: %s._domainkey.%s TXT %s\nor leave that key: mailsetup rotate-dkim --now %s makes another one",
				k.Selector, domain, keygen.Record(k.Public), domain),
				"%s would sign for %s again, and no message would verify: %s", k.Selector, domain, text)
		}
	}
	return nil
}

// signingAgain are the keys that sign after a plan and did not before, by domain.
func signingAgain(p plan.Plan) map[string]keyring.Key {
	was, is := keyring.Ledger{}, keyring.Ledger{}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			domain, ok := strings.CutSuffix(strings.TrimPrefix(string(c.Path), string(keyring.Dir())+"/"), ".json")
			if !ok || c.Path != keyring.File(domain) {
				continue
			}
			if _, known := was[domain]; !known {
				was[domain], _ = keyring.ParseDomain(c.Before.Content)
			}
			is[domain], _ = keyring.ParseDomain(c.After.Content)
		}
	}
	again := map[string]keyring.Key{}
	for domain := range is {
		now, signs := is.Signing(domain)
		before, _ := was.Signing(domain)
		if signs && now.Selector != before.Selector {
			again[domain] = now
		}
	}
	return again
}

// publishes reports whether the plan itself puts the record of a key into DNS.
func publishes(p plan.Plan, domain string, k keyring.Key) bool {
	name := keyRecord(spec.Domain{Name: domain}, k).Name
	for _, st := range p.Stages {
		for _, u := range st.Updates {
			if slices.ContainsFunc(u.Add, func(r state.Record) bool { return strings.EqualFold(r.Name, name) }) {
				return true
			}
		}
		for _, c := range st.Changes {
			if c.Path.Dir() == steps.FragmentDir && bytes.Contains(c.After.Content, []byte(name)) {
				return true
			}
		}
	}
	return false
}

// lost says which name server answered that it does not have a key's record, ""
// for none.
func (s *session) lost(ctx context.Context, domain string, k keyring.Key) string {
	v := s.Resolver.Look(ctx, dnspub.Wanted{
		Domain: domain, Records: []state.Record{keyRecord(spec.Domain{Name: domain, TTL: spec.DefaultTTL}, k)}, Keys: map[string]string{k.Selector: k.Public},
	}, dnspub.View{})
	for _, server := range v.Servers {
		for _, r := range server.Records {
			if r.Fault != dnspub.OK {
				return fmt.Sprintf("%s: %s", server, r.Text)
			}
		}
	}
	return ""
}
