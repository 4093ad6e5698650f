package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/plan"
	"mailsetup/internal/state"
)

// confirmable returns a plan with one of everything that a confirmation is about.
func confirmable() plan.Plan {
	dir := state.Object{Kind: state.Directory, Mode: 0o750, Owner: state.Root}
	key := state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte("k"), Secret: true}
	record := state.Record{Name: "lab.example.", Type: "TXT", TTL: 3600, Value: "v=spf1 mx -all"}
	return plan.Plan{
		Stages: []plan.StageChanges{{
			Name: "Packages", Packages: []state.Package{{Name: "opendkim"}}, Install: []string{"opendkim", "libopendkim11"}, Uninstall: []string{"exim4-base"},
		}, {
			Name: "OpenDKIM",
			Changes: []plan.Change{
				{Op: plan.Mkdir, Path: "/etc/dkimkeys/lab.example", After: dir},
				{Op: plan.Create, Path: "/etc/dkimkeys/lab.example/s.private", After: key},
				{Op: plan.Modify, Path: "/etc/opendkim.conf", Before: regular("old\n"), After: regular("new\n")},
				{Op: plan.Remove, Path: "/etc/opendkim/old", Before: regular("gone\n")},
			},
			Derived: []state.Derived{{Path: "/etc/aliases.db", From: "/etc/aliases"}},
			Updates: []state.Update{{Origin: "lab.example.", Server: "192.0.2.53:53", KeyFile: "/etc/k", Add: []state.Record{record}}},
			Units:   []state.Unit{{Name: "opendkim.service", Action: state.Restart}},
		}},
		Questions: []state.Question{{ID: "bounces", Kind: state.AskBounces}},
	}
}

// Whatever differs between the plan that was confirmed and the one that would be
// applied is noticed, wherever it is.
func TestEveryDifferenceIsNoticed(t *testing.T) {
	changes := func(p *plan.Plan) []plan.Change { return p.Stages[1].Changes }
	for what, alter := range map[string]func(p *plan.Plan){
		"a stage more":            func(p *plan.Plan) { p.Stages = append(p.Stages, plan.StageChanges{Name: "Postfix"}) },
		"a stage less":            func(p *plan.Plan) { p.Stages = p.Stages[:1] },
		"stages in another order": func(p *plan.Plan) { slices.Reverse(p.Stages) },
		"another package":         func(p *plan.Plan) { p.Stages[0].Packages[0].Name = "opendmarc" },
		"a package more":          func(p *plan.Plan) { p.Stages[0].Packages = append(p.Stages[0].Packages, state.Package{Name: "x"}) },
		"a change more": func(p *plan.Plan) {
			p.Stages[1].Changes = append(changes(p), plan.Change{Op: plan.Remove, Path: "/etc/x"})
		},
		"a change less":              func(p *plan.Plan) { p.Stages[1].Changes = changes(p)[:3] },
		"changes in another order":   func(p *plan.Plan) { slices.Reverse(changes(p)) },
		"another path":               func(p *plan.Plan) { changes(p)[2].Path = "/etc/opendmarc.conf" },
		"another operation":          func(p *plan.Plan) { changes(p)[2].Op = plan.Create },
		"another content":            func(p *plan.Plan) { changes(p)[2].After.Content = []byte("other\n") },
		"a blank more":               func(p *plan.Plan) { changes(p)[2].After.Content = []byte("new \n") },
		"another content before":     func(p *plan.Plan) { changes(p)[2].Before.Content = []byte("edited\n") },
		"another mode of a file":     func(p *plan.Plan) { changes(p)[2].After.Mode = 0o666 },
		"another owner of a file":    func(p *plan.Plan) { changes(p)[2].After.Owner.User = "bind" },
		"another group of a file":    func(p *plan.Plan) { changes(p)[2].After.Owner.Group = "bind" },
		"another mode before":        func(p *plan.Plan) { changes(p)[2].Before.Mode = 0o600 },
		"another mode of a key":      func(p *plan.Plan) { changes(p)[1].After.Mode = 0o644 },
		"another owner of a key":     func(p *plan.Plan) { changes(p)[1].After.Owner.User = "nobody" },
		"a key that is a directory":  func(p *plan.Plan) { changes(p)[1].After.Kind = state.Directory },
		"another mode of a folder":   func(p *plan.Plan) { changes(p)[0].After.Mode = 0o755 },
		"what goes was other":        func(p *plan.Plan) { changes(p)[3].Before.Content = []byte("mine\n") },
		"another derived file":       func(p *plan.Plan) { p.Stages[1].Derived[0].Path = "/etc/other.db" },
		"another unit":               func(p *plan.Plan) { p.Stages[1].Units[0].Name = "named.service" },
		"another action":             func(p *plan.Plan) { p.Stages[1].Units[0].Action = state.Reload },
		"another zone":               func(p *plan.Plan) { p.Stages[1].Updates[0].Origin = "other.example." },
		"another server":             func(p *plan.Plan) { p.Stages[1].Updates[0].Server = "192.0.2.54:53" },
		"another key of the server":  func(p *plan.Plan) { p.Stages[1].Updates[0].KeyFile = "/etc/other" },
		"another record":             func(p *plan.Plan) { p.Stages[1].Updates[0].Add[0].Value = "v=spf1 -all" },
		"another TTL":                func(p *plan.Plan) { p.Stages[1].Updates[0].Add[0].TTL = 60 },
		"a record taken out as well": func(p *plan.Plan) { p.Stages[1].Updates[0].Remove = p.Stages[1].Updates[0].Add },
		"a consent more":             func(p *plan.Plan) { p.Questions = append(p.Questions, state.Question{ID: "release"}) },
		"a consent to more":          func(p *plan.Plan) { p.Questions[0].After = "more" },
	} {
		actual := confirmable()
		alter(&actual)
		if got := plan.Differences(confirmable(), actual, nil); len(got) == 0 {
			t.Errorf("%s: not noticed", what)
		}
	}
	if got := plan.Differences(confirmable(), confirmable(), nil); got != nil {
		t.Errorf("the same plan: %q", got)
	}
}

