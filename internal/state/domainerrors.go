package state

import (
	"maps"
	"slices"
)

// DomainErrors are errors by domain: a run can go on with the domains that are not in
// it. As an error it is that of the first domain by name.
type DomainErrors map[string]error

// Err returns the errors as one, nil if there are none.
func (t DomainErrors) Err() error {
	if len(t) == 0 {
		return nil
	}
	return t
}

// Error implements error.
func (t DomainErrors) Error() string { return t.Unwrap().Error() }

// Unwrap returns the error of the first domain by name.
func (t DomainErrors) Unwrap() error { return t[slices.Min(slices.Collect(maps.Keys(t)))] }
