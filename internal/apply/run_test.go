package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

// small is one file and its unit.
func small() (*systemtest.Mem, state.State) {
	m := systemtest.NewMem()
	m.Put("/var/lib/mailsetup/journal", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	m.PutFile("/etc/d.conf", "old\n")
	m.Unit("d.service", "/etc/d.conf")
	return m, state.State{Stages: []state.Stage{{
		Name:       "D",
		Files:      []state.File{{Path: "/etc/d.conf", Mode: 0o644, Owner: state.Root, Content: []byte("new\n"), AdminOwned: true}},
		Validators: []state.Validator{{Name: "d -t"}},
		Units: []state.Unit{{Name: "d.service", Action: state.Reload, Probes: []state.Probe{
			{Kind: state.ProbeActive, Unit: "d.service"},
		}}},
	}}}
}

const smallRun = "/var/lib/mailsetup/journal/20261122T221500-a"

func TestTraceOfASuccess(t *testing.T) {
	m, want := small()
	report, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if err != nil {
		t.Fatal(err)
	}
	trace(t, m, []string{
		"mkdir " + smallRun + " root:root 0700",
		"create " + smallRun + "/reserve root:root 0600",
		"sync 2",
		"append " + smallRun + "/run.jsonl", // begin
		"check d -t",
		"append " + smallRun + "/run.jsonl", // intent
		"create " + smallRun + "/001 root:root 0600",
		"create /etc/.mailsetup-20261122T221500-a-1-0~ root:root 0644",
		"sync 2",
		"append " + smallRun + "/run.jsonl", // commit
		"rename /etc/.mailsetup-20261122T221500-a-1-0~ /etc/d.conf",
		"sync 1",
		"reload d.service",
		"probe active d.service",
		"append " + smallRun + "/run.jsonl", // stage
		"append " + smallRun + "/run.jsonl", // done
		"remove " + smallRun + "/reserve",
	})
	if got, want := report.String(), "1 file changed, reload d.service\n"; got != want {
		t.Errorf("report %q, want %q", got, want)
	}
}

func TestTraceOfAnUndo(t *testing.T) {
	m, want := small()
	m.RejectProbe("d.service", func(files map[state.Path]string) error {
		if files["/etc/d.conf"] == "new\n" {
			return errors.New("line 1: bad word")
		}
		return nil
	})
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) || !slices.Equal(failed.Log, []string{"line 1: bad word"}) {
		t.Fatalf("error %v, want *Failed with the unit's words", err)
	}
	all := m.Trace()
	i := slices.Index(all, "probe active d.service")
	wantTrace := []string{
		"remove " + smallRun + "/reserve",
		"append " + smallRun + "/run.jsonl", // undo
		"create /etc/.mailsetup-20261122T221500-a-1-0-undo~ root:root 0644",
		"sync 1",
		"rename /etc/.mailsetup-20261122T221500-a-1-0-undo~ /etc/d.conf",
		"sync 1",
		"reload d.service",
		"probe active d.service",
		"append " + smallRun + "/run.jsonl", // undone
	}
	if got := all[i+1:]; !slices.Equal(got, wantTrace) {
		t.Errorf("trace after the probe\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(wantTrace, "\n"))
	}
}

func trace(t *testing.T, m *systemtest.Mem, want []string) {
	t.Helper()
	if got := m.Trace(); !slices.Equal(got, want) {
		t.Errorf("trace\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAnEmptyPlanTouchesNothing(t *testing.T) {
	m, want := small()
	m.PutFile("/etc/d.conf", "new\n")
	p := planFor(t, m, want)
	if _, err := runOn(context.Background(), m, p, "a"); err != nil || !p.Empty() {
		t.Errorf("error %v, plan empty %v", err, p.Empty())
	}
	trace(t, m, nil)
}

func TestValidatorsSeeTheStageAsItWillBe(t *testing.T) {
	m, want := small()
	m.PutFile("/etc/table", "rows\n")
	want.Stages[0].Files = append(want.Stages[0].Files,
		state.File{Path: "/etc/table", Mode: 0o644, Owner: state.Root, Content: []byte("rows\n"), AdminOwned: true})
	m.OnCheck = func(_ []state.Validator, files map[state.Path]state.Object) error {
		if got := string(files["/etc/d.conf"].Content) + string(files["/etc/table"].Content); got != "new\nrows\n" {
			t.Errorf("the validator sees %q", got)
		}
		return errors.New("refused")
	}
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v, want *Failed", err)
	}
	for _, l := range m.Trace() {
		if strings.Contains(l, "/etc/") || strings.Contains(l, "d.service") {
			t.Errorf("after a refusal the machine was touched: %s", l)
		}
	}
}

func TestAStalePlanTouchesNothing(t *testing.T) {
	m, want := small()
	p := planFor(t, m, want)
	m.PutFile("/etc/d.conf", "somebody was here\n")
	_, err := runOn(context.Background(), m, p, "a")
	var stale *apply.StalePlanError
	if !errors.As(err, &stale) || !slices.Equal(stale.Paths, []state.Path{"/etc/d.conf"}) {
		t.Errorf("error %v, want stale /etc/d.conf", err)
	}
	trace(t, m, nil)
}

func TestPackagesAndLaterEditsAreRefused(t *testing.T) {
	m := systemtest.NewMem()
	for _, p := range []plan.Plan{
		{Stages: []plan.StageChanges{{Name: "P", Packages: []state.Package{{Name: "postfix"}}}}},
		{Stages: []plan.StageChanges{{Name: "P", Changes: []plan.Change{{Op: plan.Later, Path: "/etc/x"}}}}},
	} {
		if _, err := runOn(context.Background(), m, p, "a"); err == nil {
			t.Errorf("%+v was applied", p)
		}
	}
	trace(t, m, nil)
}

// TestSomebodysWorkIsNotOverwritten: an editor saves while the run waits for a
// probe that then fails.
func TestSomebodysWorkIsNotOverwritten(t *testing.T) {
	m, want := small()
	m.OnProbe = func(state.Probe) error {
		m.PutFile("/etc/d.conf", "by hand\n")
		m.OnProbe = nil
		return errors.New("no answer")
	}
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var not *apply.NotUndoneError
	if !errors.As(err, &not) {
		t.Fatalf("error %v, want *NotUndone", err)
	}
	commands := []string{
		"install -o root -g root -m 0644 " + smallRun + "/001 /etc/d.conf",
		"mailsetup recover",
	}
	if !slices.Equal(not.Commands, commands) {
		t.Errorf("commands %q, want %q", not.Commands, commands)
	}
	if got := string(m.Files()["/etc/d.conf"].Content); got != "by hand\n" {
		t.Errorf("the file was overwritten with %q", got)
	}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "b"); !errors.Is(err, apply.ErrInterrupted) {
		t.Errorf("with an open journal: %v, want ErrInterrupted", err)
	}
	m.PutFile("/etc/d.conf", "old\n") // the operator does as told
	if err := recoverOn(m); err != nil {
		t.Errorf("recover after the operator's work: %v", err)
	}
	if _, err := runOn(context.Background(), m, planFor(t, m, want), "c"); err != nil {
		t.Errorf("the next run: %v", err)
	}
}

// TestAUnitThatWillNotComeBack: the old configuration is bad, too.
func TestAUnitThatWillNotComeBack(t *testing.T) {
	m, want := small()
	m.Reject("d.service", func(map[state.Path]string) error { return errors.New("out of memory") })
	_, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var not *apply.NotUndoneError
	if !errors.As(err, &not) || !slices.Contains(not.Commands, "systemctl reload d.service") {
		t.Fatalf("error %v", err)
	}
	if got := string(m.Files()["/etc/d.conf"].Content); got != "old\n" {
		t.Errorf("the file is %q, want it back", got)
	}
}

func TestCheckpointsAreKept(t *testing.T) {
	m, want := small()
	first := state.Stage{Name: "Ledger", Checkpoint: true, Files: []state.File{
		{Path: "/etc/ledger", Mode: 0o600, Owner: state.Root, Content: []byte("intent\n"), AdminOwned: true},
	}}
	want.Stages = append([]state.Stage{first}, want.Stages...)
	m.OnProbe = func(state.Probe) error { m.OnProbe = nil; return errors.New("no answer") }
	report, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	if err == nil || !strings.Contains(err.Error(), "but for Ledger") || !slices.Equal(report.Kept, []string{"Ledger"}) {
		t.Errorf("error %v, kept %q", err, report.Kept)
	}
	files := m.Files()
	if got := string(files["/etc/ledger"].Content) + string(files["/etc/d.conf"].Content); got != "intent\nold\n" {
		t.Errorf("files %q, want the ledger kept and the rest taken back", got)
	}
}

// TestDirectoriesWithOtherPeoplesFilesStay, but dead sockets do not hold one.
func TestDirectoriesWithOtherPeoplesFilesStay(t *testing.T) {
	m, want := small()
	for _, p := range []state.Path{"/etc/mine", "/etc/sockets"} {
		want.Stages[0].Dirs = append(want.Stages[0].Dirs, state.Dir{Path: p, Mode: 0o755, Owner: state.Root})
	}
	m.OnProbe = func(state.Probe) error {
		m.OnProbe = nil
		m.PutFile("/etc/mine/diary", "dear diary\n")
		m.Put("/etc/sockets/s", state.Object{Kind: state.Special, Mode: 0o770, Owner: state.Root})
		return errors.New("no answer")
	}
	report, err := runOn(context.Background(), m, planFor(t, m, want), "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) || !slices.Equal(report.LeftAlone, []state.Path{"/etc/mine"}) {
		t.Fatalf("error %v, left %q", err, report.LeftAlone)
	}
	files := m.Files()
	if files["/etc/mine/diary"].Kind == state.Absent || files["/etc/sockets"].Kind != state.Absent {
		t.Error("the diary is gone or the socket's directory is not")
	}
}

func TestProgressIsTold(t *testing.T) {
	m, want := small()
	var told []string
	o := options("a")
	o.Progress = func(e apply.Event) {
		told = append(told, strings.TrimSpace(fmt.Sprintf("%s %s%s", e.Kind, e.Unit, map[bool]string{true: e.Stage}[e.Unit == ""])))
	}
	j := apply.NewJournal(m, apply.JournalDir)
	if _, err := apply.Run(context.Background(), m, planFor(t, m, want), j, o); err != nil {
		t.Fatal(err)
	}
	wanted := []string{"stage begins D", "unit begins d.service", "probe waits d.service", "unit ends d.service"}
	if !slices.Equal(told, wanted) {
		t.Errorf("told %q, want %q", told, wanted)
	}
}

// TestManyFilesAreSyncedAtOnce: the number of syncs does not grow with the
// number of files.
func TestManyFilesAreSyncedAtOnce(t *testing.T) {
	syncs := func(n int) int {
		m, want := small()
		for i := range n {
			want.Stages[0].Files = append(want.Stages[0].Files, state.File{
				Path: state.Path(fmt.Sprintf("/etc/f%05d", i)), Mode: 0o644, Owner: state.Root, AdminOwned: true,
			})
		}
		if _, err := runOn(context.Background(), m, planFor(t, m, want), "a"); err != nil {
			t.Fatal(err)
		}
		count := 0
		for _, l := range m.Trace() {
			if strings.HasPrefix(l, "sync") || strings.HasPrefix(l, "append") {
				count++
			}
		}
		return count
	}
	if few, many := syncs(1), syncs(10_000); few != many {
		t.Errorf("%d syncs for one file, %d for ten thousand", few, many)
	}
}

// Postfix holds back for a minute a service that died of a configuration, and
// a reload does not change that: the undo has to notice, and restart it.
func TestWhatTookMailTakesItAgain(t *testing.T) {
	m, want := small()
	want.Stages[0].Units[0].Probes = []state.Probe{{Kind: state.ProbeSMTP, Address: "127.0.0.1:25"}}
	p := planFor(t, m, want)
	m.OnProbe = func(state.Probe) error {
		tr := m.Trace()
		if slices.Contains(tr, "reload d.service") && !slices.Contains(tr, "restart d.service") {
			return errors.New("no greeting")
		}
		return nil
	}
	_, err := runOn(context.Background(), m, p, "a")
	var failed *apply.FailedError
	if !errors.As(err, &failed) {
		t.Fatalf("got %v, want a failure that was put back", err)
	}
	if tr := m.Trace(); !slices.Contains(tr, "restart d.service") {
		t.Errorf("it was left deaf:\n%s", strings.Join(tr, "\n"))
	}
}
