package plan

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"mailsetup/internal/state"
)

// Unannounced returns what the actual plan does that the announced one did not say, for
// a machine whose packages were installed in between. Replacing a file that a package
// brought is announced by its creation. A file whose content depends on a package is
// announced by its settings, and may get some or all of them. A file that was not
// mentioned is covered if there was a consent of its own to the change. The file of
// hashes follows from the rest and is not compared.
func Unannounced(announced, actual Plan, consented ...state.Path) []string {
	said := index(announced)
	var extra []string
	for _, st := range actual.Stages {
		for _, c := range st.Changes {
			asked := len(said.changes[c.Path]) == 0 && slices.Contains(consented, c.Path)
			if c.Path != HashesFile && !asked && !slices.ContainsFunc(said.changes[c.Path], c.coveredBy) {
				extra = append(extra, string(c.Op)+" "+string(c.Path))
			}
		}
		for _, p := range st.Packages {
			extra = appendUnless(said.packages[p.Name], extra, "install "+p.Name)
		}
		for _, name := range st.Install {
			extra = appendUnless(said.packages[name], extra, "install "+name)
		}
		for _, name := range st.Uninstall {
			extra = appendUnless(said.uninstall[name], extra, "uninstall "+name)
		}
		for _, d := range st.Derived {
			extra = appendUnless(said.derived[d.Path], extra, "make "+string(d.Path))
		}
		for _, u := range st.Updates {
			for _, l := range updateLines(u, nil) {
				extra = appendUnless(said.records[l], extra, l)
			}
		}
		for _, u := range st.Units {
			extra = appendUnless(said.units[u.Name], extra, string(u.Action)+" "+u.Name)
		}
	}
	return extra
}

// coveredBy reports whether announcing a covers c.
func (c Change) coveredBy(a Change) bool {
	if a.Op == Later || a.Op == Create && len(a.Settings) > 0 {
		return (c.Op == Modify || c.Op == Create || c.Op == Meta) && within(c.Settings, a.Settings)
	}
	if !sameResult(a.After, c.After, nil) {
		return false
	}
	// What was to be created may have been brought by a package; anything else
	// must start from where it was announced to start.
	return a.Before.Kind == state.Absent || a.Op == c.Op && sameResult(a.Before, c.Before, nil)
}

// within reports whether every setting was announced.
func within(settings, announced []string) bool {
	return len(settings) > 0 && !slices.ContainsFunc(settings, func(s string) bool { return !slices.Contains(announced, s) })
}

// sameResult compares an announced object with the actual one. Of a private key only
// path, owner and mode count: a new one is made each time.
func sameResult(a, b state.Object, announce func([]byte) []byte) bool {
	if a.Kind != b.Kind || a.Mode != b.Mode || a.Owner != b.Owner {
		return false
	}
	if secret(a) || secret(b) {
		return true
	}
	if a.SameContent(b) {
		return true
	}
	if announce == nil {
		return false
	}
	said, err := a.Bytes()
	is, aerr := b.Bytes()
	return err == nil && aerr == nil && bytes.Equal(said, announce(is))
}

// announcement is a plan, indexed by name.
type announcement struct {
	changes             map[state.Path][]Change
	packages, uninstall map[string]bool
	derived             map[state.Path]bool
	units               map[string]bool
	records             map[string]bool // lines of updates
}

func index(p Plan) announcement {
	s := announcement{
		changes: map[state.Path][]Change{}, packages: map[string]bool{}, uninstall: map[string]bool{},
		derived: map[state.Path]bool{}, units: map[string]bool{}, records: map[string]bool{},
	}
	for _, st := range p.Stages {
		for _, c := range st.Changes {
			s.changes[c.Path] = append(s.changes[c.Path], c)
		}
		for _, pkg := range st.Packages {
			s.packages[pkg.Name] = true
		}
		for _, name := range st.Install {
			s.packages[name] = true
		}
		for _, name := range st.Uninstall {
			s.uninstall[name] = true
		}
		for _, d := range st.Derived {
			s.derived[d.Path] = true
		}
		for _, u := range st.Updates {
			for _, l := range updateLines(u, nil) {
				s.records[l] = true
			}
		}
		for _, u := range st.Units {
			s.units[u.Name] = true
		}
	}
	return s
}

func appendUnless(said bool, list []string, what string) []string {
	if said {
		return list
	}
	return append(list, what)
}

// Differences returns the differences between the announced plan and the one to be
// applied. The function announce (nil for none) converts a content of the second plan
// into its announced form: it replaces by placeholders what could not be known. The
// file of hashes is compared by path only.
func Differences(announced, actual Plan, announce func([]byte) []byte) []string {
	var diffs []string
	if len(announced.Stages) != len(actual.Stages) {
		return []string{fmt.Sprintf("%d stages were announced, now there are %d", len(announced.Stages), len(actual.Stages))}
	}
	for i, a := range announced.Stages {
		b := actual.Stages[i]
		if a.Name != b.Name {
			diffs = append(diffs, fmt.Sprintf("stage %s was announced, now it is %s", a.Name, b.Name))
			continue
		}
		diffs = append(diffs, differencesOf(a, b, announce)...)
	}
	for _, q := range actual.Questions {
		same := func(other state.Question) bool { return reflect.DeepEqual(other, q) }
		if !slices.ContainsFunc(announced.Questions, same) {
			diffs = append(diffs, "it needs a consent that was not asked for: "+q.ID)
		}
	}
	return diffs
}

func differencesOf(a, b StageChanges, announce func([]byte) []byte) []string {
	var diffs []string
	differ := func(format string, args ...any) {
		diffs = append(diffs, a.Name+": "+fmt.Sprintf(format, args...))
	}
	if !slices.EqualFunc(a.Packages, b.Packages, func(x, y state.Package) bool { return x.Name == y.Name }) {
		differ("other packages")
	}
	if !slices.EqualFunc(a.Units, b.Units, func(x, y state.Unit) bool { return x.Name == y.Name && x.Action == y.Action }) {
		differ("other unit actions")
	}
	if !slices.EqualFunc(a.Derived, b.Derived, func(x, y state.Derived) bool { return x.Path == y.Path }) {
		differ("other derived files")
	}
	if !sameUpdates(a.Updates, b.Updates, announce) {
		differ("other records")
	}
	if len(a.Changes) != len(b.Changes) {
		differ("%d changes were announced, now there are %d", len(a.Changes), len(b.Changes))
		return diffs
	}
	for i, x := range a.Changes {
		y := b.Changes[i]
		switch {
		case x.Op != y.Op || x.Path != y.Path:
			differ("%s %s was announced, now it is %s %s", x.Op, x.Path, y.Op, y.Path)
		case x.Path == HashesFile:
		case !sameResult(x.Before, y.Before, announce) || !sameResult(x.After, y.After, announce):
			differ("%s %s differs from what was announced", x.Op, x.Path)
		}
	}
	return diffs
}
