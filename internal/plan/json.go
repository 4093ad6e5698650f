package plan

import (
	"bytes"
	"encoding/json"
	"fmt"

	"mailsetup/internal/state"
)

// The names below are part of the program's interface: scripts read them.

type jsonPlan struct {
	Stages    []jsonStage    `json:"stages"`
	Drift     []jsonDrift    `json:"drift"`
	Questions []jsonQuestion `json:"questions"`
	Notes     []state.Note   `json:"notes"`
}

// jsonQuestion is a consent that is still to be given, and by which flag.
type jsonQuestion struct {
	state.Question
	Flag string `json:"flag"`
}

type jsonStage struct {
	Name       string         `json:"name"`
	Packages   []jsonPackage  `json:"packages,omitempty"`
	Install    []string       `json:"install,omitempty"`
	Uninstall  []string       `json:"uninstall,omitempty"`
	Changes    []jsonChange   `json:"changes,omitempty"`
	Derived    []jsonDerived  `json:"derived,omitempty"`
	Updates    []state.Update `json:"updates,omitempty"`
	Units      []jsonUnit     `json:"units,omitempty"`
	Checkpoint bool           `json:"checkpoint,omitempty"`
}

type jsonPackage struct {
	Name string `json:"name"`
	Why  string `json:"why,omitempty"`
}

type jsonChange struct {
	Op       Op          `json:"op"`
	Path     state.Path  `json:"path"`
	Why      string      `json:"why,omitempty"`
	Before   *jsonObject `json:"before,omitempty"`
	After    *jsonObject `json:"after,omitempty"`
	Secret   bool        `json:"secret,omitempty"`
	Diff     string      `json:"diff,omitempty"`
	Settings []string    `json:"settings,omitempty"`
}

type jsonObject struct {
	Kind   state.Kind `json:"kind"`
	Owner  string     `json:"owner"`
	Mode   string     `json:"mode"` // octal
	SHA256 string     `json:"sha256,omitempty"`
}

type jsonDerived struct {
	Path state.Path `json:"path"`
	From state.Path `json:"from"`
	Argv []string   `json:"argv"`
}

type jsonUnit struct {
	Name   string           `json:"name"`
	Action state.UnitAction `json:"action"`
	Why    string           `json:"why,omitempty"`
	Probes []state.Probe    `json:"probes,omitempty"`
	// NeedsDaemonReload: systemd reads the unit's files again before.
	NeedsDaemonReload bool `json:"daemon_reload,omitempty"`
}

type jsonDrift struct {
	Path state.Path `json:"path"`
	Why  string     `json:"why"`
	Diff string     `json:"diff,omitempty"`
}

// JSONField is data that is printed with a plan, under a name of its own.
type JSONField struct {
	Name  string
	Value any
}

// JSON returns the plan as data, with other data after it. Contents appear in diffs
// only, and those of private keys nowhere, not even as a hash.
func (p Plan) JSON(more ...JSONField) ([]byte, error) {
	out := jsonPlan{Stages: []jsonStage{}, Drift: []jsonDrift{}, Questions: []jsonQuestion{}, Notes: p.Notes}
	if out.Notes == nil {
		out.Notes = []state.Note{}
	}
	for _, st := range p.Stages {
		out.Stages = append(out.Stages, st.json())
	}
	for _, d := range p.Drift {
		out.Drift = append(out.Drift, jsonDrift(d))
	}
	for _, q := range p.Questions {
		yes, _ := ConsentFlags(q.Kind)
		out.Questions = append(out.Questions, jsonQuestion{q, yes})
	}
	b, err := json.MarshalIndent(out, "", "  ")
	for _, m := range more {
		var value []byte
		if err == nil {
			value, err = json.MarshalIndent(m.Value, "  ", "  ")
		}
		b = fmt.Appendf(nil, "%s,\n  %q: %s\n}", bytes.TrimSuffix(b, []byte("\n}")), m.Name, value)
	}
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

func (s StageChanges) json() jsonStage {
	out := jsonStage{Name: s.Name, Install: s.Install, Uninstall: s.Uninstall, Updates: s.Updates, Checkpoint: s.Checkpoint}
	for _, p := range s.Packages {
		out.Packages = append(out.Packages, jsonPackage(p))
	}
	for _, c := range s.Changes {
		out.Changes = append(out.Changes, jsonChange{
			Op: c.Op, Path: c.Path, Why: c.Why, Settings: c.Settings,
			Before: jsonOf(c.Before), After: jsonOf(c.After),
			Secret: secret(c.Before) || secret(c.After), Diff: Diff(c.Path, c.Before, c.After),
		})
	}
	for _, d := range s.Derived {
		out.Derived = append(out.Derived, jsonDerived{d.Path, d.From, d.Argv})
	}
	for _, u := range s.Units {
		out.Units = append(out.Units, jsonUnit{u.Name, u.Action, u.Why, u.Probes, u.NeedsDaemonReload})
	}
	return out
}

func jsonOf(o state.Object) *jsonObject {
	if o.Kind == state.Absent {
		return nil
	}
	j := &jsonObject{Kind: o.Kind, Owner: o.Owner.String(), Mode: octal(o.Mode)}
	if o.Kind == state.Regular && !secret(o) {
		j.SHA256 = Hash(o.Content)
	}
	return j
}
