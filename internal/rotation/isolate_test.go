package rotation_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/provision"
	"mailsetup/internal/rotation"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// many is a tree with n domains whose keys go now, and a provisioner that does
// what it is told.
type many struct {
	ui
	memory
	ledger keyring.Ledger
	plan   func(domains []string) error
	apply  func(domains []string) error
	plans  int
	tries  int // to apply
	done   []string
	now    time.Time
}

// numbered returns n domains.
func numbered(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("d%05d.example", i)
	}
	return list
}

func newMany(n int) *many {
	m := &many{ledger: keyring.Ledger{}, now: time.Unix(400*24*3600, 0).UTC()}
	for _, domain := range numbered(n) {
		m.ledger[domain] = []keyring.Key{{Selector: "k", Stage: keyring.Draining, Since: map[keyring.Stage]time.Time{keyring.Draining: time.Unix(0, 0)}}}
	}
	return m
}

func (m *many) LoadLedger() (keyring.Ledger, plan.FileHashes, error) {
	return maps.Clone(m.ledger), plan.FileHashes{}, nil
}

func (m *many) LoadElapsed(keyring.Ledger) (keyring.Elapsed, error) { return keyring.Elapsed{}, nil }
func (m *many) SaveElapsed(keyring.Elapsed) error                   { return nil }
func (m *many) LastChecks() (map[string]keyring.LastCheck, error)   { return nil, nil }

func (m *many) Gather(context.Context, provision.Request) (state.Facts, error) {
	return state.Facts{}, nil
}

func (m *many) Plan(_ context.Context, r provision.Request) (*provision.Draft, error) {
	m.plans++
	p := plan.Plan{Stages: []plan.StageChanges{{Name: "Ledger", Changes: []plan.Change{{Op: plan.Modify, Path: "/x"}}}}}
	if m.plan != nil {
		return &provision.Draft{Request: r, Plan: p}, m.plan(r.Scope.Selection())
	}
	return &provision.Draft{Request: r, Plan: p}, nil
}

func (m *many) Confirm(context.Context, *provision.Draft) error { return nil }

func (m *many) Run(_ context.Context, d *provision.Draft) (provision.Result, error) {
	m.tries++
	domains := d.Scope.Selection()
	if err := m.apply(domains); err != nil {
		return provision.Result{}, err
	}
	for _, domain := range domains {
		delete(m.ledger, domain)
	}
	m.done = append(m.done, domains...)
	return provision.Result{Report: apply.Report{ID: "20260101T000000Z-aaaa"}}, nil
}

func (m *many) ExpectedRecords(context.Context, []string) (map[string][]state.Record, error) {
	return nil, nil
}

// run rotates.
func (m *many) run(t *testing.T) (*rotation.Report, error) {
	t.Helper()
	return m.runWithin(t, 0)
}

func (m *many) runWithin(t *testing.T, within time.Duration) (*rotation.Report, error) {
	t.Helper()
	return m.runWith(t, rotation.Options{Within: within})
}

func (m *many) runWith(t *testing.T, o rotation.Options) (*rotation.Report, error) {
	t.Helper()
	r := &rotation.Rotator{
		System: systemtest.NewMem(), Tree: true, Clock: func() time.Time { return m.now },
		Store: m, DNS: func() rotation.DNS { return nil }, Provisioner: m, UI: &m.ui,
	}
	return r.Run(t.Context(), o)
}

// refuse fails for batches with one of the domains.
func refuse(bad []string) func([]string) error {
	return func(domains []string) error {
		for _, d := range bad {
			if _, found := slices.BinarySearch(domains, d); found {
				return errors.New("not with " + d)
			}
		}
		return nil
	}
}

// every returns each step-th of n, up to most.
func every(n, step, most int) []int {
	var list []int
	for i := step - 1; i < n && len(list) < most; i += step {
		list = append(list, i)
	}
	return list
}

