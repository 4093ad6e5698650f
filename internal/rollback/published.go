package rollback

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/dnscheck"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/parallel"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/dns"
)

// checkStillPublished refuses a plan after which a key signs again whose record is no
// longer in DNS: its publisher may have removed it since. A name server that does not
// answer is no reason to refuse.
func checkStillPublished(ctx context.Context, p plan.Plan, look Checker) error {
	if look == nil {
		return nil
	}
	keys := reactivatedKeys(p)
	domains := slices.Sorted(maps.Keys(keys))
	missing := make([]string, len(domains))
	_ = parallel.Do(len(domains), lookupConcurrency, func(i int) error {
		if k := keys[domains[i]]; !publishes(p, domains[i], k) {
			missing[i] = look.missingAt(ctx, domains[i], k)
		}
		return nil
	})
	for i, domain := range domains {
		k := keys[domain]
		if text := missing[i]; text != "" {
			return hint.New(fmt.Sprintf("publish it again: %s TXT %s\nor leave that key: mailsetup rotate-dkim --now %s makes another one",
				dnsname.Key(k.Selector, domain), keygen.Record(k.Public), domain),
				"%s would sign for %s again, and no message would verify: %s", k.Selector, domain, text)
		}
	}
	return nil
}

// lookupConcurrency is the number of domains about which DNS is asked at a time. Its client
// bounds the questions.
const lookupConcurrency = 64

// reactivatedKeys returns, by domain, the keys that sign only after a plan.
func reactivatedKeys(p plan.Plan) map[string]keyring.Key {
	before, after := keyring.Ledger{}, keyring.Ledger{}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			domain, ok := strings.CutSuffix(strings.TrimPrefix(string(c.Path), string(keyring.Dir())+"/"), ".json")
			if !ok || c.Path != keyring.File(domain) {
				continue
			}
			if _, known := before[domain]; !known {
				before[domain], _ = keyring.ParseDomain(c.Before.Content)
			}
			after[domain], _ = keyring.ParseDomain(c.After.Content)
		}
	}
	again := map[string]keyring.Key{}
	for domain := range after {
		then, signs := after.Signing(domain)
		now, _ := before.Signing(domain)
		if signs && then.Selector != now.Selector {
			again[domain] = then
		}
	}
	return again
}

// publishes reports whether the plan itself publishes the record of a key.
func publishes(p plan.Plan, domain string, k keyring.Key) bool {
	name := k.RecordName(domain) + "."
	for _, st := range p.Stages {
		for _, u := range st.Updates {
			if slices.ContainsFunc(u.Add, func(r state.Record) bool { return strings.EqualFold(r.Name, name) }) {
				return true
			}
		}
		for _, c := range st.Changes {
			if c.Path.Dir() == dns.FragmentDir && bytes.Contains(c.After.Content, []byte(name)) {
				return true
			}
		}
	}
	return false
}

// missingAt names the server that answers without the record of a key, "" for none.
func (look Checker) missingAt(ctx context.Context, domain string, k keyring.Key) string {
	v := look(ctx, dnscheck.ForKey(domain, spec.DefaultTTL, k))
	for _, server := range v.Servers {
		for _, r := range server.Records {
			if !r.OK() {
				return fmt.Sprintf("%s: %s", server, r.Text)
			}
		}
	}
	return ""
}
