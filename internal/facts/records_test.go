package facts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/facts"
	"mailsetup/internal/machine"
	"mailsetup/internal/spec"
)

// Records of a domain depend on the whole spec, but DNS is asked about that domain
// and the host's own alone.
func TestRecordsInput(t *testing.T) {
	s := newServer(t)
	sp := hosting(t, 2)
	keys := s.setUp(t, sp)
	s.counts()
	c := facts.New(s.Machine)
	defer c.Close()
	in, err := c.RecordsInput(t.Context(), facts.Request{Spec: sp, Ledger: keys}, sp.Domains[1:2], t.Errorf)
	if err != nil {
		t.Fatal(err)
	}
	if len(in.Spec.Domains) != 3 || len(in.Ledger) != 3 || !in.Now.Equal(november) {
		t.Errorf("spec %v, keys %v, at %v", in.Spec.Domains, in.Ledger, in.Now)
	}
	if in.Scope.Includes("lab.example") || !in.Scope.Includes("shop00.example") {
		t.Errorf("about %q", in.Scope.Selection())
	}
	if _, asked := s.counts(); !slices.Contains(asked, "shop00.example") || slices.Contains(asked, "shop01.example") {
		t.Errorf("asked about %q", asked)
	}
}

// Without root nothing is asked of primaries that take updates; with root, what
// cannot be found out there is told and done without.
func TestRecordsInputOfUpdates(t *testing.T) {
	for _, root := range []bool{true, false} {
		s, in := newServer(t), updates(t)
		if !root {
			s.Machine.Sys = machine.Unprivileged{System: s.Mem}
		}
		var said strings.Builder
		logf := func(format string, a ...any) { fmt.Fprintf(&said, format+"\n", a...) }
		c := facts.New(s.Machine)
		_, err := c.RecordsInput(t.Context(), facts.Request{Spec: in.Spec, Ledger: in.Ledger}, []spec.Domain{in.Spec.Domains[0]}, logf)
		if c.Close(); err != nil || (said.Len() > 0) != root {
			t.Errorf("root %v: %v, said %q", root, err, said.String())
		}
	}
}