// However many fail, and wherever: those are found, and all others go on.
func TestTheFailingDomainsAreFound(t *testing.T) {
	for _, tt := range []struct {
		n    int
		bad  []int
		most int // attempts
	}{
		{1, nil, 1},
		{1, []int{0}, 1},
		{3, []int{1}, 5},
		{3, []int{0, 2}, 6},
		{3, []int{0, 1, 2}, 5},
		{10_000, []int{4711}, 30},
		{10_000, []int{17, 9_999}, 60},
		{1_000, []int{17, 471, 999}, 80},
		{10_000, every(10_000, 900, 10), 300},
		{1_000, every(1_000, 1, 10), 250},
		{300, every(300, 2, 150), 600},
		{300, every(300, 1, 150), 600},
		{300, every(300, 1, 270), 600},
	} {
		m, all := newMany(tt.n), numbered(tt.n)
		var bad []string
		for _, i := range tt.bad {
			bad = append(bad, all[i])
		}
		m.apply = refuse(bad)
		report, err := m.run(t)
		var skipped *rotation.SkippedError
		if err != nil && !errors.As(err, &skipped) {
			t.Fatal(err)
		}
		if !slices.Equal(report.Failed, append([]string{}, bad...)) || len(m.done) != tt.n-len(bad) || len(report.Steps) != len(m.done) {
			t.Errorf("%d, %d failing: found %d; done %d", tt.n, len(bad), len(report.Failed), len(m.done))
		}
		said := m.text()
		for _, d := range bad {
			if !strings.Contains(said, d+": not with "+d) {
				t.Errorf("nothing of %s in\n%s", d, m.said)
			}
		}
		if m.tries > tt.most {
			t.Errorf("%d, %d failing: %d attempts, at most %d", tt.n, len(bad), m.tries, tt.most)
		}
	}
}

// A disk that is full is so for all of them.
func TestTheSearchEndsSoonWhereAllFail(t *testing.T) {
	m := newMany(10_000)
	m.apply = func([]string) error { return errors.New("no space left") }
	report, err := m.run(t)
	if err == nil || m.tries != 64 || len(m.done) > 0 || len(report.Failed) != 10_000 {
		t.Errorf("%v: %d attempts, %d done, %d failed", err, m.tries, len(m.done), len(report.Failed))
	}
	if len(m.said) > 14 || !strings.HasSuffix(m.said[len(m.said)-1], "and 8980 more: no space left") {
		t.Errorf("says %q", m.said)
	}
}

// Of thousands whose records change, as many have their steps at a time as memory holds.
// What there is no time for has its turn in the next run, and is no failure.
func TestManyInParts(t *testing.T) {
	t.Parallel()
	m, most := newMany(5_000), 0
	m.apply = func(domains []string) error {
		most = max(most, len(domains))
		return nil
	}
	report, err := m.run(t)
	if err != nil || m.tries != 5 || most != 1_000 || len(m.done) != 5_000 || len(report.Steps) != 5_000 || len(report.Failed) > 0 {
		t.Errorf("%v: %d attempts of %d at most, %d done, %d steps", err, m.tries, most, len(m.done), len(report.Steps))
	}
	if want := []string{"steps are due in 5000 domains, which are taken 1000 at a time"}; !slices.Equal(m.said, want) {
		t.Errorf("says %q", m.said)
	}
	m = newMany(5_000)
	m.apply = func([]string) error {
		time.Sleep(time.Second)
		return nil
	}
	report, err = m.runWithin(t, time.Second)
	if err != nil || m.tries != 1 || len(m.done) != 1_000 || len(report.Failed) > 0 || !strings.HasSuffix(m.text(), " d01000.example, d01001.example, d01002.example, d01003.example, d01004.example, d01005.example, d01006.example, d01007.example, d01008.example, d01009.example, d01010.example, d01011.example, d01012.example, d01013.example, d01014.example, d01015.example, d01016.example, d01017.example, d01018.example, d01019.example and 3980 more: the next run goes on with them") {
		t.Errorf("%v: %d attempts, %d done, failed %d, says %s", err, m.tries, len(m.done), len(report.Failed), m.text())
	}
}

// A dry run about thousands plans some at a time as well, where only a summary is told, and
// says all of it once.
func TestADryRunInParts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		brief       bool
		parts, most int
	}{{true, 3, 1_000}, {false, 1, 2_500}} {
		m, most := newMany(2_500), 0
		m.plan = func(domains []string) error {
			most = max(most, len(domains))
			return nil
		}
		report, err := m.runWith(t, rotation.Options{DryRun: true, Brief: tt.brief})
		if err != nil || m.plans != tt.parts || most != tt.most || m.tries != 0 || len(report.Steps) != 2_500 {
			t.Errorf("brief %v: %d plans, of %d domains at most, %d runs, %d steps, %v", tt.brief, m.plans, most, m.tries, len(report.Steps), err)
		}
		if report.Plan == nil || len(report.Plan.Stages) != 1 || len(report.Plan.Stages[0].Changes) != 1 {
			t.Errorf("brief %v: plan %+v", tt.brief, report.Plan)
		}
		if len(m.said) > 0 {
			t.Errorf("brief %v: says %q", tt.brief, m.said)
		}
	}
}

