package state

import (
	"fmt"
	"slices"
	"strings"

	"mailsetup/internal/dnsname"
)

// UpdateTarget says how a zone is changed that takes dynamic updates (RFC 2136), or that
// a program changes.
type UpdateTarget struct {
	Server  string // host:port of the primary, or the absolute path of the program; see Hook
	KeyFile Path   // of the TSIG key that signs updates, "" for a program
	// OurRecords are those of its records that mailsetup put there before. They are
	// not among the zone's Records.
	OurRecords []Record
}

// Hook returns the program that an update goes to in place of a primary.
func Hook(server string) (Path, bool) { return Path(server), strings.HasPrefix(server, "/") }

// Update changes a zone on its primary, by one message that is carried out as
// a whole or not at all (RFC 2136). The message is signed, and so is the reply
// that counts (RFC 8945). A program changes one RRset after the other.
type Update struct {
	Origin  string   `json:"origin"` // of the zone, absolute
	Server  string   `json:"server"` // host:port of the primary, or a program; see Hook
	KeyFile Path     `json:"key_file"`
	Add     []Record `json:"add,omitempty"`
	Remove  []Record `json:"remove,omitempty"`
	// Expected are all records of the names and types of both that the zone had when
	// the plan was made. If it has others now, nothing is changed.
	Expected []Record `json:"expected,omitempty"`
	// Undo: the update takes back what an earlier one did, or may have done. Expected
	// is ignored then: only what is still to be done is done.
	Undo bool   `json:"undo,omitempty"`
	Why  string `json:"why,omitempty"`
}

// Empty reports whether there is nothing to send.
func (u Update) Empty() bool { return len(u.Add)+len(u.Remove) == 0 }

// Done reports whether the records at its names show the update.
func (u Update) Done(have []Record) bool {
	if u.Undo {
		add, remove, err := u.Pending(have)
		return err == nil && len(add)+len(remove) == 0
	}
	return within(u.Add, have) && every(u.Remove, func(r Record) bool { return within([]Record{r}, u.Add) || !within([]Record{r}, have) })
}

// Inverse takes the update back.
func (u Update) Inverse() Update {
	u.Add, u.Remove, u.Expected, u.Undo = u.Remove, u.Add, nil, true
	return u
}

// Pending returns what is left to do of an update, given the present records at its
// names. The error says that somebody else changed them.
func (u Update) Pending(have []Record) (add, remove []Record, err error) {
	if !u.Undo {
		if !sameSet(have, u.Expected) {
			return nil, nil, fmt.Errorf("the zone was changed since the plan was made: %s", firstDifference(have, u.Expected))
		}
		return u.Add, u.Remove, nil
	}
	has := func(r Record) bool { return slices.ContainsFunc(have, func(x Record) bool { return u.same(x, r) }) }
	lacks := func(r Record) bool { return !has(r) }
	for _, set := range u.rrsets() {
		switch {
		case every(set.Remove, has) && every(set.Add, lacks), len(set.Add) == 0, len(set.Remove) == 0:
			add = append(add, filter(set.Add, lacks)...)
			remove = append(remove, filter(set.Remove, has)...)
		case every(set.Remove, lacks) && every(set.Add, has):
		default:
			return nil, nil, changedByOthers(set.Add[0])
		}
	}
	for _, r := range add {
		if slices.ContainsFunc(have, func(x Record) bool { return Conflict(x, r) && !within([]Record{x}, remove) }) {
			return nil, nil, changedByOthers(r)
		}
	}
	return add, remove, nil
}

func changedByOthers(r Record) error {
	return fmt.Errorf("%s %s was changed by somebody else meanwhile, and is left as it is", r.Name, r.Type)
}

// same compares records. The TTL counts only if the update changes nothing else.
func (u Update) same(a, b Record) bool {
	if !Same(a, b) {
		return false
	}
	is := func(r Record) bool { return Same(r, b) }
	return a.TTL == b.TTL || !slices.ContainsFunc(u.Add, is) || !slices.ContainsFunc(u.Remove, is)
}

// rrsets splits the update by name and type.
func (u Update) rrsets() []Update {
	var sets []Update
	part := func(r Record) *Update {
		i := slices.IndexFunc(sets, func(s Update) bool { return SameSet(append(s.Add, s.Remove...)[0], r) })
		if i < 0 {
			sets = append(sets, Update{})
			i = len(sets) - 1
		}
		return &sets[i]
	}
	for _, r := range u.Add {
		p := part(r)
		p.Add = append(p.Add, r)
	}
	for _, r := range u.Remove {
		p := part(r)
		p.Remove = append(p.Remove, r)
	}
	return sets
}

// SameSet reports whether two records belong to one RRset.
func SameSet(a, b Record) bool { return a.Type == b.Type && strings.EqualFold(a.Name, b.Name) }

// Same reports whether two records are equal, TTL aside.
func Same(a, b Record) bool {
	if !SameSet(a, b) {
		return false
	}
	return a.Value == b.Value || a.Type != "TXT" && strings.EqualFold(a.Value, b.Value)
}

// Conflict reports whether two different TXT records exclude each other at one name.
func Conflict(a, b Record) bool {
	return SameSet(a, b) && a.Type == "TXT" && dnsname.Conflict(a.Name, a.Value, b.Value)
}

func sameSet(a, b []Record) bool { return len(a) == len(b) && within(a, b) && within(b, a) }

func within(a, b []Record) bool {
	return every(a, func(r Record) bool { return slices.ContainsFunc(b, func(x Record) bool { return Same(x, r) }) })
}

// firstDifference describes a record that only one of the lists has.
func firstDifference(now, found []Record) string {
	for _, r := range now {
		if !within([]Record{r}, found) {
			return fmt.Sprintf("%s %s is new there", r.Name, r.Type)
		}
	}
	for _, r := range found {
		if !within([]Record{r}, now) {
			return fmt.Sprintf("%s %s is no longer there", r.Name, r.Type)
		}
	}
	return "records are there twice"
}

func every(list []Record, is func(Record) bool) bool {
	return !slices.ContainsFunc(list, func(r Record) bool { return !is(r) })
}

func filter(list []Record, keep func(Record) bool) []Record {
	return slices.DeleteFunc(slices.Clone(list), func(r Record) bool { return !keep(r) })
}
