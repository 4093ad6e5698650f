package propose

import (
	"cmp"
	"context"

	"mailsetup/internal/parallel"
	"mailsetup/internal/spec"
	"mailsetup/steps/postfix"
	"mailsetup/steps/step"
)

// NewDomains splits names into those that a spec does not have and those that it has.
func NewDomains(sp spec.Spec, names []string) (fresh, there []string) {
	known := make(map[string]bool, len(sp.Domains))
	for _, d := range sp.Domains {
		known[d.Name] = true
	}
	for _, n := range names {
		if known[n] {
			there = append(there, n)
		} else {
			fresh = append(fresh, n)
		}
	}
	return fresh, there
}

// AddDomains makes the spec of a server with further domains, from answers that apply
// to each of them.
func (p *Proposer) AddDomains(ctx context.Context, names []string, a spec.Answers) (Result, error) {
	d := p.draft(step.Only(names...))
	if err := d.gather(ctx, namesOnly(*p.Spec, names)); err != nil {
		return Result{}, err
	}
	list := make([]spec.Answers, len(names))
	b := d.basis()
	err := parallel.Do(len(names), dnsConcurrency, func(i int) (err error) {
		a := a
		a.Domain, a.DNS = names[i], b.publicationMode(a, names[i])
		list[i], err = d.selector(ctx, b.Fill(fromSpec(a, p.Spec)))
		return err
	})
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return Result{}, err
	}
	want, findings := p.Spec.WithDomains(list, p.Now)
	if err := findings.Err(); err != nil {
		return Result{}, err
	}
	d.seeSecondaries(ctx, &want)
	d.Notes = d.secondaries
	if postfix.BeginsToSign(*p.Spec, want, p.Ledger) { // then Postfix does not ask our signer yet
		d.Scope = step.Scope{}
	}
	if err := d.refresh(ctx, &want); err != nil {
		return Result{}, err
	}
	d.Want = want
	return d.withReaders(ctx, a), nil
}

// dnsConcurrency is the number of names looked up at a time. The client bounds the
// questions.
const dnsConcurrency = 256
