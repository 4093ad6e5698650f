package rollback_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/dnscheck"
	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/machine"
	"mailsetup/internal/plan"
	"mailsetup/internal/rollback"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// host is a machine in memory with a journal.
type host struct {
	*systemtest.Mem
	t       *testing.T
	machine *machine.Machine
	dns     func(dnscheck.Expected) dnscheck.Result // nil: below --root
}

func newHost(t *testing.T) *host {
	t.Helper()
	mem := systemtest.NewMem()
	for _, dir := range []state.Path{"/etc/mailsetup", "/etc/opendkim", "/etc/bind/mailsetup", plan.OwnDir, keyring.Dir()} {
		mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	m := machine.New(mem, nil, machine.Options{Command: "rollback", Clock: func() time.Time { return november.AddDate(0, 0, 1) }})
	return &host{Mem: mem, t: t, machine: m}
}

// file is a regular file of root's.
func file(content string) state.Object {
	return state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte(content)}
}

func ledger(keys ...keyring.Key) state.Object { return file(string(keyring.MarshalDomain(keys))) }

func key(selector string, stage keyring.Stage) keyring.Key {
	return keyring.Key{Selector: selector, Bits: 2048, Public: "PUBLIC" + selector, Stage: stage, Since: map[keyring.Stage]time.Time{stage: november}}
}

// change is a run's wish for one path; the zero object removes it.
type change struct {
	path  state.Path
	after state.Object
}

// run applies changes, each in a stage of its own, as the run with the ID.
func (h *host) run(id string, changes ...change) {
	h.t.Helper()
	var p plan.Plan
	now := map[state.Path]state.Object{}
	for _, c := range changes {
		before, seen := now[c.path]
		if !seen {
			before, _ = h.Read(c.path)
		}
		now[c.path] = c.after
		p.Stages = append(p.Stages, plan.StageChanges{Name: string(c.path), Changes: []plan.Change{
			{Op: plan.OpOf(before, c.after), Path: c.path, Before: before, After: c.after},
		}})
	}
	h.apply(id, p)
}

// apply carries a plan out as the run with the ID.
func (h *host) apply(id string, p plan.Plan) {
	h.t.Helper()
	o := apply.Options{ID: id, Command: "of " + id, Now: func() time.Time { return november }}
	if _, err := apply.Run(h.t.Context(), h.Mem, p, h.machine.Journal, o); err != nil {
		h.t.Fatal(err)
	}
}

// make plans the rollback of a run.
func (h *host) make(id string) (rollback.Rollback, error) {
	var look rollback.Checker
	if h.dns != nil {
		look = func(_ context.Context, w dnscheck.Expected) dnscheck.Result { return h.dns(w) }
	}
	return rollback.Make(h.t.Context(), h.machine, id, look)
}

// back takes a run back and returns the plan that did it.
func (h *host) back(id string) rollback.Rollback {
	h.t.Helper()
	r, err := h.make(id)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := r.Apply(h.t.Context(), h.machine); err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *host) content(p state.Path) string {
	o, _ := h.Read(p)
	return string(o.Content)
}

// stages are those of the keys in the ledger of lab.example, by selector.
func (h *host) stages() map[string]keyring.Stage {
	h.t.Helper()
	keys, err := keyring.ParseDomain([]byte(h.content(labLedger)))
	if err != nil {
		h.t.Fatal(err)
	}
	all := map[string]keyring.Stage{}
	for _, k := range keys {
		all[k.Selector] = k.Stage
	}
	return all
}

func (h *host) exists(p state.Path) bool {
	o, _ := h.Read(p)
	return o.Kind != state.Absent
}

func topics(notes []state.Note) string {
	var all []string
	for _, n := range notes {
		all = append(all, n.Topic)
	}
	return strings.Join(all, " ")
}

var labLedger = keyring.File("lab.example")

// What a command did in several runs is taken back at once, by the ID that the
// command printed or without one. A later run can be taken back alone.
func TestWhichRunsAreTakenBack(t *testing.T) {
	for _, tt := range []struct{ id, a, b, command string }{
		{"", "1", "", "of b"},
		{"b", "1", "", "of b"},
		{"b.2", "1", "2", "of b.2"},
	} {
		h := newHost(t)
		h.run("a", change{"/etc/a", file("1")})
		h.run("b", change{"/etc/b", file("2")})
		h.run("b.2", change{"/etc/a", file("3")})
		r := h.back(tt.id)
		if got := [2]string{h.content("/etc/a"), h.content("/etc/b")}; got != [2]string{tt.a, tt.b} || r.Command != tt.command {
			t.Errorf("rollback %q: %q of %q", tt.id, got, r.Command)
		}
		if want := strings.TrimPrefix(r.Command, "of "); r.ID != want {
			t.Errorf("rollback %q calls itself %q, want %q", tt.id, r.ID, want)
		}
	}
}

func TestWhatCannotBeTakenBack(t *testing.T) {
	h := newHost(t)
	if _, err := h.make(""); err == nil || err.Error() != "no run to take back" || !hint.IsUsage(err) {
		t.Errorf("without a run: %v", err)
	}
	h.run("a", change{"/etc/a", file("1")})
	h.run("b", change{"/etc/other", file("1")})
	h.run("c", change{"/etc/a", file("2")})
	h.run("c.2", change{"/etc/a", file("3")})
	_, err := h.make("a")
	if got := strings.Join(hint.Of(err), "|"); got != "what changed the same since goes first:|mailsetup rollback c" || hint.IsUsage(err) {
		t.Errorf("changed by a later run: %v, hints %s", err, got)
	}
	h.PutFile("/etc/other", "by hand")
	if _, err = h.make("b"); err == nil || !slices.Equal(hint.Of(err), []string{"put those files back by hand"}) {
		t.Errorf("changed by hand: %v, hints %q", err, hint.Of(err))
	}
	for id, want := range map[string]string{"x": `no run "x"`, "c": "run c was not completed: there is nothing to take back"} {
		if id == "c" { // as a run that failed and was undone
			h.machine.Journal = undone(h)
		}
		_, err := h.make(id)
		if err == nil || err.Error() != want || !hint.IsUsage(err) || !slices.Equal(hint.Of(err), []string{"mailsetup history lists the runs"}) {
			t.Errorf("rollback %s: %v, hints %q", id, err, hint.Of(err))
		}
	}
}

