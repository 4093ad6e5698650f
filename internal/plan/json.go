package plan

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"strconv"
	"strings"

	"mailsetup/internal/state"
)

// The names below are part of the program's interface: scripts read them.

// jsonQuestion is a consent that is still to be given, and by which flag.
type jsonQuestion struct {
	state.Question
	Flag string `json:"flag"`
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

// WriteJSON prints the plan as data, with other data after it. Contents appear in diffs
// only, and those of private keys nowhere, not even as a hash. It is encoded change by
// change: those of thousands of domains would take as much memory as all their files.
func (p Plan) WriteJSON(w io.Writer, more ...JSONField) error {
	j := &jsonWriter{to: w}
	j.open("", '{')
	j.open("stages", '[')
	for _, st := range p.Stages {
		j.stage(st)
	}
	j.close(']')
	j.open("drift", '[')
	for _, d := range p.Drift {
		j.value("", jsonDrift(d))
	}
	j.close(']')
	j.open("questions", '[')
	for _, q := range p.Questions {
		yes, _ := ConsentFlags(q.Kind)
		j.value("", jsonQuestion{q, yes})
	}
	j.close(']')
	j.open("notes", '[')
	for _, n := range p.Notes {
		j.value("", n)
	}
	j.close(']')
	for _, m := range more {
		j.value(m.Name, m.Value)
	}
	j.close('}')
	j.raw("\n")
	j.deliver()
	return j.err
}

func (j *jsonWriter) stage(s StageChanges) {
	j.open("", '{')
	j.value("name", s.Name)
	list(j, "packages", s.Packages, func(p state.Package) any { return jsonPackage(p) })
	list(j, "install", s.Install, func(name string) any { return name })
	list(j, "uninstall", s.Uninstall, func(name string) any { return name })
	list(j, "changes", s.Changes, func(c Change) any {
		return jsonChange{
			Op: c.Op, Path: c.Path, Why: c.Why, Settings: c.Settings,
			Before: jsonOf(c.Before), After: jsonOf(c.After),
			Secret: secret(c.Before) || secret(c.After), Diff: Diff(c.Path, c.Before, c.After),
		}
	})
	list(j, "derived", s.Derived, func(d state.Derived) any { return jsonDerived{d.Path, d.From, d.Argv} })
	list(j, "updates", s.Updates, func(u state.Update) any { return u })
	list(j, "units", s.Units, func(u state.Unit) any { return jsonUnit{u.Name, u.Action, u.Why, u.Probes, u.NeedsDaemonReload} })
	if s.Checkpoint {
		j.value("checkpoint", true)
	}
	j.close('}')
}

// list writes what there is of a list, each as the data that it is converted to.
func list[T any](j *jsonWriter, name string, items []T, data func(T) any) {
	if len(items) == 0 {
		return
	}
	j.open(name, '[')
	for _, item := range items {
		j.value("", data(item))
	}
	j.close(']')
}

// jsonWriter writes what json.MarshalIndent would, piece by piece.
type jsonWriter struct {
	buf   bytes.Buffer
	to    io.Writer // gets whole characters
	depth int
	begun bool // something stands before in the innermost list or object
	err   error
}

func (j *jsonWriter) raw(text string) { j.buf.WriteString(text) }

// deliver writes what there is so far.
func (j *jsonWriter) deliver() {
	if j.err == nil {
		_, j.err = j.to.Write(j.buf.Bytes())
	}
	j.buf.Reset()
}

// next begins an item of a list (without a name) or of an object, on a line of its own.
func (j *jsonWriter) next(name string) {
	if j.begun {
		j.raw(",")
	}
	if j.depth > 0 {
		j.raw("\n" + strings.Repeat("  ", j.depth))
	}
	if j.begun = true; name != "" {
		j.raw(strconv.Quote(name) + ": ")
	}
}

func (j *jsonWriter) open(name string, bracket byte) {
	j.next(name)
	j.raw(string(bracket))
	j.depth, j.begun = j.depth+1, false
}

func (j *jsonWriter) close(bracket byte) {
	if j.depth--; j.begun {
		j.raw("\n" + strings.Repeat("  ", j.depth))
	}
	j.raw(string(bracket))
	j.begun = true
}

func (j *jsonWriter) value(name string, v any) {
	j.next(name)
	b, err := json.MarshalIndent(v, strings.Repeat("  ", j.depth), "  ")
	j.err = cmp.Or(j.err, err)
	if j.buf.Write(b); j.buf.Len() > 64<<10 {
		j.deliver()
	}
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
