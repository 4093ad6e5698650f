package store_test

import (
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system/systemtest"
)

// active is a ledger whose one key signs since November.
func active() keyring.Ledger {
	return keyring.Ledger{"lab.example": {{
		Selector: "202611", Stage: keyring.Active, Since: map[keyring.Stage]time.Time{keyring.Active: november},
	}}}
}

func TestElapsedTimeIsKeptAcrossRuns(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	first := keyring.Elapsed{}.Advance(active(), keyring.BootTime{Boot: "b", At: time.Hour})
	if err := s.UpdateElapsed(keyring.Elapsed{}, first); err != nil {
		t.Fatal(err)
	}
	read, err := s.LoadElapsed()
	if err != nil {
		t.Fatal(err)
	}
	later := read.Advance(active(), keyring.BootTime{Boot: "b", At: 4 * time.Hour})
	if got := later.InStage("lab.example", active()["lab.example"])["202611"]; got != 3*time.Hour {
		t.Errorf("the key signs for %v", got)
	}
}

func TestElapsedTimeIsWrittenWhereItMatters(t *testing.T) {
	reading := func(at time.Duration) keyring.Elapsed {
		return keyring.Elapsed{}.Advance(active(), keyring.BootTime{Boot: "b", At: at})
	}
	for _, tt := range []struct {
		name     string
		was, now keyring.Elapsed
		writes   bool
	}{
		{"the first time", keyring.Elapsed{}, reading(time.Hour), true},
		{"some minutes later", reading(time.Hour), reading(time.Hour + 10*time.Minute), false},
		{"an hour later", reading(time.Hour), reading(2 * time.Hour), true},
		{"the last key went", reading(time.Hour), keyring.Elapsed{Read: keyring.BootTime{Boot: "b", At: time.Hour}}, true},
		{"no keys at all", keyring.Elapsed{}, keyring.Elapsed{Read: keyring.BootTime{Boot: "b", At: time.Hour}}, false},
	} {
		mem := machineWithOwnFiles()
		if err := store.New(mem).UpdateElapsed(tt.was, tt.now); err != nil {
			t.Fatal(err)
		}
		if o, _ := mem.Read(state.ElapsedFile); (o.Kind == state.Regular) != tt.writes {
			t.Errorf("%s: written %v, want %v", tt.name, o.Kind == state.Regular, tt.writes)
		}
	}
}

func TestElapsedTimeThatIsDamagedBeginsAnew(t *testing.T) {
	mem := machineWithOwnFiles()
	mem.PutFile(state.ElapsedFile, "{")
	p, err := store.New(mem).LoadElapsed()
	if err == nil || !strings.Contains(err.Error(), "keys wait for their whole time again") {
		t.Errorf("error %v", err)
	}
	if len(p.Keys) != 0 || p.Read != (keyring.BootTime{}) {
		t.Errorf("%+v", p)
	}
}

