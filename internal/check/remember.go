package check

import (
	"fmt"

	"mailsetup/internal/check/memory"
	"mailsetup/internal/check/report"
	"mailsetup/internal/machine"
	"mailsetup/internal/store"
)

// recall returns what earlier checks saw of domains, nothing where that cannot be read:
// remember says why.
func recall(m *machine.Machine) *memory.Memory {
	var last report.Last
	if !m.Unprivileged() && m.Image == nil {
		if text, err := store.LoadCheckResult(m.Sys); err == nil {
			last, _ = report.ParseLast(text)
		}
	}
	return memory.New(last.Facts, m.Now)
}

// remember compares a report with what was found before, and writes down what is known
// now. Only root does: others could not read it.
func (o Options) remember(m *machine.Machine, r *report.Report, seen *memory.Memory) error {
	if m.Unprivileged() || m.Image != nil {
		return nil
	}
	text, err := store.LoadCheckResult(m.Sys)
	if err != nil {
		return err
	}
	last, unreadable := report.ParseLast(text)
	if unreadable != nil {
		m.Logf("what the last check found cannot be read, so all is new: %v", unreadable)
	}
	next := r.Compare(last, o.Changed || o.Form == Text || o.Form == "")
	if next.Facts = seen.Facts(nil); len(o.Domains) == 0 {
		next.Facts = seen.Facts(r.Domains)
	}
	if !o.Changed {
		r.Changes = nil
	}
	// A server that mailsetup has not set up gets a directory of ours for --changed alone.
	if !o.Changed && !store.New(m.Sys).Exists() {
		return nil
	}
	switch err := store.SaveCheckResult(m.Sys, next.Marshal()); {
	case err != nil && o.Changed:
		return fmt.Errorf("the changes would be told again: %w", err)
	case err != nil:
		m.Logf("what was found is not remembered: %v", err)
	}
	return nil
}
