package propose

import (
	"context"
	"errors"
	"strings"

	"mailsetup/internal/spec"
	"mailsetup/internal/spec/syntax"
	"mailsetup/steps/recipients"
	"mailsetup/steps/step"
)

// withReaders returns the result without report addresses that new domains get by
// default if nobody has them.
func (d *draft) withReaders(ctx context.Context, a spec.Answers) Result {
	if len(a.RUA) > 0 || len(d.Want.Host.Defaults.DMARC.RUA) > 0 {
		return d.Result
	}
	var before []spec.Domain // both are sorted
	if d.Spec != nil {
		before = d.Spec.Domains
	}
	var proposed []string
	for _, w := range d.Want.Domains {
		for len(before) > 0 && before[0].Name < w.Name {
			before = before[1:]
		}
		if len(before) == 0 || before[0].Name != w.Name {
			proposed = append(proposed, w.Name)
		}
	}
	if len(proposed) == 0 {
		return d.Result
	}
	in := step.Input{Spec: d.Want, Facts: d.Facts, Scope: step.Only(proposed...)}
	in.Facts.Recipients = d.Recipients(ctx, in)
	d.Want = recipients.WithoutUnread(in)
	return d.Result
}

// whyUnread returns an error if nobody would read mail at an address that a person
// typed for root's mail or for notices.
func (d *draft) whyUnread(ctx context.Context, a spec.Answers) error {
	want, _ := a.Spec(nil, d.Now) // what is wrong elsewhere is told elsewhere
	address := want.Host.RootAlias
	if want.Host.Notify != "" {
		address, want.Host.RootAlias = want.Host.Notify, "" // which was judged before
	}
	if loop := want.RootLoop(); loop != nil {
		return loop
	}
	domains := map[string]bool{}
	for _, w := range want.Domains {
		domains[w.Name] = true // and reports are not asked about
	}
	in := step.Input{Spec: want, Facts: d.Facts, Scope: step.Scope{}.Skip(domains)}
	in.Facts.Recipients = d.Recipients(ctx, in)
	refusal, ok := errors.AsType[*step.Refusal](recipients.CheckReaders(in))
	if !ok {
		return nil
	}
	_, why, _ := strings.Cut(refusal.What, ": ")
	hint := strings.NewReplacer(": --root-alias ADDRESS", "", ": --notify ADDRESS", "").Replace(refusal.Hint)
	return &syntax.BadValue{Field: "address", Value: address, Why: "would not do: " + why, Hint: hint}
}
