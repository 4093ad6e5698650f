package main

import (
	"context"
	"errors"
	"math/bits"
	"slices"

	"mailsetup/internal/apply"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
)

// parting does something for many domains at once. Where that fails, it finds
// those that are in the way, and does it for the others.
type parting struct {
	try func(domains []string) error
	// left is how often it may fail still: what is wrong with the whole machine
	// fails for each of them.
	left int

	done    []string // for which it was done
	trouble []trouble
	last    error
}

// trouble is why something was not done for some domains: for one that is in the
// way by itself, or for several that were not tried any more.
type trouble struct {
	domains []string
	err     error
	untried bool
}

// partings are enough failures to find two domains among n.
func partings(n int) int { return 2*bits.Len(uint(n)) + 4 }

// part does it for all of the domains if it can, or for those that an error does
// not name, or else for each half of them. The error is one that no choice of
// domains would help against.
func (p *parting) part(domains []string) error {
	if len(domains) == 0 {
		return nil
	}
	if p.left <= 0 {
		p.giveUp(domains)
		return nil
	}
	err := p.try(domains)
	var known state.Trouble
	switch {
	case err == nil:
		p.done = append(p.done, domains...)
		return nil
	case hopeless(err):
		return err
	case errors.As(err, &known):
		return p.without(known, domains)
	}
	p.left, p.last = p.left-1, err
	if len(domains) == 1 {
		p.blame(domains[0], err)
		return nil
	}
	half := len(domains) / 2
	if err := p.part(domains[:half]); err != nil {
		return err
	}
	return p.part(domains[half:])
}

// without goes on without the domains that are known to be in trouble.
func (p *parting) without(known state.Trouble, domains []string) error {
	var others []string
	for _, d := range domains {
		if err := known[d]; err != nil {
			p.blame(d, err)
		} else {
			others = append(others, d)
		}
	}
	if len(others) == len(domains) {
		return known // of domains that nobody asked about
	}
	return p.part(others)
}

func (p *parting) blame(domain string, err error) {
	p.trouble = append(p.trouble, trouble{domains: []string{domain}, err: err})
}

// giveUp is for domains after too many failures, and tells of the last of them.
func (p *parting) giveUp(domains []string) {
	if n := len(p.trouble); n > 0 && p.trouble[n-1].untried {
		p.trouble[n-1].domains = append(p.trouble[n-1].domains, domains...)
		return
	}
	p.trouble = append(p.trouble, trouble{slices.Clone(domains), p.last, true})
}

// lasting is an error after which nothing more may be tried.
type lasting struct{ error }

func (l lasting) Unwrap() error { return l.error }

// hopeless reports whether an error ends the whole run: a machine that is not as
// it was, or a person who wants no more.
func hopeless(err error) bool {
	var notUndone *apply.NotUndone
	return errors.As(err, new(lasting)) || errors.As(err, &notUndone) ||
		errors.Is(err, context.Canceled) || errors.Is(err, wizard.ErrAborted)
}
