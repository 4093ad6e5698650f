package step_test

import (
	"slices"
	"testing"

	"mailsetup/internal/spec"
	"mailsetup/steps/step"
)

func TestWhichDomainsAScopeIncludes(t *testing.T) {
	sp := spec.Spec{Domains: []spec.Domain{{Name: "a.example"}, {Name: "b.example"}, {Name: "c.example"}}}
	skipped := map[string]bool{"a.example": true, "b.example": true}
	for _, tt := range []struct {
		name            string
		scope           step.Scope
		want            []string
		whole, complete bool
	}{
		{"the zero value", step.Scope{}, []string{"a.example", "b.example", "c.example"}, true, true},
		{"none", step.Only(), nil, false, false},
		{"two, one of which is gone", step.Only("b.example", "gone.example"), []string{"b.example"}, false, false},
		{"one more", step.Only("b.example").With("a.example"), []string{"a.example", "b.example"}, false, false},
		{"one more than all", step.Scope{}.With("a.example"), []string{"a.example", "b.example", "c.example"}, true, true},
		{"nothing changed in two", step.Scope{}.Skip(skipped), []string{"c.example"}, true, false},
		{"nothing changed in any of one", step.Only("a.example").Skip(skipped), nil, false, false},
		{"one is named", step.Scope{}.Recheck("b.example").Skip(skipped), []string{"b.example", "c.example"}, true, false},
		{"both that did not change are named", step.Scope{}.Recheck("b.example", "a.example").Skip(skipped), []string{"a.example", "b.example", "c.example"}, true, true},
		{"one is named, later", step.Scope{}.Skip(skipped).Recheck("b.example"), []string{"b.example", "c.example"}, true, false},
		{
			"nothing changed in the one that is named", step.Scope{}.Recheck("b.example").Skip(map[string]bool{"b.example": true}),
			[]string{"a.example", "b.example", "c.example"},
			true, true,
		},
		{"the host alone", step.HostOnly(), nil, true, false},
		{"the host alone, with others", step.HostOnly().With("a.example").Recheck("b.example").Skip(nil), nil, true, false},
		{"all have changed since", step.Scope{}.Skip(skipped).Skip(nil), []string{"a.example", "b.example", "c.example"}, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for d := range tt.scope.Domains(sp) {
				got = append(got, d.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("is about %q, want %q", got, tt.want)
			}
			if w, c := tt.scope.WholeHost(), tt.scope.Complete(); w != tt.whole || c != tt.complete {
				t.Errorf("whole host %v, complete %v", w, c)
			}
		})
	}
}

// A domain that the spec no longer has can be selected, and none is where the run
// is about all.
func TestTheSelectionOfAScope(t *testing.T) {
	s := step.Only("b.example", "a.example", "b.example")
	more := s.With("gone.example")
	if got := s.Selection(); !slices.Equal(got, []string{"a.example", "b.example"}) {
		t.Errorf("got %q", got)
	}
	if !more.Selects("gone.example") || s.Selects("gone.example") {
		t.Error("With changes the scope that it extends")
	}
	if all := (step.Scope{}); len(all.Selection()) > 0 || all.Selects("a.example") {
		t.Errorf("all: %q", all.Selection())
	}
}
