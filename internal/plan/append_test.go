package plan_test

import (
	"fmt"
	"strings"
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
	if dns.Changes[2].After.Content != nil || dns.Changes[4].Path != "/etc/bind/db.d3.example" || dns.Changes[4].After.Content != nil {
		t.Errorf("changes %+v", dns.Changes)
	}
	if len(p.Notes) != 3 || len(p.Drift) != 2 || len(p.Questions) != 2 {
		t.Errorf("notes %v, drift %v, questions %v", p.Notes, p.Drift, p.Questions)
	}
}

// Of many changes alike only the first are kept, and the summary says of the parts what it
// says of the whole.
func TestPartsOfManyAreToldByNumber(t *testing.T) {
	part := func(from, to int) plan.Plan {
		st := plan.StageChanges{Name: "Keys", Changes: []plan.Change{{
			Op: plan.Modify, Path: "/etc/opendkim/signing", Why: "who signs",
			Before: state.Object{Kind: state.Regular}, After: state.Object{Kind: state.Regular, Content: []byte("x")},
		}}}
		for i := from; i < to; i++ {
			name := fmt.Sprintf("d%02d.example", i)
			st.Changes = append(st.Changes, plan.Change{
				Op: plan.Create, Path: state.Path("/etc/dkimkeys/" + name + "/s.private"), Why: "the key of " + name,
				After: state.Object{Kind: state.Regular, Mode: 0o600, Secret: true},
			}, plan.Change{
				Op: plan.Modify, Path: state.Path("/etc/bind/mailsetup/" + name + ".zone"), Why: "the records of " + name,
				Before: state.Object{Kind: state.Regular}, After: state.Object{Kind: state.Regular, Content: []byte(name)},
			})
		}
		return plan.Plan{Stages: []plan.StageChanges{st}}
	}
	p := part(0, 20)
	p.Append(part(20, 40))
	p.Append(part(40, 43))
	if n := len(p.Stages[0].Changes); n != 13 { // six of each kind, and the table
		t.Errorf("%d changes are kept", n)
	}
	var b strings.Builder
	if err := p.Summary(&b, plan.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	const want = "  Keys  change /etc/opendkim/signing, 43 files in /etc/bind/mailsetup\n" +
		"        (d00.example.zone, d01.example.zone, d02.example.zone and 40 more); make\n" +
		"        43 private keys in /etc/dkimkeys (d00.example, d01.example, d02.example\n" +
		"        and 40 more)\n"
	if b.String() != want || !p.Repeats() {
		t.Errorf("summary:\n%s\nwant:\n%s", b.String(), want)
	}
}
