package main

import (
	"context"
	"maps"
	"slices"

	"mailsetup/internal/adopt"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
	"mailsetup/steps"
)

// lookAtSigner looks for an OpenDKIM to take over, and at what DNS says of its
// domains. The answers get what follows from it.
func (s *session) lookAtSigner(ctx context.Context, a spec.Answers, old *spec.Spec) (spec.Answers, error) {
	if s.Image != nil || s.o.overwriteDrift {
		return a, nil
	}
	_, unprivileged := s.Sys.(machine.Unprivileged)
	var err error
	s.taken, err = adopt.Detect(s.Sys, s.facts, adopt.Options{Record: s.record, Unprivileged: unprivileged, Now: s.Now})
	if err != nil || s.taken == nil {
		return a, err
	}
	s.keys = s.taken.Enter(s.keys, s.Now)
	maps.Copy(s.record, s.taken.Written)
	host := first(normal(a.Hostname, spec.Hostname), s.facts.FQDN)
	if a, err = s.taken.Answer(a, host); err != nil {
		return a, err
	}
	return a, s.lookAtTaken(ctx, *wanted(a, old))
}

// lookAtTaken looks at the records of all domains that are taken over, beside
// those of a wish.
func (s *session) lookAtTaken(ctx context.Context, w spec.Spec) error {
	w.Domains = slices.Clone(w.Domains)
	there := map[string]bool{}
	for _, d := range w.Domains {
		there[d.Name] = true
	}
	for _, name := range s.taken.Names() {
		if !there[name] {
			w.Domains = append(w.Domains, spec.Domain{Name: name})
		}
	}
	return s.look(ctx, &w)
}

// withTaken adds to a wish what is taken over: the domains that it does not have
// yet, with what their records say already, and who is signed for.
func (s *session) withTaken(ctx context.Context, want spec.Spec, old *spec.Spec) (spec.Spec, error) {
	if s.asks() { // and the answers decided what was looked at last
		if err := s.lookAtTaken(ctx, want); err != nil {
			return want, err
		}
	}
	var list []spec.Answers
	for _, d := range s.taken.Domains {
		list = append(list, s.takenAnswers(want, d))
	}
	return s.taken.AddDomains(want, old, list, s.Now)
}

// takenAnswers are those about one domain that is taken over. It receives here
// only if its MX says so: nobody missed one until now.
func (s *session) takenAnswers(want spec.Spec, d spec.Domain) spec.Answers {
	a := spec.Answers{Domain: d.Name, Selector: d.Selector, Receive: "no", DNS: string(spec.DNSManual)}
	if s.hasMX(d.Name) {
		a.Receive = s.receives(d.Name, want.Host.Hostname, first(addressesOf(want)...)).Value
	}
	if s.serves(d.Name) {
		a.DNS = string(spec.DNSBind)
	}
	a, _ = steps.Adopt(a, s.facts, d.Name)
	return a
}

func addressesOf(sp spec.Spec) []string {
	var all []string
	for _, a := range sp.Host.Addresses {
		all = append(all, a.String())
	}
	return all
}

// union is a list with the items of another that it does not have.
func union(list, more []string) []string {
	out := slices.Clone(list)
	for _, item := range more {
		out = with(out, item)
	}
	return out
}
