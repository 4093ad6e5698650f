package steps

import (
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
)

// publication is a record that the administrator of the domain's DNS has to
// see to.
type publication struct {
	state.Record
	// Replaces are the texts of the records whose place it takes; a second one
	// beside them would be a permanent error.
	Replaces []string
	// There: DNS has it already.
	There bool
}

// published are the records of one domain for a DNS that somebody else runs,
// merged with those it has.
func published(in Input, d spec.Domain) []publication {
	var list []publication
	for _, r := range records(in, d) {
		list = append(list, publication{Record: r})
	}
	return list
}
