package state

import (
	"maps"
	"slices"
	"strings"
)

// StartedUnits are units that mailsetup has started or enabled, each with the actions that
// give it back as it was found: off takes them.
type StartedUnits map[string][]UnitAction

// ParseStartedUnits reads StartedFile: a line for each unit, with its actions.
func ParseStartedUnits(text []byte) StartedUnits {
	all := StartedUnits{}
	for line := range strings.Lines(string(text)) {
		unit, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		for _, a := range strings.Fields(rest) {
			if a := UnitAction(a); a == Stop || a == Disable {
				all[unit] = append(all[unit], a)
			}
		}
	}
	return all
}

// Text is what ParseStartedUnits reads.
func (s StartedUnits) Text() []byte {
	var b strings.Builder
	for _, unit := range slices.Sorted(maps.Keys(s)) {
		b.WriteString(unit)
		for _, a := range s[unit] {
			b.WriteString(" " + string(a))
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

// With returns the record with a unit.
func (s StartedUnits) With(unit string, back ...UnitAction) StartedUnits {
	all := maps.Clone(s)
	all[unit] = back
	return all
}

// Without returns the record without a unit.
func (s StartedUnits) Without(unit string) StartedUnits {
	all := maps.Clone(s)
	delete(all, unit)
	return all
}
