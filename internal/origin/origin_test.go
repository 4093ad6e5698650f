package origin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/apply"
	"mailsetup/internal/origin"
	"mailsetup/internal/plan"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system/systemtest"
)

const mainCf, table state.Path = "/etc/postfix/main.cf", "/etc/opendkim/KeyTable"

// host is a machine in memory with a journal.
type host struct {
	*systemtest.Mem
	t       *testing.T
	journal *apply.Journal
	runs    int
	silent  bool // an earlier build, which remembers nothing
}

func newHost(t *testing.T) *host {
	mem := systemtest.NewMem()
	for _, dir := range []state.Path{"/etc/mailsetup", "/etc/opendkim", "/etc/postfix", "/etc/bind", state.OwnDir} {
		mem.Put(dir, state.Object{Kind: state.Directory, Mode: 0o755, Owner: state.Root})
	}
	return &host{Mem: mem, t: t, journal: apply.NewJournal(mem, state.JournalDir)}
}

func file(content string) state.Object {
	return state.Object{Kind: state.Regular, Mode: 0o640, Owner: state.Root, Content: []byte(content)}
}

// run has a run write paths, given in pairs with their content, "" for none.
func (h *host) run(pairs ...string) {
	h.t.Helper()
	st := plan.StageChanges{Name: "Files"}
	for i := 0; i < len(pairs); i += 2 {
		path, after := state.Path(pairs[i]), state.Object{}
		if pairs[i+1] != "" {
			after = file(pairs[i+1])
		}
		before, err := h.Read(path)
		if err != nil {
			h.t.Fatal(err)
		}
		if op := plan.OpOf(before, after); op != "" {
			st.Changes = append(st.Changes, plan.Change{Op: op, Path: path, Before: before, After: after})
		}
	}
	p := plan.Plan{Stages: []plan.StageChanges{st}}
	if !h.silent {
		if known, err := origin.Remember(h.t.Context(), h.Mem, h.journal, p); err != nil || !known {
			h.t.Fatal(known, err)
		}
	}
	h.runs++
	o := apply.Options{ID: fmt.Sprintf("20261122T1000%02d-aaaa", h.runs), Command: "init", Now: func() time.Time { return time.Unix(int64(h.runs), 0) }}
	if _, err := apply.Run(h.t.Context(), h.Mem, p, h.journal, o); err != nil {
		h.t.Fatal(err)
	}
}

// known tells what is known of a path.
func (h *host) known(path state.Path) string {
	h.t.Helper()
	all, err := origin.Load(h.t.Context(), h.Mem, h.journal)
	if err != nil {
		return err.Error()
	}
	f := all[path]
	if f == nil {
		return "nothing"
	}
	said := strings.TrimSpace(string(f.Before.Kind) + " " + string(f.Before.Content))
	if f.Edited {
		said += ", edited"
	}
	return said
}

func (h *host) want(path state.Path, want string) {
	h.t.Helper()
	if got := h.known(path); got != want {
		h.t.Errorf("of %s is known %q, want %q", path, got, want)
	}
}

func TestOriginOutlivesTheJournal(t *testing.T) {
	h := newHost(t)
	h.Put(mainCf, file("theirs"))
	h.run(string(spec.HostFile), "h", string(mainCf), "ours", string(table), "k1", "/etc/bind/db.x", "z")
	h.run(string(table), "k2", string(mainCf), "ours too")
	if err := h.journal.Prune(1); err != nil {
		t.Fatal(err)
	}
	h.run(string(table), "k3")
	h.want(mainCf, "file theirs")
	h.want(table, "")
	h.want(spec.HostFile, "")
	h.want("/etc/bind/db.x", "nothing") // zones go forward
	if entries, err := h.journal.History(); err != nil || len(entries) != 2 {
		t.Errorf("%d runs, %v", len(entries), err)
	}
}

