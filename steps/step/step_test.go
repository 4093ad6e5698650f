package step_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/steps/step"
)

// three is about three domains, of which the last has no file any more, and a
// fourth that was removed long ago.
func three() step.Input {
	return step.Input{
		Spec: spec.Spec{Domains: []spec.Domain{{Name: "a.example"}, {Name: "b.example"}}},
		Ledger: keyring.Ledger{
			"a.example": {{Selector: "k1", Stage: keyring.Active}},
			"b.example": {{Selector: "k1", Stage: keyring.Draining}, {Selector: "k2", Stage: keyring.Active}},
			"c.example": {{Selector: "k1", Stage: keyring.Active}},
			"d.example": {{Selector: "k1", Stage: keyring.Gone}},
		},
		Now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
	}
}

// A domain whose file is gone is not removed before somebody said yes: it may be a
// slip of the hand.
func TestLeavingDomains(t *testing.T) {
	for _, tt := range []struct {
		name     string
		scope    step.Scope
		consents map[string]bool
		without  []string
		leaving  []string
	}{
		{"nobody was asked", step.Scope{}, nil, []string{"c.example"}, nil},
		{"somebody agreed", step.Scope{}, map[string]bool{"domain c.example": true}, []string{"c.example"}, []string{"c.example"}},
		{"remove-domain names it", step.Only("c.example"), nil, nil, []string{"c.example"}},
		{"another one is added", step.Only("b.example"), nil, []string{"c.example"}, nil},
		{"another one is removed", step.Only("0.example"), map[string]bool{"domain c.example": true}, []string{"c.example"}, []string{"0.example", "c.example"}},
	} {
		in := three()
		in.Scope, in.Consents = tt.scope, tt.consents
		if got := in.WithoutFile(); !slices.Equal(got, tt.without) {
			t.Errorf("%s: without a file %q, want %q", tt.name, got, tt.without)
		}
		if got := in.Leaving(); !slices.Equal(got, tt.leaving) {
			t.Errorf("%s: leaving %q, want %q", tt.name, got, tt.leaving)
		}
	}
}

// A run about the whole host that takes a domain out of the spec needs no further yes.
func TestLeavingTheSpec(t *testing.T) {
	in := three()
	in.Removed = []spec.Domain{{Name: "c.example"}, {Name: "0.example"}}
	if got := in.WithoutFile(); len(got) > 0 {
		t.Errorf("asks about %q", got)
	}
	if got := in.Leaving(); !slices.Equal(got, []string{"0.example", "c.example"}) {
		t.Errorf("leaving %q", got)
	}
}

// The keys that go are gone in the copy, and as they were in the input.
func TestInputAfterAWithdrawal(t *testing.T) {
	in := three()
	in.Keys.Withdraw = map[string][]string{"b.example": {"k1"}}
	after := in.Withdrawn()
	if got := after.Ledger["b.example"]; got[0].Stage != keyring.Gone || !got[0].Since[keyring.Gone].Equal(in.Now) || got[1].Stage != keyring.Active {
		t.Errorf("b.example has %+v", got)
	}
	if got := in.Ledger["b.example"][0].Stage; got != keyring.Draining {
		t.Errorf("the input says %s", got)
	}
	if got := after.Ledger["a.example"][0].Stage; got != keyring.Active {
		t.Errorf("a.example has %s", got)
	}
}

func TestWhoHasNothingToSign(t *testing.T) {
	left := spec.Spec{Domains: []spec.Domain{{Name: "a.example", SignedBy: "rspamd"}}}
	for name, tt := range map[string]struct {
		in   step.Input
		want bool
	}{
		"all is left to another signer": {step.Input{Spec: left}, true},
		"a domain is ours":              {three(), false},
		"a key is still in DNS":         {step.Input{Spec: left, Ledger: keyring.Ledger{"a.example": {{Selector: "k", Stage: keyring.Draining}}}}, false},
		"a key is gone":                 {step.Input{Spec: left, Ledger: keyring.Ledger{"a.example": {{Selector: "k", Stage: keyring.Gone}}}}, true},
	} {
		if got := tt.in.SignsNothing(); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestUnansweredQuestions(t *testing.T) {
	in := step.Input{Consents: map[string]bool{"a": true, "b": false}}
	var left []string
	for _, q := range in.Unanswered(state.Question{ID: "a"}, state.Question{ID: "b"}, state.Question{ID: "c"}) {
		left = append(left, q.ID)
	}
	if !slices.Equal(left, []string{"b", "c"}) {
		t.Errorf("left %q", left)
	}
	if in := three(); !in.Has("b.example") || in.Has("c.example") || in.Has("x.a.example") {
		t.Error("domains of the spec")
	}
}

// A refusal says what to type, and that nothing was touched.
func TestRefusals(t *testing.T) {
	err := step.Refuse("take it out", "%s is masked", "opendkim.service")
	if err.Error() != "opendkim.service is masked" || !slices.Equal(hint.Of(err), []string{"take it out"}) {
		t.Errorf("%v, hints %q", err, hint.Of(err))
	}
	refused, ok := errors.AsType[*step.Refusal](err)
	if !ok || !refused.IsUsage() {
		t.Errorf("%#v", err)
	}
	refused = &step.Refusal{What: "a record says \x1b[31mred\nand more", Hint: "first", Then: []string{"second", "third"}}
	if got := refused.Error(); got != `a record says \x1b[31mred\x0aand more` {
		t.Errorf("what others wrote: %s", got)
	}
	if got := refused.Hints(); !slices.Equal(got, []string{"first", "second", "third"}) {
		t.Errorf("hints %q", got)
	}
	if got := (&step.Refusal{What: "no"}).Hints(); len(got) > 0 {
		t.Errorf("hints %q of none", got)
	}
}

func TestEnumerations(t *testing.T) {
	for _, tt := range []struct {
		list []string
		most int
		want string
	}{
		{nil, 3, ""},
		{[]string{"a"}, 3, "a"},
		{[]string{"a", "b"}, 3, "a and b"},
		{[]string{"a", "b", "c"}, 3, "a, b and c"},
		{[]string{"a", "b", "c", "d", "e"}, 3, "a, b, c and 2 more"},
	} {
		if got := step.EnumerateUpTo(tt.list, tt.most); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.list, got, tt.want)
		}
	}
}

// What was counted once is what a look at all domains returns, until keys are withdrawn.
func TestCountedDomainsWithoutFile(t *testing.T) {
	in := three().Counted()
	for range 2 {
		if got := in.WithoutFile(); !slices.Equal(got, []string{"c.example"}) {
			t.Errorf("without a file: %q", got)
		}
	}
	_ = append(in.WithoutFile()[:0], "x.example")
	in.Consents = map[string]bool{"domain c.example": true}
	if got := in.Leaving(); !slices.Equal(got, []string{"c.example"}) {
		t.Errorf("leaving %q", got)
	}
	in.Keys.Withdraw = map[string][]string{"c.example": {"k1"}}
	if got := in.Withdrawn().WithoutFile(); len(got) > 0 {
		t.Errorf("without a file, after its key is gone: %q", got)
	}
}
