package systemtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/internal/system"
)

// Zone makes the primary of a zone that takes updates.
func (m *Mem) Zone(origin string, records ...state.Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.zones[origin] = slices.Clone(records)
}

// Served are the records of a zone, in the order in which they came.
func (m *Mem) Served(origin string) []state.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.zones[origin])
}

// Update implements system.Updater.
func (m *Mem) Update(ctx context.Context, u state.Update) error {
	if err := ctx.Err(); err != nil {
		return errors.Join(err, system.ErrUntouched)
	}
	m.mu.Lock()
	m.note("update %s", u.Origin)
	m.mu.Unlock()
	if m.OnUpdate != nil {
		if err := m.OnUpdate(u); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	zone, ok := m.zones[u.Origin]
	if !ok {
		return fmt.Errorf("update %s: no such zone: %w", u.Origin, system.ErrUntouched)
	}
	about := func(r state.Record) bool {
		same := func(x state.Record) bool { return state.SameSet(x, r) }
		return slices.ContainsFunc(slices.Concat(u.Add, u.Remove, u.Expected), same)
	}
	add, remove, err := u.Pending(slices.DeleteFunc(slices.Clone(zone), func(r state.Record) bool { return !about(r) }))
	if err != nil {
		return fmt.Errorf("update %s: %w: %w", u.Origin, err, system.ErrUntouched)
	}
	zone = slices.DeleteFunc(slices.Clone(zone), func(r state.Record) bool {
		return slices.ContainsFunc(remove, func(x state.Record) bool { return state.Same(x, r) })
	})
	m.zones[u.Origin] = append(zone, add...)
	return nil
}

// Primary is a zone example.org that the tests of an Updater work on.
type Primary struct {
	Updater system.Updater
	Server  string // what an update has to name
	KeyFile state.Path
	Served  func() []state.Record
}

// UpdateContract is what every Updater promises. make returns one together
// with the primary of example.org, which has the records.
func UpdateContract(t *testing.T, make func(t *testing.T, records ...state.Record) Primary) {
	t.Helper()
	rec := func(name, value string) state.Record {
		return state.Record{Name: name + ".example.org.", Type: "TXT", TTL: 60, Value: value}
	}
	for _, c := range []struct {
		name      string
		zone      []state.Record
		u         state.Update
		want      []state.Record
		untouched bool
	}{
		{"adds where nothing is", nil, state.Update{Add: []state.Record{rec("a", "1"), rec("b", "2")}}, []state.Record{rec("a", "1"), rec("b", "2")}, false},
		{
			"adds beside what was found",
			[]state.Record{rec("a", "0")},
			state.Update{Add: []state.Record{rec("a", "1")}, Expected: []state.Record{rec("a", "0")}},
			[]state.Record{rec("a", "0"), rec("a", "1")},
			false,
		},
		{
			"replaces",
			[]state.Record{rec("a", "0"), rec("c", "3")},
			state.Update{Add: []state.Record{rec("a", "1")}, Remove: []state.Record{rec("a", "0")}, Expected: []state.Record{rec("a", "0")}},
			[]state.Record{rec("a", "1"), rec("c", "3")},
			false,
		},
		{
			"does nothing where something else was found",
			[]state.Record{rec("a", "0")},
			state.Update{Add: []state.Record{rec("a", "1"), rec("b", "2")}},
			[]state.Record{rec("a", "0")},
			true,
		},
		{
			"does nothing where something is missing",
			nil,
			state.Update{Remove: []state.Record{rec("a", "0")}, Add: []state.Record{rec("b", "2")}, Expected: []state.Record{rec("a", "0")}},
			nil, true,
		},
		{
			"takes back what is there",
			[]state.Record{rec("a", "1"), rec("x", "9")},
			state.Update{Add: []state.Record{rec("a", "1"), rec("b", "2")}}.Inverse(),
			[]state.Record{rec("x", "9")},
			false,
		},
		{"takes back nothing that was not done", []state.Record{rec("x", "9")}, state.Update{Add: []state.Record{rec("a", "1")}}.Inverse(), []state.Record{rec("x", "9")}, false},
		{
			"puts back what was replaced",
			[]state.Record{rec("a", "1")},
			state.Update{Add: []state.Record{rec("a", "1")}, Remove: []state.Record{rec("a", "0")}}.Inverse(),
			[]state.Record{rec("a", "0")},
			false,
		},
		{
			"leaves what somebody else replaced since",
			[]state.Record{rec("a", "theirs")},
			state.Update{Add: []state.Record{rec("a", "1")}, Remove: []state.Record{rec("a", "0")}}.Inverse(),
			[]state.Record{rec("a", "theirs")},
			true,
		},
		{
			"does not make two of what there may be one of",
			[]state.Record{rec("_dmarc", "v=DMARC1; p=none")},
			state.Update{Remove: []state.Record{rec("_dmarc", "v=DMARC1; p=reject")}}.Inverse(),
			[]state.Record{rec("_dmarc", "v=DMARC1; p=none")},
			true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := make(t, c.zone...)
			c.u.Origin, c.u.Server, c.u.KeyFile = "example.org.", p.Server, p.KeyFile
			for range 2 {
				err := p.Updater.Update(context.Background(), c.u)
				if errors.Is(err, system.ErrUntouched) != c.untouched || (err != nil) != c.untouched {
					t.Errorf("error %v, want one: %v", err, c.untouched)
				}
				sameRecords(t, p.Served(), c.want)
				if !c.u.Undo { // only what takes back is done twice
					break
				}
			}
		})
	}
}

func sameRecords(t *testing.T, got, want []state.Record) {
	t.Helper()
	same := len(got) == len(want)
	for _, r := range want {
		same = same && slices.Contains(got, r)
	}
	if !same {
		t.Errorf("it has\n%v\nwant\n%v", got, want)
	}
}
