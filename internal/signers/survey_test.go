package signers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/dnsclient"
	"mailsetup/internal/signers"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
	"mailsetup/steps/step"
)

// source is a machine on which no program says anything.
type source struct{ *systemtest.Mem }

func (source) Run(context.Context, system.Command) (system.Result, error) {
	return system.Result{}, nil
}

// survey asks a milter that signs for the domains of froms, and notes what was said.
func survey(asked *[]string, said *strings.Builder) signers.Survey {
	return signers.Survey{
		Source: source{systemtest.NewMem()},
		Ask: func(_ context.Context, _, from string, _ state.Client, _ func(string) ([]string, error)) ([]state.Signature, error) {
			_, domain, _ := strings.Cut(from, "@")
			*asked = append(*asked, domain)
			return []state.Signature{{From: from, Domain: domain, Selector: "mail"}}, nil
		},
		Logf: func(format string, a ...any) { fmt.Fprintf(said, format+"\n", a...) },
	}
}

func withMilter(domains ...string) step.Input {
	in := step.Input{Spec: spec.Spec{Host: spec.Host{Domain: domains[0], Hostname: "mail." + domains[0]}}}
	for _, d := range domains {
		in.Spec.Domains = append(in.Spec.Domains, spec.Domain{Name: d})
	}
	in.Facts.Postfix = &state.Postfix{
		Raw: map[string]string{"smtpd_milters": "inet:localhost:11332"}, Value: map[string]string{},
		Services: []state.Service{{Name: "smtp/inet", Command: "smtpd"}},
	}
	return in
}

// The host's own domain is asked about although nothing of it changed, and first.
func TestMilters(t *testing.T) {
	var asked []string
	var said strings.Builder
	in := withMilter("lab.example", "a.example", "b.example")
	in.Scope = step.Scope{}.Skip(map[string]bool{"lab.example": true, "b.example": true})
	list, ok := survey(&asked, &said).Milters(t.Context(), in)
	if !ok || len(list) != 1 || list[0].Endpoint != "inet:localhost:11332" || !list[0].Asked || said.String() != "" {
		t.Fatalf("%+v, %v, said %q", list, ok, said.String())
	}
	if asked = slices.Compact(asked); len(asked) < 2 || asked[0] != "lab.example" || asked[1] != "a.example" || slices.Contains(asked, "b.example") {
		t.Errorf("asked about %q", asked)
	}
	asked = nil
	in.Scope = step.Only("b.example")
	survey(&asked, &said).Milters(t.Context(), in)
	if slices.Contains(asked, "lab.example") || !slices.Contains(asked, "b.example") {
		t.Errorf("asked about %q", asked)
	}
}

// A filter takes its time for each domain.
func TestMiltersAreAskedAboutSomeDomains(t *testing.T) {
	var asked []string
	var said strings.Builder
	var domains []string
	for i := range 30 {
		domains = append(domains, fmt.Sprintf("shop%02d.example", i))
	}
	survey(&asked, &said).Milters(t.Context(), withMilter(domains...))
	slices.Sort(asked)
	if n := len(slices.Compact(asked)); n != signers.MaxDomains || said.String() != "they are asked about 20 of the 30 domains\n" {
		t.Errorf("asked about %d, said %q", n, said.String())
	}
}

// A dry run that may not look at everything asks no milter, and says so; below a
// directory there is none.
func TestMiltersAreNotAsked(t *testing.T) {
	var asked []string
	var said strings.Builder
	s := survey(&asked, &said)
	s.Unprivileged = true
	list, ok := s.Milters(t.Context(), withMilter("lab.example"))
	if len(asked) > 0 || ok || list != nil || said.String() != "not root: whether other milters sign was not asked: inet:localhost:11332\n" {
		t.Errorf("%+v, %v, asked %q, said %q", list, ok, asked, said.String())
	}
	said.Reset()
	if s.Milters(t.Context(), step.Input{}); said.String() != "" {
		t.Errorf("without milters said %q", said.String())
	}
	s.Ask = nil
	if _, ok := s.Milters(t.Context(), withMilter("lab.example")); ok || said.String() != "" {
		t.Errorf("below a directory: %v, said %q", ok, said.String())
	}
}

func TestKeyRecordsWithoutAResolver(t *testing.T) {
	if texts, err := signers.KeyRecords(dnsclient.New("127.0.0.1:1"))(t.Context(), "s._domainkey.lab.example"); err == nil {
		t.Errorf("%q", texts)
	}
}
