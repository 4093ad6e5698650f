package rotation

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"strings"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
)

// isolator runs an operation for a batch of domains. If it fails, it bisects the
// batch to find the failing domains and runs the operation for the rest.
type isolator struct {
	operation func(domains []string) error
	// failures is how many more may happen: what is wrong with the whole machine
	// fails for every domain.
	failures int

	done   []string // domains for which the operation succeeded
	failed []failedDomains
	last   error
}

// failedDomains are domains for which an operation failed: one that failed by itself,
// or several that were not tried.
type failedDomains struct {
	domains []string
	err     error
	untried bool
}

// newIsolator returns an isolator for a batch of n domains.
func newIsolator(n int, operation func(domains []string) error) *isolator {
	return &isolator{operation: operation, failures: failureBudget(n)}
}

// failureBudget returns the number of failures needed to find two domains among n.
func failureBudget(n int) int { return 2*bits.Len(uint(n)) + 4 }

// try runs the operation for all of the domains. If it fails, it tries again without
// the domains that the error names or, if it names none, for each half of them. It
// returns only fatal errors.
func (i *isolator) try(domains []string) error {
	if len(domains) == 0 {
		return nil
	}
	if i.failures <= 0 {
		i.skipUntried(domains)
		return nil
	}
	err := i.operation(domains)
	var named state.DomainErrors
	switch {
	case err == nil:
		i.done = append(i.done, domains...)
		return nil
	case isFatal(err):
		return err
	case errors.As(err, &named):
		return i.skipFailing(named, domains)
	}
	i.failures, i.last = i.failures-1, err
	if len(domains) == 1 {
		i.fail(domains[0], err)
		return nil
	}
	half := len(domains) / 2
	if err := i.try(domains[:half]); err != nil {
		return err
	}
	return i.try(domains[half:])
}

// skipFailing continues without the domains that an error names.
func (i *isolator) skipFailing(named state.DomainErrors, domains []string) error {
	var others []string
	for _, d := range domains {
		if err := named[d]; err != nil {
			i.fail(d, err)
		} else {
			others = append(others, d)
		}
	}
	if len(others) == len(domains) {
		return named // domains outside of the batch
	}
	return i.try(others)
}

func (i *isolator) fail(domain string, err error) {
	i.failed = append(i.failed, failedDomains{domains: []string{domain}, err: err})
}

// skipUntried skips domains after too many failures, with the last error.
func (i *isolator) skipUntried(domains []string) {
	if n := len(i.failed); n > 0 && i.failed[n-1].untried {
		i.failed[n-1].domains = append(i.failed[n-1].domains, domains...)
		return
	}
	i.failed = append(i.failed, failedDomains{slices.Clone(domains), i.last, true})
}

// isFatal reports whether an error ends the whole run: the machine is not as it was, or
// the run was interrupted or declined.
func isFatal(err error) bool {
	var notUndone *apply.NotUndoneError
	var fatal *provision.FatalError
	return errors.As(err, &fatal) || errors.As(err, &notUndone) ||
		errors.Is(err, context.Canceled) || errors.Is(err, wizard.ErrAborted)
}

// groupByMessage groups the domains that failed for the same reason, such as a name
// server that does not answer for any of them. Output of a daemon below the first line
// may be cut off, and does not count.
func groupByMessage(list []failedDomains) []failedDomains {
	var groups []failedDomains
	index := map[string]int{}
	for _, f := range list {
		line, _, _ := strings.Cut(f.message(), "\n")
		if i, known := index[line]; known {
			groups[i].domains = slices.Concat(groups[i].domains, f.domains)
			continue
		}
		index[line] = len(groups)
		groups = append(groups, f)
	}
	return groups
}

// message returns the error, without the domain in front.
func (f failedDomains) message() string {
	return strings.TrimPrefix(message(f.err), f.domains[0]+": ")
}

// message returns what a person may read of an error.
func message(err error) string {
	if errors.Is(err, wizard.ErrAborted) {
		return "interrupted"
	}
	return hint.Message(err)
}
