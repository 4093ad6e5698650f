package check

import (
	"errors"
	"fmt"

	"mailsetup/internal/check/memory"
	"mailsetup/internal/check/report"
	"mailsetup/internal/machine"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
)

// recall returns what earlier checks saw of domains, nothing where that cannot be read:
// tell says why.
func recall(m *machine.Machine) *memory.Memory {
	var last report.Last
	if !m.Unprivileged() && m.Image == nil {
		if text, err := store.LoadCheckResult(m.Sys); err == nil {
			last, _ = report.ParseLast(text)
		}
	}
	return memory.New(last.Facts, m.Now)
}

// past is what earlier checks found.
type past struct {
	m    *machine.Machine
	last report.Last
	// foreign: something else is in the place of the file, which is not written.
	foreign bool
}

// found reads what earlier checks found. Where that cannot be used, all is new.
func found(m *machine.Machine) past {
	p := past{m: m}
	text, err := store.LoadCheckResult(m.Sys)
	if err != nil {
		p.foreign = true
		m.Logf("what the last check found cannot be used, so all is new, and nothing is remembered: %v", err)
		return p
	}
	if p.last, err = report.ParseLast(text); err != nil {
		m.Logf("what the last check found cannot be used, so all is new: %s: %v", state.CheckFile, err)
	}
	return p
}

// keep writes down what is known from now on.
func (p past) keep(o Options, next report.Last) error {
	// A server that mailsetup has not set up gets a directory of ours for --changed alone.
	if p.foreign || !o.Changed && !store.New(p.m.Sys).Exists() {
		return nil
	}
	switch err := store.SaveCheckResult(p.m.Sys, next.Marshal()); {
	case err != nil && o.Changed:
		return fmt.Errorf("the changes would be told again: %w", err)
	case err != nil:
		p.m.Logf("what was found is not remembered: %v", err)
	}
	return nil
}

// tell hands a report to people. What they were told is written down only then: what a
// full disk or a reader that went away did not take is told again.
func (o Options) tell(m *machine.Machine, r *report.Report, seen *memory.Memory, mail func(report.Report) bool) error {
	if m.Unprivileged() || m.Image != nil { // others could not read what is written down
		_, err := o.print(*r)
		return err
	}
	p := found(m)
	next := r.Compare(p.last, false)
	if !o.Changed {
		r.Changes = nil
	}
	told, err := o.print(*r)
	if o.Mail && len(r.Changes) > 0 {
		told = mail(*r) && told
	}
	if told && (o.Changed || o.Form == Text || o.Form == "") {
		changes := r.Changes
		next = r.Compare(p.last, true)
		r.Changes = changes
	}
	var keep []string // what is known of domains that were not asked for stays
	if len(o.Domains) == 0 {
		keep = r.Domains
	}
	next.Facts = seen.Facts(keep)
	return errors.Join(err, p.keep(o, next))
}

func (o Options) print(r report.Report) (told bool, err error) {
	if o.Print == nil {
		return false, nil
	}
	o.rewrite("")
	return o.Print(r)
}
