package steptest

import (
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/state"
	"mailsetup/steps"
	"mailsetup/steps/dns"
	"mailsetup/steps/step"
	"mailsetup/zonefile"
)

// Having returns the bare server whose zone has these lines, with what an
// evaluation of its SPF records found.
func Having(t *testing.T, lines string, facts map[string]state.SPF) step.Input {
	t.Helper()
	in := Bare()
	z := &in.Facts.Zones[0]
	z.Content = []byte("$TTL 300\n@ IN SOA mail hostmaster 2026010101 3600 900 604800 60\n@ IN NS mail\nmail IN A 192.0.2.10\n" + lines)
	var err error
	if z.Records, err = zonefile.Parse(z.Content, z.Origin, nil); err != nil {
		t.Fatal(err)
	}
	in.Facts.SPF = facts
	return in
}

// ZoneStage returns what becomes of the zone.
func ZoneStage(t *testing.T, in step.Input) (state.ZoneEdit, state.Stage, []state.Note) {
	t.Helper()
	st, notes, err := dns.Publish(in)
	if err != nil {
		t.Fatal(err)
	}
	return st.Edits[0].(state.ZoneEdit), st, notes
}

// SaysNothingOf insists that a record which is right is neither changed nor
// repeated nor spoken of.
func SaysNothingOf(t *testing.T, in step.Input, name string) {
	t.Helper()
	edit, st, notes := ZoneStage(t, in)
	if len(edit.Replace) > 0 || len(st.Questions) > 0 || len(notes) > 0 {
		t.Errorf("changes %v, questions %v, notes %v", edit.Replace, st.Questions, notes)
	}
	for _, p := range st.Units[0].Probes {
		for _, r := range p.Records {
			if r.Name == name && r.Type == "TXT" {
				t.Errorf("the fragment repeats it: %v", r)
			}
		}
	}
}

// SameNotes compares notes.
func SameNotes(a, b []state.Note) bool { return slices.Equal(a, b) }

// Build runs all steps.
func Build(t *testing.T, in step.Input) state.State {
	t.Helper()
	want, err := steps.Build(steps.All(), in)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// Stage finds a stage by name.
func Stage(t *testing.T, want state.State, name string) state.Stage {
	t.Helper()
	i := slices.IndexFunc(want.Stages, func(s state.Stage) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no stage %s", name)
	}
	return want.Stages[i]
}

// Content finds the text of a file in a stage.
func Content(t *testing.T, st state.Stage, p state.Path) string {
	t.Helper()
	for _, f := range st.Files {
		if f.Path == p {
			return string(f.Text())
		}
	}
	t.Fatalf("stage %s has no %s", st.Name, p)
	return ""
}

// rows of a table, without comments.
func TableRows(text string) []string {
	var rows []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rows = append(rows, line)
		}
	}
	return rows
}

// Lines returns records without their TTLs.
func Lines(list []state.Record) []string {
	var all []string
	for _, r := range list {
		all = append(all, r.Name+" "+r.Type+" "+r.Value)
	}
	slices.Sort(all)
	return all
}

// Rec is a record with a TTL of an hour.
func Rec(name, kind, value string) state.Record {
	return state.Record{Name: name, Type: kind, TTL: 3600, Value: value}
}
