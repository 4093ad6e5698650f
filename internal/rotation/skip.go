package rotation

import (
	"mailsetup/internal/dkimkeys"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/system"
	"mailsetup/internal/text"
)

// skipped are the domains that a run continues without.
type skipped struct {
	logf   func(format string, a ...any)
	failed map[string]bool
	lines  []string // what was said of them, with hints
}

// printReason prints the error of a domain, and keeps it for the mail.
func (s *skipped) printReason(line string, err error) {
	for _, l := range append([]string{line}, hint.Print(system.Hints(err))...) {
		s.logf("%s", l)
		s.lines = append(s.lines, l)
	}
}

// err returns the error of a run that continued without some domains.
func (s *skipped) err() error {
	if len(s.failed) == 0 {
		return nil
	}
	return &SkippedError{s.lines, hint.New("later runs go on by themselves once that is mended; mailsetup status shows each key",
		"%s could not go on: %s", text.Count(len(s.failed), "domain"), text.List(sortedKeys(s.failed), 10))}
}

// SkippedError is the error of a run that continued without some domains.
type SkippedError struct {
	Lines []string // what was said of each, with hints
	Err   error
}

// Error implements error.
func (e *SkippedError) Error() string { return e.Err.Error() }

// Unwrap returns the error without the printed lines.
func (e *SkippedError) Unwrap() error { return e.Err }

// skip continues without domains, and prints why: in one line, with the output of a
// daemon below it.
func (r *run) skip(err error, domains ...string) {
	for _, d := range domains {
		r.failed[d] = true
		delete(r.due, d)
	}
	who := text.List(domains, maxListed)
	if k := activeSelector(r.ledger, domains[0]); k != "" && len(domains) == 1 {
		who += ": " + k + " goes on signing"
	}
	r.printReason(who+": "+failedDomains{domains: domains, err: err}.message(), err)
}

// noSlot returns why a domain whose key has to be replaced now cannot get another one: what
// is only old enough waits without a word.
func (k keyState) noSlot(domain string) error {
	s := k.situation(domain)
	active, signs := k.ledger.Signing(domain)
	_, coming := keyring.Successor(s.Keys)
	why := s.NoSlot()
	if !signs || coming || why == "" || s.Removed || !s.Rotate && !active.Compromised {
		return nil
	}
	return hint.New("mailsetup status shows when one is", "%s", why)
}

// reportMissingKeyFiles reports domains whose mail is deferred, since the file of the
// key that signs is gone, has another content, or OpenDKIM refuses it. It does so even if nothing is due,
// and a successor may mend it.
func (r *run) reportMissingKeyFiles(domains []string) {
	for _, d := range domains {
		k, ok := r.ledger.Signing(d)
		if !ok || k.File == "" || r.failed[d] {
			continue
		}
		if err := dkimkeys.CheckContent(r.System, d, k); err != nil {
			r.failed[d] = true
			r.printReason(d+": "+message(err), err)
		}
	}
}
