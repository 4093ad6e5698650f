package rotation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/hint"
	"mailsetup/internal/provision"
	"mailsetup/internal/state"
	"mailsetup/internal/wizard"
)

// isolator runs an operation for domains, for all at once if possible. Where it fails, the
// isolator goes on without the domains that the error names. Where that names none, it
// looks for the domains that fail, among as many at a time as probably fail together with
// one: n of N cost some n log2(N/n) attempts, and the others succeed a batch at a time.
type isolator struct {
	operation func(domains []string) error
	late      func() bool // no further attempt is to begin
	seed      uint64      // of the order in which domains are tried

	waiting  []string
	suspects int // of those that wait, the first ones among which there is one that fails
	searched int // how many succeeded, or failed by themselves
	found    int // how many were found that fail
	inRow    int // failures since the last success

	done   []string // domains for which the operation succeeded
	failed []failedDomains
	last   error
}

// failedDomains are domains for which an operation failed: one that failed by itself,
// or several that were not tried.
type failedDomains struct {
	domains []string
	err     error
}

// maxFailures is how many failures in a row are taken for a trouble of the whole machine,
// such as a full disk: it fails for each domain.
const maxFailures = 64

// newIsolator returns an isolator. Domains are tried in another order each time, so that
// those for which there was no time come to the front.
func newIsolator(seed time.Time, late func() bool, operation func(domains []string) error) *isolator {
	return &isolator{operation: operation, late: late, seed: uint64(seed.Unix())}
}

// try runs the operation for the domains, except for those that are skipped. It returns
// only fatal errors.
func (i *isolator) try(domains []string) error {
	i.waiting = slices.Clone(domains)
	rand.New(rand.NewPCG(i.seed, 0)).Shuffle(len(domains), func(a, b int) {
		i.waiting[a], i.waiting[b] = i.waiting[b], i.waiting[a]
	})
	for len(i.waiting) > 0 {
		switch {
		case i.inRow >= maxFailures:
			i.skipWaiting(i.last)
			return nil
		case i.last != nil && i.late():
			i.skipWaiting(fmt.Errorf("have their turn in the next run, since this one has looked long enough for those that fail: %w", i.last))
			return nil
		}
		if err := i.attempt(slices.Sorted(slices.Values(i.waiting[:i.batchSize()]))); err != nil {
			return err
		}
	}
	return nil
}

// batchSize returns how many domains are tried next: half of those among which one fails,
// or as many as there were on average from one that fails to the next.
func (i *isolator) batchSize() int {
	switch {
	case i.suspects > 0:
		return max(1, i.suspects/2)
	case i.found == 0:
		return len(i.waiting)
	}
	return min(len(i.waiting), max(1, i.searched/i.found))
}

// attempt runs the operation for the first domains that wait.
func (i *isolator) attempt(batch []string) error {
	err := i.operation(batch)
	if named, ok := errors.AsType[state.DomainErrors](err); ok && !isFatal(err) {
		return i.skipNamed(named, batch)
	}
	switch {
	case err == nil:
		i.done = append(i.done, batch...)
		i.suspects = max(0, i.suspects-len(batch))
		i.inRow = 0
	case isFatal(err):
		return err
	case len(batch) > 1:
		i.suspects = len(batch)
		i.inRow, i.last = i.inRow+1, err
		return nil
	default:
		i.skip(batch[0], err)
		i.suspects, i.found = 0, i.found+1
		i.inRow, i.last = i.inRow+1, err
	}
	i.waiting, i.searched = i.waiting[len(batch):], i.searched+len(batch)
	return nil
}

// skipNamed goes on without the domains that an error names.
func (i *isolator) skipNamed(named state.DomainErrors, batch []string) error {
	before := len(i.waiting)
	for _, d := range batch {
		if err := named[d]; err != nil {
			i.skip(d, err)
		}
	}
	i.waiting = slices.DeleteFunc(i.waiting, func(d string) bool { return named[d] != nil })
	if len(i.waiting) == before {
		return named // domains outside of the batch
	}
	i.suspects = 0
	return nil
}

func (i *isolator) skip(domain string, err error) {
	i.failed = append(i.failed, failedDomains{[]string{domain}, err})
}

// skipWaiting skips the domains that were not tried.
func (i *isolator) skipWaiting(err error) {
	i.failed = append(i.failed, failedDomains{slices.Sorted(slices.Values(i.waiting)), err})
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
	list = slices.SortedFunc(slices.Values(list), func(a, b failedDomains) int { return cmp.Compare(a.domains[0], b.domains[0]) })
	var groups []failedDomains
	index := map[string]int{}
	for _, f := range list {
		line, _, _ := strings.Cut(f.message(), "\n")
		if i, known := index[line]; known {
			groups[i].domains = append(groups[i].domains, f.domains...)
			continue
		}
		index[line] = len(groups)
		groups = append(groups, failedDomains{slices.Clone(f.domains), f.err})
	}
	for _, g := range groups {
		slices.Sort(g.domains)
	}
	return groups
}

// message returns the error, without the domain in front.
func (f failedDomains) message() string {
	m := message(f.err)
	if domain, rest, ok := strings.Cut(m, ": "); ok && slices.Contains(f.domains, domain) {
		return rest
	}
	return m
}

// message returns what a person may read of an error.
func message(err error) string {
	if errors.Is(err, wizard.ErrAborted) {
		return "interrupted"
	}
	return hint.Message(err)
}
