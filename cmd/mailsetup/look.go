package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"mailsetup/internal/detect"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/steps"
)

// look finds out about the machine, and about DNS for the names of the wish.
func (s *session) look(ctx context.Context, w *spec.Spec) error {
	if s.Image != nil {
		dir, err := filepath.Abs(s.o.root) // programs run elsewhere
		if err != nil {
			return err
		}
		s.facts, err = detect.Image(ctx, s.Image, system.NewHost(system.Options{}), dir, factFiles)
		return err
	}
	if err := s.findSettled(w); err != nil {
		return err
	}
	s.looked, s.asked = s.origins(w), s.Resolver.WithCache()
	facts, err := s.lookedAt(ctx, s.looked)
	if err != nil {
		return err
	}
	if s.steps == nil { // keys are replaced whatever else DNS says
		s.lookUp(ctx, w, s.namesOf(w, facts.FQDN), &facts)
	}
	// The package's own opendkim.conf may be replaced. Nothing else that is
	// still as shipped becomes ours, so nothing else is remembered.
	if o, err := s.Sys.Read(steps.Conf); err == nil && facts.Pristine[steps.Conf] {
		s.record[steps.Conf] = plan.Hash(o.Content)
	}
	if facts.OtherMTA == nil {
		facts.OtherMTA = s.facts.OtherMTA // what this run replaced leaves things behind
	}
	if facts.Postfix != nil {
		facts.Postfix.Fresh = s.store().PostfixIsFresh()
	}
	s.facts = facts
	return nil
}

// source lets a machine be looked at on which systemd does not run, in a
// container or a chroot: no unit is found there.
type source struct{ system.System }

// Status implements system.Units.
func (s source) Status(ctx context.Context, unit string) (system.UnitStatus, error) {
	st, err := s.System.Status(ctx, unit)
	if errors.Is(err, system.ErrNoSystemd) {
		return system.UnitStatus{Load: "not-found", Active: "inactive"}, nil
	}
	return st, err
}

// factFiles are the files whose content steps look at.
var factFiles = []state.Path{steps.Conf, "/etc/aliases", "/etc/mailname", "/etc/bind/named.conf.local"}

// subjects are the domains of a spec that the run is about.
func (s *session) subjects(w *spec.Spec) []spec.Domain {
	if s.scope.Complete() {
		return w.Domains
	}
	return slices.Collect(s.scope.Domains(*w))
}

// namesOf are the names that DNS is asked about: those of the domains, and of
// the host and its addresses. Without an answer yet they are this machine's.
func (s *session) namesOf(w *spec.Spec, fqdn string) []string {
	var names []string
	known := map[string]bool{"": true}
	add := func(name string) {
		if !known[name] {
			known[name] = true
			names = append(names, name)
		}
	}
	add(w.Host.Hostname)
	if s.scope.WholeHost() {
		add(w.Host.Domain)
		if w.Host.Hostname == "" && fqdn != "" {
			add(fqdn)
			add(parent(fqdn))
		}
		for _, a := range w.Host.Addresses {
			add(a.String())
		}
	}
	for _, d := range s.subjects(w) {
		add(d.Name)
		add(d.SPF.Redirect)
	}
	return names
}

// origins are the names whose zones get records.
func (s *session) origins(w *spec.Spec) []string {
	if s.steps != nil {
		return s.keyOrigins(w)
	}
	var names []string
	if s.scope.WholeHost() {
		names = append(names, w.Host.Domain)
	}
	if s.scope.Includes(w.Host.Domain) { // whose records are those of the host, too
		names = append(names, w.Host.Hostname)
	}
	for _, d := range s.subjects(w) {
		names = append(append(names, d.Name), steps.Authorisations(d)...)
	}
	for _, d := range s.removed {
		names = append(names, steps.Authorisations(d)...)
	}
	names = append(names, s.scope.Selection()...) // and those that the spec no longer has
	return named(names)
}

// named are those of the names that are not empty, sorted and each once.
func named(names []string) []string {
	names = slices.DeleteFunc(names, func(n string) bool { return n == "" })
	slices.Sort(names)
	return slices.Compact(names)
}

// keyOrigins are the domains of a rotation whose zones here get or lose keys.
func (s *session) keyOrigins(w *spec.Spec) []string {
	if !s.publishes() {
		return nil
	}
	elsewhere := map[string]bool{}
	for _, d := range w.Domains {
		elsewhere[d.Name] = w.DNSOf(d) == spec.DNSManual
	}
	return slices.DeleteFunc(s.scope.Selection(), func(name string) bool { return elsewhere[name] })
}

func (s *session) exists(p state.Path) bool {
	o, err := s.Sys.Read(p)
	return err == nil && o.Kind != state.Absent
}
