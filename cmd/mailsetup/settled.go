package main

import (
	"maps"
	"slices"
	"strings"

	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps"
)

const (
	// settledFile remembers what the domains were when a run had found or made
	// everything right. Without it they are all looked at again.
	settledFile = plan.Home + "/settled"
	// few domains are looked at again in any case: DNS may have changed.
	few = 20
)

// mark is what a domain was: a digest of what was wanted of it, and those of
// the files with its records.
type mark struct {
	sum   string
	files map[state.Path]string
}

// parseMarks reads one domain a line. It is a memory only: what is not
// understood is not remembered.
func parseMarks(text []byte) map[string]mark {
	marks := map[string]mark{}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) < 2 || len(f)%2 != 0 {
			continue
		}
		m := mark{sum: f[1], files: make(map[state.Path]string, len(f)/2-1)}
		for i := 2; i < len(f); i += 2 {
			m.files[state.Path(f[i])] = f[i+1]
		}
		marks[f[0]] = m
	}
	return marks
}

// line is the mark of a domain in the file, "" for a path that does not fit.
func (m mark) line(domain string) string {
	var b strings.Builder
	b.WriteString(domain + "\t" + m.sum)
	for _, p := range slices.Sorted(maps.Keys(m.files)) {
		if strings.ContainsAny(string(p), "\t\n") {
			return ""
		}
		b.WriteString("\t" + string(p) + "\t" + m.files[p])
	}
	return b.String() + "\n"
}

// findSettled finds the domains of a spec of which nothing has changed since a run
// left them as they should be. With ten thousand domains this takes a moment,
// and looking at all of them minutes. The host's own domain is always looked
// at.
func (s *session) findSettled(w *spec.Spec) error {
	s.scope = s.scope.Skip(nil)
	if !s.scope.WholeHost() || s.Image != nil || len(w.Domains) <= few {
		return nil
	}
	if s.marks == nil {
		o, err := s.Sys.Read(settledFile)
		if err != nil {
			return err
		}
		s.marks = parseMarks(o.Content)
	}
	same := make([]bool, len(w.Domains))
	err := sideBySide(len(same), processors(), func(i int) (err error) {
		d := w.Domains[i]
		m, ok := s.marks[d.Name]
		if !ok || d.Name == w.Host.Domain || m.sum == "" || m.sum != steps.Sum(*w, d, s.keys[d.Name]) {
			return nil
		}
		same[i], err = s.unchanged(m)
		return err
	})
	unchanged := map[string]bool{}
	for i, d := range w.Domains {
		if same[i] {
			unchanged[d.Name] = true
		}
	}
	s.scope = s.scope.Skip(unchanged)
	return err
}

func (s *session) unchanged(m mark) (bool, error) {
	for p, hash := range m.files {
		o, err := s.Sys.Read(p)
		if err != nil || plan.Hash(o.Content) != hash {
			return false, err
		}
	}
	return true, nil
}

// settledNow remembers the domains as this run leaves them. Without that the
// next one takes longer, and no more. A run that took a part of the steps knows
// too little.
func (s *session) settledNow(in steps.Input) {
	if s.Image != nil || s.steps != nil {
		return
	}
	if err := s.writeMarks(in); err != nil {
		s.c.say("the next run will look at all domains again: %v", err)
	}
}

func (s *session) writeMarks(in steps.Input) error {
	old, err := s.Sys.Read(settledFile)
	if err != nil {
		return err
	}
	marks := parseMarks(old.Content)
	for _, d := range s.subjects(&in.Spec) {
		m := mark{steps.Sum(in.Spec, d, steps.KeysAfter(in, d)), map[state.Path]string{}}
		for _, p := range steps.ZoneFiles(in, d) {
			o, err := s.Sys.Read(p)
			if err != nil {
				return err
			}
			m.files[p] = plan.Hash(o.Content)
		}
		marks[d.Name] = m
	}
	var b strings.Builder
	for _, d := range in.Spec.Domains {
		if m, ok := marks[d.Name]; ok && m.sum != "" {
			b.WriteString(m.line(d.Name))
		}
	}
	if b.String() == string(old.Content) {
		return nil
	}
	return s.jot(memo{settledFile, []byte(b.String())})
}
