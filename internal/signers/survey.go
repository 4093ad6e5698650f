package signers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/state"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// Survey finds out which programs sign mail beside our OpenDKIM.
type Survey struct {
	Source Source
	Ask    Asker // nil: nobody is asked, as below a directory
	Lookup Lookup
	// Unprivileged: what only root may read cannot be read, and so nobody is asked.
	Unprivileged bool
	Logf         func(format string, a ...any)
}

// slowAfter is the time after which a message says which milter is being asked.
const slowAfter = 2 * time.Second

// Milters asks the milters and content filters of Postfix what they sign for the
// domains of a run. Asked is false if none was asked.
func (s Survey) Milters(ctx context.Context, in step.Input) (milters []state.Milter, asked bool) {
	if s.Ask == nil {
		return nil, false
	}
	list := postfix.OtherMilters(in)
	if s.Unprivileged {
		if len(list) > 0 {
			s.Logf("not root: whether other milters sign was not asked: %s", endpoints(list))
		}
		return nil, false
	}
	domains := domainsOf(in)
	if len(list) > 0 {
		timer := time.AfterFunc(slowAfter, func() {
			s.Logf("asking the other milters of Postfix whether they sign: %s", endpoints(list))
		})
		defer timer.Stop()
		if n := len(domains); n > MaxDomains {
			s.Logf("they are asked about %d of the %d domains", MaxDomains, n)
		}
	}
	milters = Ask(ctx, s.Source, s.Ask, slices.Clone(list), domains, postfix.OtherDomains(in), s.Lookup)
	if in.Facts.Installed["amavisd-new"] {
		if m := AmavisSigner(ctx, s.Source, domains); m != nil {
			milters = append(milters, *m)
		}
	}
	return milters, true
}

// domainsOf returns the domains of a run, that of the host first, even if it is
// unchanged.
func domainsOf(in step.Input) []string {
	var domains []string
	if in.Scope.WholeHost() {
		domains = append(domains, in.Spec.Host.Domain)
	}
	for d := range in.Scope.Domains(in.Spec) {
		if len(domains) == 0 || d.Name != domains[0] {
			domains = append(domains, d.Name)
		}
	}
	return domains
}

func endpoints(list []state.Milter) string {
	var names []string
	for _, m := range list {
		names = append(names, m.Endpoint)
	}
	return strings.Join(names, ", ")
}

// KeyRecords returns a Lookup that queries a resolver for key records.
func KeyRecords(resolver *dnsclient.Client) Lookup {
	return func(ctx context.Context, name string) ([]string, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		records, status, err := resolver.Lookup(ctx, name+".", "TXT")
		if err != nil {
			return nil, err
		}
		if status != dnsclient.Found {
			return nil, fmt.Errorf("no record at %s", name)
		}
		var texts []string
		for _, r := range records {
			texts = append(texts, r.Value)
		}
		return texts, nil
	}
}
