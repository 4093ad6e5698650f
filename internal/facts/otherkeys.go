package facts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/dnsname"
	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/keygen"
	"mailsetup/steps/records"
)

// lookUpOtherKeys finds the keys of other senders of domains whose keys are to get a zone of
// their own here, before that is made.
func (c *Collector) lookUpOtherKeys(ctx context.Context, r Request, f *state.Facts) {
	f.OtherKeys = map[string]state.OtherKeys{}
	for d := range r.Scope.Domains(r.Spec) {
		if records.Delegates(r.Spec, d) && len(f.Zones.Named(dnsname.KeyZone(d.Name)+".")) == 0 {
			f.OtherKeys[d.Name] = otherKeys(ctx, c.client, d)
		}
	}
}

// otherKeys asks the name servers of a domain for the key at each selector: what stands there,
// so that a CNAME stays one, and the other sender's next key is found through it. What a
// wildcard answers is found by a name that nobody has.
func otherKeys(ctx context.Context, client *dnsclient.Client, d spec.Domain) state.OtherKeys {
	ask := func(name string) ([]state.Record, error) {
		list, _, err := client.LookupAuthoritative(ctx, name, "TXT")
		if err != nil { // those behind an alias may be silent
			if alias, _, wrong := client.LookupAuthoritative(ctx, name, "CNAME"); wrong == nil && len(alias) > 0 {
				return alias, nil
			}
		}
		return list, err
	}
	var found state.OtherKeys
	wild, err := ask(dnsclient.UnusedName(dnsname.KeyZone(d.Name)))
	if err != nil {
		found.Unanswered = []string{err.Error()}
		return found
	}
	if star := dnsname.Key("*", d.Name) + "."; len(wild) > 0 {
		if at, err := ask(star); err != nil {
			found.Unanswered = []string{err.Error()}
		} else {
			found.Found = keyAt(star, at)
		}
	}
	selectors := records.SelectorsToKeep(d)
	answers, errs := make([][]state.Record, len(selectors)), make([]error, len(selectors))
	_ = parallel.Do(len(selectors), servedAtOnce, func(i int) error {
		answers[i], errs[i] = ask(dnsname.Key(selectors[i], d.Name))
		return nil
	})
	for i, selector := range selectors {
		if errs[i] != nil {
			found.Unanswered = append(found.Unanswered, fmt.Sprintf("%s: %v", selector, errs[i]))
			continue
		}
		if !sameValues(answers[i], wild) {
			found.Found = append(found.Found, keyAt(dnsname.Key(selector, d.Name)+".", answers[i])...)
		}
	}
	return found
}

// keyAt returns a key that stands at a name, or the CNAME there, wherever that leads today.
func keyAt(name string, answer []state.Record) []state.Record {
	return slices.DeleteFunc(slices.Clone(answer), func(r state.Record) bool {
		_, err := keygen.ParseRecord(r.Value)
		return !strings.EqualFold(r.Name, name) || r.Type != "CNAME" && (r.Type != "TXT" || err != nil)
	})
}

// sameValues reports whether two answers say the same, whatever name was asked for.
func sameValues(a, b []state.Record) bool {
	return slices.EqualFunc(a, b, func(x, y state.Record) bool { return x.Type == y.Type && x.Value == y.Value })
}