func TestEditsBetweenRuns(t *testing.T) {
	h := newHost(t)
	h.Put(mainCf, file("theirs"))
	h.run(string(spec.HostFile), "h", string(mainCf), "ours", string(table), "k1")
	h.Put(mainCf, file("ours and theirs"))
	h.Put(table, file("edited"))
	h.run(string(mainCf), "ours anew", string(table), "k2")
	h.want(mainCf, "file theirs, edited")
	h.want(table, "") // it goes whatever it said
}

// What was given back is the administrator's again: the next first run begins anew.
func TestGivenBack(t *testing.T) {
	h := newHost(t)
	h.Put(mainCf, file("theirs"))
	h.run(string(spec.HostFile), "h", string(mainCf), "ours")
	h.run(string(spec.HostFile), "", string(mainCf), "theirs")
	h.run(string(spec.HostFile), "h", string(mainCf), "ours")
	h.want(mainCf, "file theirs")
	h.run(string(spec.HostFile), "", string(mainCf), "theirs")
	h.Put(mainCf, file("theirs later"))
	h.run(string(spec.HostFile), "h", string(mainCf), "ours")
	h.want(mainCf, "file theirs later")
}

// Of the runs of an earlier build the journal tells, as long as it has them all, and no
// run of it goes before that is written down.
func TestEarlierBuilds(t *testing.T) {
	h := newHost(t)
	h.Put(mainCf, file("theirs"))
	h.silent = true
	h.run(string(spec.HostFile), "h", string(mainCf), "ours", string(table), "k1")
	h.run(string(mainCf), "ours too")
	h.want(mainCf, "file theirs")
	h.silent = false
	h.run(string(table), "k2")
	if err := h.journal.Prune(1); err != nil {
		t.Fatal(err)
	}
	h.want(mainCf, "file theirs")
	h.want(table, "")

	h = newHost(t)
	h.silent = true
	h.run(string(spec.HostFile), "h", string(table), "k1")
	h.run(string(table), "k2")
	if err := h.journal.Prune(1); err != nil {
		t.Fatal(err)
	}
	h.want(table, "the journal no longer has the first run of mailsetup")
	known, err := origin.Remember(t.Context(), h.Mem, h.journal, plan.Plan{})
	if known || err != nil {
		t.Errorf("known %v, %v", known, err)
	}
}

// A long content is written once, and runs that change its file again do not read it.
func TestLongContents(t *testing.T) {
	h := newHost(t)
	long := strings.Repeat("zone \"x.example\" { };\n", 1000)
	h.Put(mainCf, file(long))
	h.ClearTrace()
	h.run(string(spec.HostFile), "h", string(mainCf), long+"ours")
	aside := state.OriginDir.Join(plan.Hash([]byte(long)))
	put := func(p state.Path) int {
		return slices.IndexFunc(h.Trace(), func(step string) bool {
			return strings.HasPrefix(step, "rename ") && strings.HasSuffix(step, string(p))
		})
	}
	if content, name := put(aside), put(state.OriginDir.Join("%2Fetc%2Fpostfix%2Fmain.cf.json")); content < 0 || name < content {
		t.Errorf("the content is put in place as step %d, and named in %d", content, name)
	}
	h.ClearTrace()
	h.run(string(mainCf), long+"ours too")
	for _, step := range h.Trace() {
		if hash := plan.Hash([]byte(long)); strings.Contains(step, hash) {
			t.Errorf("written again: %s", step)
		}
	}
	h.want(mainCf, "file "+strings.TrimSpace(long))
	o, _ := h.Read(aside)
	h.PutFile(aside, "damaged")
	h.want(mainCf, string(aside)+" is damaged")
	h.Put(aside, o)
	h.Put(mainCf, file(long+"ours too, edited"))
	h.run(string(mainCf), long+"ours at last")
	h.want(mainCf, "file "+strings.TrimSpace(long)+", edited")
	h.run(string(spec.HostFile), "", string(mainCf), long)
	h.Put(mainCf, file("short"))
	h.run(string(spec.HostFile), "h", string(mainCf), "ours")
	h.want(mainCf, "file short")
	if o, _ := h.Read(aside); o.Kind != state.Absent {
		t.Error("a content that is of no use is left")
	}
}