// A search that takes too long goes on in the next run, and then with other domains.
func TestTheSearchEndsWithTheRun(t *testing.T) {
	t.Parallel()
	m, all := newMany(1_000), numbered(1_000)
	bad := every(1_000, 2, 500)
	m.apply = func(domains []string) error {
		if m.tries%100 == 0 { // which takes all the time there is
			time.Sleep(time.Second)
		}
		for _, i := range bad {
			if _, found := slices.BinarySearch(domains, all[i]); found {
				return errors.New("not with " + all[i])
			}
		}
		return nil
	}
	left := 1_000
	for range 2 {
		report, err := m.runWithin(t, time.Second)
		if err == nil || len(m.done) == 0 || len(report.Failed) == 0 || len(m.ledger) >= left || len(m.ledger) < 600 {
			t.Fatalf("%v: %d done, %d failed, %d left of %d", err, len(m.done), len(report.Failed), len(m.ledger), left)
		}
		left = len(m.ledger)
		if !strings.Contains(m.text(), " more: have their turn in the next run, since this one has looked long enough for those that fail: not with d0") {
			t.Errorf("says %q", m.said[len(m.said)-3:])
		}
		m.said = nil
		m.now = m.now.Add(time.Hour)
	}
}

// What an error names itself need not be searched for, and is found before
// anything is changed.
func TestTheDomainsThatAnErrorNamesAreSkipped(t *testing.T) {
	m := newMany(1_000)
	m.plan = func(domains []string) error {
		named := state.DomainErrors{}
		for _, d := range domains {
			if strings.HasSuffix(d, "7.example") {
				named[d] = errors.New("no")
			}
		}
		if len(named) > 0 {
			return fmt.Errorf("DNS: %w", named)
		}
		return nil
	}
	m.apply = func([]string) error { return nil }
	report, err := m.run(t)
	if report == nil || m.plans != 2 || m.tries != 1 || len(report.Failed) != 100 || len(m.done) != 900 {
		t.Errorf("%v: %d plans, %d attempts, %d done", err, m.plans, m.tries, len(m.done))
	}
	m = newMany(2)
	m.plan = func([]string) error { return state.DomainErrors{"other.example": errors.New("no")} }
	if report, err := m.run(t); report != nil || err == nil || err.Error() != "no" {
		t.Errorf("about a domain that was not asked for: %v", err)
	}
}

func TestNothingIsTriedAfterAFatalError(t *testing.T) {
	for _, end := range []error{
		context.Canceled, &apply.FailedError{Cause: context.Canceled},
		&provision.FatalError{Err: errors.New("written")},
		&apply.NotUndoneError{Cause: errors.New("x"), Undo: []error{errors.New("y")}},
	} {
		m := newMany(4)
		m.apply = func([]string) error { return fmt.Errorf("OpenDKIM: %w", end) }
		if report, err := m.run(t); report != nil || !errors.Is(err, end) || m.tries != 1 {
			t.Errorf("%v: %d attempts, %v", end, m.tries, err)
		}
	}
}

// What a daemon printed, as far as it did, does not make two reasons of one.
func TestReasonsAreGrouped(t *testing.T) {
	m := newMany(3)
	m.apply = func(domains []string) error {
		switch domains[0] {
		case "d00000.example":
			return errors.New("reload failed\n  | this\n  | that")
		case "d00001.example":
			return errors.New("reload failed\n  | this")
		}
		return errors.New("d00002.example: no answer")
	}
	if _, err := m.run(t); err == nil {
		t.Error("no error")
	}
	want := []string{"d00000.example, d00001.example: reload failed\n  | this\n  | that", "d00002.example: no answer"}
	if got := slices.DeleteFunc(m.said, func(l string) bool { return strings.HasPrefix(l, "going on with") }); !slices.Equal(got, want) {
		t.Errorf("says %q, want %q", got, want)
	}
}
