package apply_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"mailsetup/internal/apply"
	"mailsetup/internal/plan"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
	"mailsetup/zonefile"
)

func rollBack(t *testing.T, m *systemtest.Mem, run int, id string) plan.Plan {
	t.Helper()
	p, err := apply.Inverse(context.Background(), history(t, m)[run], m)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runOn(context.Background(), m, p, id); err != nil {
		t.Fatal(err)
	}
	return p
}

// exceptStarted leaves out a unit that the run started: a rollback does not stop it.
func exceptStarted(look string) string {
	i := strings.Index(look, "idle.service")
	return look[:i]
}

func TestARollbackCanBeRolledBack(t *testing.T) {
	p, start, end, _ := worlds(t)
	m := machine()
	if _, err := runOn(context.Background(), m, p, "a"); err != nil {
		t.Fatal(err)
	}
	serials := []uint32{serial(t, m)}
	back := rollBack(t, m, 0, "b")
	if got := look(t, m); exceptStarted(got) != exceptStarted(start) {
		t.Fatalf("rolled back:\n%s\nwant\n%s", got, start)
	}
	if len(back.Notes) != 1 || back.Notes[0].Topic != "idle.service" {
		t.Errorf("notes %+v, want one on idle.service", back.Notes)
	}
	serials = append(serials, serial(t, m))
	rollBack(t, m, 1, "c")
	if got := look(t, m); exceptStarted(got) != exceptStarted(end) {
		t.Fatalf("rolled forward again:\n%s\nwant\n%s", got, end)
	}
	serials = append(serials, serial(t, m))
	if !zonefile.Newer(serials[1], serials[0]) || !zonefile.Newer(serials[2], serials[1]) {
		t.Errorf("serials %d do not grow", serials)
	}
}

// A zone is worked in every week: what somebody added stays, ours goes, and
// back again.
func TestARollbackKeepsWhatOthersAddedToAZone(t *testing.T) {
	p, _, _, _ := worlds(t)
	m := machine()
	was := noSerial(t, string(m.Files()[zonePath].Content))
	if _, err := runOn(context.Background(), m, p, "a"); err != nil {
		t.Fatal(err)
	}
	const added = "later A 192.0.2.44\n"
	zone := m.Files()[zonePath]
	zone.Content = append(zone.Content, added...)
	m.Put(zonePath, zone)
	before := serial(t, m)
	back := rollBack(t, m, 0, "b")
	if got := noSerial(t, string(m.Files()[zonePath].Content)); got != was+added {
		t.Errorf("got\n%s\nwant\n%s", got, was+added)
	}
	if now := serial(t, m); !zonefile.Newer(now, before) {
		t.Errorf("serial %d after %d", now, before)
	}
	if !strings.Contains(back.Notes[len(back.Notes)-1].Text, string(zonePath)+" was edited since: those lines stay") {
		t.Errorf("notes %+v", back.Notes)
	}
	rollBack(t, m, 1, "c")
	if got := noSerial(t, string(m.Files()[zonePath].Content)); !strings.Contains(got, "$INCLUDE") || !strings.HasSuffix(got, added) {
		t.Errorf("forward again:\n%s", got)
	}
	zone = m.Files()[zonePath]
	zone.Content = []byte(strings.Replace(string(zone.Content), "$INCLUDE \"", "$INCLUDE  \"", 1))
	m.Put(zonePath, zone)
	if _, err := apply.Inverse(context.Background(), history(t, m)[2], m); err == nil || !strings.HasSuffix(err.Error(), "changed since: "+string(zonePath)) {
		t.Errorf("our line edited: %v", err)
	}
}

func serial(t *testing.T, m *systemtest.Mem) uint32 {
	t.Helper()
	n, err := zonefile.Serial(m.Files()[zonePath].Content)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestARollbackIsRefusedForEditedFiles(t *testing.T) {
	p, _, _, _ := worlds(t)
	m := machine()
	if _, err := runOn(context.Background(), m, p, "a"); err != nil {
		t.Fatal(err)
	}
	m.PutFile("/etc/main.cf", "rewritten\n")
	_, err := apply.Inverse(context.Background(), history(t, m)[0], m)
	if err == nil || !strings.HasSuffix(err.Error(), "changed since: /etc/main.cf") {
		t.Errorf("error %v", err)
	}
}

// TestAnOlderRunIsRolledBack between whose files and the later ones there is
// nothing in common but our own record, which keeps what the later run wrote.
func TestAnOlderRunIsRolledBack(t *testing.T) {
	m := systemtest.NewMem()
	m.PutFile("/etc/x", "")
	m.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	want := func(name, content string) state.State {
		return state.State{Stages: []state.Stage{{Name: name, Files: []state.File{
			{Path: state.Path("/etc/" + name), Mode: 0o644, Owner: state.Root, Content: []byte(content)},
		}}}}
	}
	for _, name := range []string{"one", "two"} {
		if _, err := runOn(context.Background(), m, planFor(t, m, want(name, name)), name); err != nil {
			t.Fatal(err)
		}
	}
	rollBack(t, m, 0, "undo")
	files := m.Files()
	if files["/etc/one"].Kind != state.Absent || files["/etc/two"].Kind != state.Regular {
		t.Error("not the first run's file was removed")
	}
	rec, err := plan.ParseFileHashes(files[plan.HashesFile].Content)
	if err != nil || len(rec) != 1 || rec["/etc/two"] == "" {
		t.Errorf("record %v (%v), want /etc/two alone", rec, err)
	}
}

func TestOnlyFinishedRunsAreRolledBack(t *testing.T) {
	p, _, _, _ := worlds(t)
	m := machine()
	brokenProbe(m)
	if _, err := runOn(context.Background(), m, p, "a"); err == nil {
		t.Fatal("it succeeded")
	}
	_, err := apply.Inverse(context.Background(), history(t, m)[0], m)
	if err == nil || !strings.HasSuffix(err.Error(), "it was taken back already (undone)") {
		t.Errorf("a run that was undone: %v", err)
	}
	m = killedSmall(t)
	if _, err := apply.Inverse(context.Background(), history(t, m)[0], m); !errors.Is(err, apply.ErrInterrupted) {
		t.Errorf("a run that was killed: %v", err)
	}
}
