package plan_test

import (
	"fmt"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// The plans of parts of a run are told as one: what each does for its domains is added, and
// what all of them do is told once.
func TestPlansOfParts(t *testing.T) {
	part := func(from, to int) plan.Plan {
		st := plan.StageChanges{
			Name: "DNS", Units: []state.Unit{{Name: "named.service", Action: state.Reload}},
			Derived: []state.Derived{{Path: "/x.db", From: "/x"}},
			Changes: []plan.Change{{Op: plan.Modify, Path: "/etc/shared", Before: state.Object{Content: []byte("a")}}},
		}
		for i := from; i < to; i++ {
			name := fmt.Sprintf("d%d.example", i)
			st.Changes = append(st.Changes, plan.Change{Op: plan.Modify, Path: state.Path("/etc/bind/db." + name), After: state.Object{Content: []byte(name)}})
			st.Updates = append(st.Updates, state.Update{Origin: name})
		}
		return plan.Plan{
			Stages:    []plan.StageChanges{st, {Name: fmt.Sprintf("only %d", from)}},
			Notes:     []state.Note{{Topic: "dns", Text: "of all"}, {Topic: "dns", Text: fmt.Sprintf("of %d", from)}},
			Drift:     []plan.Drift{{Path: state.Path(fmt.Sprintf("/drift%d", from))}},
			Questions: []state.Question{{ID: fmt.Sprint(from)}},
		}
	}
	p := part(0, 2)
	p.Append(part(2, 4))
	dns := p.Stages[0]
	if len(p.Stages) != 3 || len(dns.Changes) != 5 || len(dns.Units) != 1 || len(dns.Derived) != 1 || len(dns.Updates) != 4 {
		t.Errorf("stages %+v", p.Stages)
	}
	if string(dns.Changes[2].After.Content) != "d1.example" || dns.Changes[4].Path != "/etc/bind/db.d3.example" || dns.Changes[4].After.Content != nil {
		t.Errorf("changes %+v", dns.Changes)
	}
	if len(p.Notes) != 3 || len(p.Drift) != 2 || len(p.Questions) != 2 {
		t.Errorf("notes %v, drift %v, questions %v", p.Notes, p.Drift, p.Questions)
	}
}