// undone is a journal whose one run, c, failed and was undone.
func undone(h *host) *apply.Journal {
	dir := plan.OwnDir + "/undone"
	h.PutFile(dir.Join("c", "run.jsonl"), `{"event":"begin","id":"c","time":"2026-01-01T00:00:00Z"}`+"\n"+`{"event":"undone"}`+"\n")
	return apply.NewJournal(h.Mem, dir)
}

// The ledger that the first run made stays with its key, which is gone: nobody may
// meet another key under the same selector.
func TestTheLedgerOfAFirstRunStays(t *testing.T) {
	h := newHost(t)
	h.run("a", change{labLedger, ledger(key("s1", keyring.Publishing))}, change{labLedger, ledger(key("s1", keyring.Active))})
	r := h.back("a")
	if got := h.stages(); len(got) != 1 || got["s1"] != keyring.Gone {
		t.Errorf("%v, want s1 gone", got)
	}
	if !h.exists(keyring.Dir()) || topics(r.Plan.Notes) != "dkim" {
		t.Errorf("notes %q, directory %v", topics(r.Plan.Notes), h.exists(keyring.Dir()))
	}
	keys, _ := keyring.ParseDomain([]byte(h.content(labLedger)))
	if at := keys[0].Since[keyring.Gone]; !at.Equal(november.AddDate(0, 0, 1)) {
		t.Errorf("gone since %v", at)
	}
}

// The directories that a run made go with it, but for those of a ledger that stays.
func TestDirectoriesOfALedgerThatStays(t *testing.T) {
	for _, tt := range []struct {
		name  string
		keys  state.Object
		stays bool
	}{
		{"a key was made", ledger(key("s1", keyring.Active)), true},
		{"no key was made", ledger(), false},
	} {
		h := newHost(t)
		h.Delete(keyring.Dir())
		dir := state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root}
		h.run("a", change{keyring.Dir(), dir}, change{"/etc/opendkim/tables", dir}, change{labLedger, tt.keys})
		h.back("a")
		if h.exists(keyring.Dir()) != tt.stays || h.exists("/etc/opendkim/tables") {
			t.Errorf("%s: the ledger's directory is there: %v; the other: %v", tt.name, h.exists(keyring.Dir()), h.exists("/etc/opendkim/tables"))
		}
	}
}

// Only the keys that the run added are kept as gone. The others are what they
// were before.
func TestKeysThatALaterRunAdded(t *testing.T) {
	h := newHost(t)
	h.Put(labLedger, ledger(key("s1", keyring.Active)))
	h.run("a", change{labLedger, ledger(key("s1", keyring.Active), key("s2", keyring.Publishing))},
		change{labLedger, ledger(key("s1", keyring.Draining), key("s2", keyring.Active))})
	h.back("a")
	if got := h.stages(); len(got) != 2 || got["s1"] != keyring.Active || got["s2"] != keyring.Gone {
		t.Errorf("%v, want s1 active and s2 gone", got)
	}
}

// Where no key gets lost, nothing is added to the ledger and nothing is said.
func TestALedgerWithoutNewKeys(t *testing.T) {
	h := newHost(t)
	h.Put(labLedger, ledger(key("s1", keyring.Publishing)))
	h.run("a", change{labLedger, ledger(key("s1", keyring.Active))})
	r := h.back("a")
	if got := h.stages(); len(got) != 1 || got["s1"] != keyring.Publishing || len(r.Plan.Notes) != 0 {
		t.Errorf("%v, notes %v", got, r.Plan.Notes)
	}
}

// A key that was there before mailsetup goes on signing after the rollback: the
// ledger does not mention it any more.
func TestAdoptedKeysAreForgotten(t *testing.T) {
	adopted := key("s1", keyring.Active)
	adopted.Adopted = true
	h := newHost(t)
	h.run("a", change{labLedger, ledger(adopted)})
	if r := h.back("a"); h.exists(labLedger) || len(r.Plan.Notes) != 0 {
		t.Errorf("%q is left, notes %v", h.content(labLedger), r.Plan.Notes)
	}
}

// Packages stay, and the rollback of the first run says so where mailsetup
// installed Postfix.
func TestPackagesStay(t *testing.T) {
	for _, tt := range []struct {
		name      string
		installed bool
		path      state.Path
		want      string
	}{
		{"the first run", true, spec.HostFile, "packages"},
		{"the first run, on a Postfix that was there", false, spec.HostFile, ""},
		{"another run", true, "/etc/mailsetup/domains.d", ""},
	} {
		h := newHost(t)
		if tt.installed {
			h.PutFile("/var/lib/mailsetup/postfix-as-installed", "a hash\n")
		}
		h.run("a", change{tt.path, file("[host]\n")})
		if r, err := h.make("a"); err != nil || topics(r.Plan.Notes) != tt.want {
			t.Errorf("%s: %v, notes %q, want %q", tt.name, err, topics(r.Plan.Notes), tt.want)
		}
	}
}