// What nobody can know beforehand, or what follows from the rest, is no
// difference.
func TestWhatIsNoDifference(t *testing.T) {
	for what, alter := range map[string]func(p *plan.Plan){
		"the key itself":           func(p *plan.Plan) { p.Stages[1].Changes[1].After.Content = []byte("another key") },
		"a reason":                 func(p *plan.Plan) { p.Stages[1].Changes[2].Why = "because" },
		"a note":                   func(p *plan.Plan) { p.Notes = []state.Note{{Topic: "ptr", Text: "ask"}} },
		"a question was answered":  func(p *plan.Plan) { p.Questions = nil },
		"dependencies, by the way": func(p *plan.Plan) { p.Stages[0].Install = []string{"opendkim", "libopendkim11", "libvbr2"} },
	} {
		actual := confirmable()
		alter(&actual)
		if got := plan.Differences(confirmable(), actual, nil); got != nil {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// A difference names the stage, and both sides where there are two, so that the
// administrator knows what to look at.
func TestDifferencesSayWhat(t *testing.T) {
	for _, tt := range []struct {
		alter func(p *plan.Plan)
		want  string
	}{
		{func(p *plan.Plan) { p.Stages = nil }, "2 stages were announced, now there are 0"},
		{func(p *plan.Plan) { p.Stages[1].Name = "Keys" }, "stage OpenDKIM was announced, now it is Keys"},
		{func(p *plan.Plan) { p.Stages[0].Packages = nil }, "Packages: other packages"},
		{func(p *plan.Plan) { p.Stages[1].Units = nil }, "OpenDKIM: other unit actions"},
		{func(p *plan.Plan) { p.Stages[1].Derived = nil }, "OpenDKIM: other derived files"},
		{func(p *plan.Plan) { p.Stages[1].Updates = nil }, "OpenDKIM: other records"},
		{func(p *plan.Plan) { p.Stages[1].Changes = p.Stages[1].Changes[1:] }, "OpenDKIM: 4 changes were announced, now there are 3"},
		{
			func(p *plan.Plan) { p.Stages[1].Changes[3].Path = "/etc/opendkim/new" },
			"OpenDKIM: remove /etc/opendkim/old was announced, now it is remove /etc/opendkim/new",
		},
		{func(p *plan.Plan) { p.Stages[1].Changes[2].After.Mode = 0o600 }, "OpenDKIM: modify /etc/opendkim.conf differs from what was announced"},
	} {
		actual := confirmable()
		tt.alter(&actual)
		if got := plan.Differences(confirmable(), actual, nil); !slices.Equal(got, []string{tt.want}) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// Once packages are there, everything that was not spoken of is named: each part
// of a plan, taken out of the announcement, is found again.
func TestEveryUnannouncedPartIsNamed(t *testing.T) {
	actual := confirmable()
	for _, tt := range []struct {
		leaveOut func(p *plan.Plan)
		want     []string
	}{
		{func(p *plan.Plan) { p.Stages[0].Packages, p.Stages[0].Install = nil, nil }, []string{"install opendkim", "install opendkim", "install libopendkim11"}},
		{func(p *plan.Plan) { p.Stages[0].Install = nil }, []string{"install libopendkim11"}},
		{func(p *plan.Plan) { p.Stages[0].Uninstall = nil }, []string{"uninstall exim4-base"}},
		{func(p *plan.Plan) { p.Stages[1].Changes = p.Stages[1].Changes[1:] }, []string{"mkdir /etc/dkimkeys/lab.example"}},
		{func(p *plan.Plan) { p.Stages[1].Changes = p.Stages[1].Changes[:3] }, []string{"remove /etc/opendkim/old"}},
		{func(p *plan.Plan) { p.Stages[1].Derived = nil }, []string{"make /etc/aliases.db"}},
		{func(p *plan.Plan) { p.Stages[1].Units = nil }, []string{"restart opendkim.service"}},
		{
			func(p *plan.Plan) { p.Stages[1].Updates = nil },
			[]string{`add to lab.example. on 192.0.2.53:53: lab.example. 3600 TXT "v=spf1 mx -all"`},
		},
		{func(p *plan.Plan) { p.Stages[1].Changes[2].After.Content = nil }, []string{"modify /etc/opendkim.conf"}},
		{func(p *plan.Plan) { p.Stages[1].Changes[2].Before.Owner.User = "bind" }, []string{"modify /etc/opendkim.conf"}},
		{func(p *plan.Plan) { p.Stages[1].Changes[1].After.Mode = 0o640 }, []string{"create /etc/dkimkeys/lab.example/s.private"}},
		{func(p *plan.Plan) { p.Stages[1].Changes[0].After.Owner.Group = "x" }, []string{"mkdir /etc/dkimkeys/lab.example"}},
	} {
		announced := confirmable()
		tt.leaveOut(&announced)
		if got := plan.Unannounced(announced, actual); !slices.Equal(got, tt.want) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// A file whose content a package decides is announced by its settings. It may get
// all or some of them, and no other; and it may not go.
func TestSettingsAnnounceAnEdit(t *testing.T) {
	settings := []string{"smtpd_milters = a", "non_smtpd_milters = a", "milter_default_action = tempfail"}
	announced := one(plan.Change{Op: plan.Later, Path: "/etc/postfix/main.cf", Settings: settings})
	for n := range 1 << len(settings) {
		var some []string
		for i, s := range settings {
			if n&(1<<i) != 0 {
				some = append(some, s)
			}
		}
		for _, other := range []string{"", "smtpd_milters = b", "mynetworks = 0.0.0.0/0"} {
			got := append(slices.Clone(some), other)
			if other == "" {
				got = some
			}
			modify := one(plan.Change{Op: plan.Modify, Path: "/etc/postfix/main.cf", Before: regular("x\n"), After: regular("y\n"), Settings: got})
			extra := plan.Unannounced(announced, modify)
			if wanted := other == "" && len(some) > 0; (extra == nil) != wanted {
				t.Errorf("%s: unannounced %q", strings.Join(got, ", "), extra)
			}
		}
	}
	gone := one(plan.Change{Op: plan.Remove, Path: "/etc/postfix/main.cf", Before: regular("x\n"), Settings: settings})
	if got := plan.Unannounced(announced, gone); !slices.Equal(got, []string{"remove /etc/postfix/main.cf"}) {
		t.Errorf("it goes: %q", got)
	}
}

// The placeholder of a key that is not made yet stands for the key and for
// nothing beside it, in files and in updates.
func TestAPlaceholderStandsForItself(t *testing.T) {
	const placeholder = "KEY-TO-BE-MADE"
	announce := func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "MIIBIjAN", placeholder)) }
	of := func(key string) plan.Plan {
		p := confirmable()
		p.Stages[1].Changes[2].After = regular(fmt.Sprintf("s._domainkey TXT \"v=DKIM1; p=%s\"\n", key))
		p.Stages[1].Updates[0].Add[0].Value = "v=DKIM1; p=" + key
		return p
	}
	for _, tt := range []struct {
		key         string
		differences int
	}{{"MIIBIjAN", 0}, {"MIIBIjAN; t=y", 2}, {"MIIBIjANX", 2}, {"", 2}, {placeholder, 0}} {
		if got := plan.Differences(of(placeholder), of(tt.key), announce); len(got) != tt.differences {
			t.Errorf("%s: %q", tt.key, got)
		}
	}
}