// Where nothing was ever set up, a look leaves nothing behind.
func TestElapsedTimeNeedsTheDirectory(t *testing.T) {
	mem := systemtest.NewMem()
	s := store.New(mem)
	if err := s.SaveElapsed(keyring.Elapsed{Read: keyring.BootTime{Boot: "b"}}); err != nil || s.Exists() {
		t.Errorf("%v; there are %v", err, mem.Files())
	}
	if p, err := s.LoadElapsed(); err != nil || len(p.Keys) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestTheLastFailureMail(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	if at, ok := s.LastFailureMail(); ok {
		t.Errorf("a failure was mailed at %v", at)
	}
	for _, at := range []time.Time{november, november.AddDate(0, 0, 1)} {
		if err := s.SaveFailureMail(at); err != nil {
			t.Fatal(err)
		}
		if got, ok := s.LastFailureMail(); !ok || !got.Equal(at) {
			t.Errorf("mailed at %v, %v; want %v", got, ok, at)
		}
	}
	mem.PutFile(state.FailureMailFile, "yesterday\n")
	if at, ok := s.LastFailureMail(); ok {
		t.Errorf("a damaged file says %v", at)
	}
}

func TestALookAtRecordsKeepsWhatWasSeenBefore(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	seen := func(selector string, at time.Time) keyring.LastCheck {
		return keyring.LastCheck{At: at, OK: true, Found: "all is well", Seen: map[string]time.Time{selector: at}}
	}
	later := november.Add(time.Hour)
	watch := keyring.Watch{SeenComplete: []string{"lab.example TXT"}}
	err := s.SaveChecks(map[string]keyring.LastCheck{"lab.example": seen("202611", november)}, map[string]keyring.Watch{"lab.example": watch})
	if err == nil {
		err = s.SaveChecks(map[string]keyring.LastCheck{"lab.example": seen("202612", later)}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	got := s.LastCheck("lab.example")
	if !got.At.Equal(later) || !got.Seen["202611"].Equal(november) || !got.Seen["202612"].Equal(later) {
		t.Errorf("%+v", got)
	}
	if len(got.Watch.SeenComplete) != 1 {
		t.Errorf("what looks remember of each other is gone: %+v", got.Watch)
	}
	if err := s.SaveChecks(map[string]keyring.LastCheck{"lab.example": seen("202612", later)}, map[string]keyring.Watch{"lab.example": {}}); err != nil {
		t.Fatal(err)
	}
	if got := s.LastCheck("lab.example"); len(got.Watch.SeenComplete) != 0 {
		t.Errorf("what looks remember was not replaced: %+v", got.Watch)
	}
}

func TestALookThatCannotBeReadWasNeverTaken(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	if c := s.LastCheck("lab.example"); !c.At.IsZero() {
		t.Errorf("never looked: %+v", c)
	}
	if err := s.SaveChecks(map[string]keyring.LastCheck{"lab.example": {At: november, OK: true}}, nil); err != nil {
		t.Fatal(err)
	}
	mem.PutFile(keyring.LastCheckFile("bad.example"), "{")
	if c := s.LastCheck("bad.example"); !c.At.IsZero() {
		t.Errorf("damaged: %+v", c)
	}
	checks, err := s.LastChecks()
	if err != nil || len(checks) != 1 || !checks["lab.example"].OK {
		t.Errorf("%+v, %v", checks, err)
	}
	if err := s.SaveChecks(map[string]keyring.LastCheck{"bad.example": {At: november}}, nil); err != nil {
		t.Fatal(err)
	}
	if c := s.LastCheck("bad.example"); !c.At.Equal(november) {
		t.Errorf("a damaged file keeps a look from being written: %+v", c)
	}
}

func TestTheScheduleOfLooks(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	if got, unreadable, err := s.LoadSchedule(); unreadable != nil || err != nil || !got.Last.IsZero() {
		t.Errorf("never looked: %+v, %v, %v", got, unreadable, err)
	}
	want := recordwatch.Schedule{}.Next([]string{"lab.example", "shop.example"}, []string{"lab.example"}, []string{"lab.example"}, november)
	if err := s.SaveSchedule(want); err != nil {
		t.Fatal(err)
	}
	got, unreadable, err := s.LoadSchedule()
	if unreadable != nil || err != nil || !got.Last.Equal(november) || !got.CheckedAt["lab.example"].Equal(november) || !got.Faulty["lab.example"] {
		t.Errorf("%+v, %v, %v", got, unreadable, err)
	}
	mem.PutFile(state.WatchFile, "{")
	if got, unreadable, err := s.LoadSchedule(); unreadable == nil || err != nil || len(got.CheckedAt) != 0 {
		t.Errorf("damaged: %+v, %v, %v", got, unreadable, err)
	}
}

func TestAFreshPostfixIsOneThatNobodyChanged(t *testing.T) {
	const mainCf = "/etc/postfix/main.cf"
	mem := systemtest.NewMem()
	mem.Put("/var/lib", state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	s := store.New(mem)
	if err := s.MarkFreshPostfix(); err != nil || s.InstalledPostfix() || s.Exists() {
		t.Errorf("there is no main.cf: %v", err)
	}
	mem.PutFile(mainCf, "compatibility_level = 3.6\n")
	if s.PostfixIsFresh() {
		t.Error("a Postfix that was here before is fresh")
	}
	for _, change := range []string{"myhostname = mail.lab.example\n", "mynetworks = 127.0.0.0/8\n"} { // the second one after the packages were removed and installed again
		if err := s.MarkFreshPostfix(); err != nil || !s.PostfixIsFresh() || !s.InstalledPostfix() {
			t.Errorf("just installed: %v", err)
		}
		mem.PutFile(mainCf, "compatibility_level = 3.6\n"+change)
		if s.PostfixIsFresh() || !s.InstalledPostfix() {
			t.Error("somebody changed main.cf since")
		}
	}
	if o, err := mem.Read("/var/lib/mailsetup"); err != nil || o.Mode != 0o700 {
		t.Errorf("the directory: %+v, %v", o, err)
	}
	mem.Delete(mainCf)
	if s.PostfixIsFresh() {
		t.Error("main.cf is gone")
	}
}
