package provision_test

import (
	"testing"
	"time"

	"mailsetup/internal/facts"
	"mailsetup/internal/machine"
	"mailsetup/internal/provision"
	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

// Of a directory nothing is said that only the machine made from it can tell, and a
// run about keys alone asks no milter.
func TestSourcesThatAreNotAsked(t *testing.T) {
	m, err := machine.Open(t.Context(), machine.Options{Root: t.TempDir(), Command: "init", Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s := &provision.Sources{Machine: m, Collector: facts.New(m), Logf: t.Errorf}
	sp := spec.Spec{Host: spec.Host{Domain: "lab.example"}, Domains: []spec.Domain{{Name: "lab.example"}}}
	r := provision.Request{Want: sp}
	if err := s.Gather(t.Context(), &r); err != nil || r.Hashes == nil {
		t.Errorf("record %v, %v", r.Hashes, err)
	}
	if list, err := s.Recipients(t.Context(), r, step.Input{Spec: sp}); list != nil || err != nil {
		t.Errorf("recipients of a directory: %v, %v", list, err)
	}
	r.Steps = []step.Step{{Name: "DNS", DNS: true}}
	if list, asked := s.Milters(t.Context(), r, step.Input{Spec: sp}); list != nil || asked {
		t.Errorf("a run about keys asks milters: %v", list)
	}
}
