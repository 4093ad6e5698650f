package state

import (
	"maps"
	"slices"
)

// Trouble is what stands in the way of domains, by name: the others can go on
// without them. A run that does not let them do so ends with the first.
type Trouble map[string]error

// Err is nil where nothing stands in the way.
func (t Trouble) Err() error {
	if len(t) == 0 {
		return nil
	}
	return t
}

// Error implements error.
func (t Trouble) Error() string { return t.Unwrap().Error() }

// Unwrap gives what stands in the way of the first domain by name.
func (t Trouble) Unwrap() error { return t[slices.Min(slices.Collect(maps.Keys(t)))] }
