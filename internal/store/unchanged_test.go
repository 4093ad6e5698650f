package store_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"

	"mailsetup/steps/step"
)

// hosting is a server that was set up for some domains, of which the last is in a
// zone of its BIND.
type hosting struct {
	t     *testing.T
	mem   *stamped
	want  spec.Spec
	keys  keyring.Ledger
	facts state.Facts
}

// newHosting is one on which a run found all of n domains in order.
func newHosting(t *testing.T, n int) *hosting {
	t.Helper()
	h := &hosting{t: t, mem: &stamped{Mem: machineWithOwnFiles(), stamps: map[state.Path]system.Stamp{}}, want: labSpec(t), keys: keyring.Ledger{}}
	for i := range n - 1 {
		d := h.want.Domains[0]
		d.Name = fmt.Sprintf("shop%02d.example", i)
		h.want.Domains = append(h.want.Domains, d)
	}
	h.want.Domains[n-1].DNS = spec.DNSBind
	for _, d := range h.want.Domains {
		h.keys[d.Name] = []keyring.Key{{Selector: "202611", Public: "MIIB", Stage: keyring.Active}}
	}
	h.mem.PutFile("/etc/bind/db.shop", "; a zone")
	h.facts.Zones = []state.Zone{{Origin: h.want.Domains[n-1].Name + ".", Kind: "primary", File: "/etc/bind/db.shop"}}
	h.save(step.Scope{})
	return h
}

// save ends a run about some domains well.
func (h *hosting) save(about step.Scope) {
	h.t.Helper()
	err := store.New(h.mem).SaveFingerprints(step.Input{Spec: h.want, Facts: h.facts, Ledger: h.keys, Scope: about, Now: november}, nil)
	if err != nil {
		h.t.Fatal(err)
	}
}

// knows is what a run begins with.
func (h *hosting) knows() *store.Fingerprints {
	h.t.Helper()
	known, err := store.New(h.mem).LoadFingerprints()
	if err != nil {
		h.t.Fatal(err)
	}
	return known
}

// changed are the domains that the next run looks at again.
func (h *hosting) changed() []string {
	h.t.Helper()
	unchanged, err := store.New(h.mem).Unchanged(h.want, h.keys, h.knows(), store.Earlier{})
	if err != nil {
		h.t.Fatal(err)
	}
	if unchanged["lab.example"] {
		h.t.Error("the host's own domain is left out")
	}
	var names []string
	for _, d := range h.want.Domains {
		if d.Name != "lab.example" && !unchanged[d.Name] {
			names = append(names, d.Name)
		}
	}
	return names
}

func (h *hosting) edit(p state.Path) { h.mem.PutFile(p, "; edited") }

func TestOnlyWhatChangedIsLookedAtAgain(t *testing.T) {
	key := func(selector, public string, stage keyring.Stage) []keyring.Key {
		return []keyring.Key{{Selector: selector, Public: public, Stage: stage}}
	}
	for _, tt := range []struct {
		name   string
		change func(h *hosting)
		again  []string
	}{
		{"nothing", func(*hosting) {}, nil},
		{"its file", func(h *hosting) { h.want.Domains[5].SPF.All = "fail" }, []string{"shop04.example"}},
		{"whom it signs for", func(h *hosting) { h.want.Domains[5].Also = []string{"example.net"} }, []string{"shop04.example"}},
		{"its key", func(h *hosting) { h.keys["shop04.example"] = key("202612", "MIIC", keyring.Active) }, []string{"shop04.example"}},
		{"the stage of its key", func(h *hosting) { h.keys["shop04.example"] = key("202611", "MIIB", keyring.Draining) }, []string{"shop04.example"}},
		{"a key that nobody has seen yet", func(h *hosting) { h.keys["shop04.example"] = key("202611", "MIIB", keyring.Published) }, []string{"shop04.example"}},
		{"its zone", func(h *hosting) { h.edit("/etc/bind/db.shop") }, []string{"shop28.example"}},
		{"our records in its zone", func(h *hosting) { h.edit("/etc/bind/mailsetup/shop28.example.zone") }, []string{"shop28.example"}},
		{"its zone is gone", func(h *hosting) { h.mem.Delete("/etc/bind/db.shop") }, []string{"shop28.example"}},
		{"a line of the memory is damaged", func(h *hosting) {
			o, _ := h.mem.Read(state.UnchangedFile)
			h.mem.PutFile(state.UnchangedFile, string(o.Content[:len(o.Content)-3]))
		}, []string{"shop28.example"}},
		{"a line of the memory is cut within a pair", func(h *hosting) {
			o, _ := h.mem.Read(state.UnchangedFile)
			i := strings.LastIndexByte(string(o.Content), '\t')
			h.mem.PutFile(state.UnchangedFile, string(o.Content[:i])+"\n")
		}, []string{"shop28.example"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHosting(t, 30)
			tt.change(h)
			if got := h.changed(); !slices.Equal(got, tt.again) {
				t.Errorf("looks at %v again, want %v", got, tt.again)
			}
		})
	}
}

func TestAllAreLookedAtAgain(t *testing.T) {
	for _, tt := range []struct {
		name    string
		domains int
		change  func(h *hosting)
	}{
		{"few", 20, func(*hosting) {}},
		{"another address of the host", 30, func(h *hosting) {
			h.want.Host.Addresses = append(h.want.Host.Addresses, netip.MustParseAddr("192.0.2.11"))
		}},
		{"another way to publish", 30, func(h *hosting) {
			h.want.Host.DNS = spec.DNSUpdate
			for i := range h.want.Domains {
				h.want.Domains[i].DNS = ""
			}
		}},
		{"no memory", 30, func(h *hosting) { h.mem.Delete(state.UnchangedFile) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHosting(t, tt.domains)
			tt.change(h)
			if got := h.changed(); len(got) != tt.domains-1 {
				t.Errorf("looks at %d of %d again: %v", len(got), tt.domains-1, got)
			}
		})
	}
}

// What a name server was told by updates is in a file, which a rollback writes
// back: then the domain is no longer what the digest says.
func TestAnUpdateTakenBackIsLookedAtAgain(t *testing.T) {
	h := newHosting(t, 30)
	h.want.Domains[5].DNS = spec.DNSUpdate
	h.facts.Updated = []state.Zone{{Origin: "shop04.example."}}
	h.mem.PutFile(state.PublishedFile("shop04.example."), "new")
	h.save(step.Scope{})
	if got := h.changed(); len(got) != 0 {
		t.Errorf("looks at %v again", got)
	}
	h.mem.PutFile(state.PublishedFile("shop04.example."), "old")
	if got := h.changed(); !slices.Equal(got, []string{"shop04.example"}) {
		t.Errorf("looks at %v again", got)
	}
}

// A run about one domain neither looks at the others nor forgets them.
func TestARunAboutOneDomainRemembersTheOthers(t *testing.T) {
	h := newHosting(t, 30)
	before, _ := h.mem.Read(state.UnchangedFile)
	h.want.Domains[5].SPF.All = "fail"
	h.want.Domains[6].SPF.All = "fail"
	h.save(step.Only("shop04.example"))
	if got := h.changed(); !slices.Equal(got, []string{"shop05.example"}) {
		t.Errorf("looks at %v again", got)
	}
	h.want = h.want.Without("shop04.example")
	h.save(step.Only("shop04.example"))
	if after, _ := h.mem.Read(state.UnchangedFile); len(after.Content) >= len(before.Content) {
		t.Error("a removed domain is remembered")
	}
}

// Who finds nothing to remember anew does not write: a run with nothing to do
// changes no file.
func TestFingerprintsThatAreTheSameAreNotWritten(t *testing.T) {
	h := newHosting(t, 30)
	h.mem.ClearTrace()
	h.save(step.Scope{})
	if trace := h.mem.Trace(); len(trace) != 0 {
		t.Errorf("did %q", trace)
	}
}

// A path with a tab or a line feed would be read as something else: its domain is
// looked at each time.
func TestAPathThatTheFileCannotHold(t *testing.T) {
	h := newHosting(t, 30)
	h.facts.Zones[0].File = "/etc/bind/db\tshop"
	h.save(step.Scope{})
	if got := h.changed(); !slices.Equal(got, []string{"shop28.example"}) {
		t.Errorf("looks at %v again", got)
	}
}

// Files that have the stamp that they had are not read.
func TestAFileWithItsStampIsNotReadAgain(t *testing.T) {
	const zone state.Path = "/etc/bind/db.shop"
	for _, tt := range []struct {
		name   string
		change func(m *stamped)
		again  []string
		reads  int
	}{
		{"nothing", func(*stamped) {}, nil, 0},
		{"other text, with the size and the time that it had", func(m *stamped) { m.put(zone, []byte("; b zone"), 2) }, []string{"shop28.example"}, 1},
		{"written again as it was", func(m *stamped) { m.put(zone, []byte("; a zone"), 2) }, nil, 1},
		{"no longer a file with a stamp", func(m *stamped) { delete(m.stamps, zone) }, nil, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHosting(t, 30)
			h.mem.put(zone, []byte("; a zone"), 1)
			h.mem.put("/etc/bind/mailsetup/shop28.example.zone", []byte("; ours"), 1)
			h.save(step.Scope{})
			tt.change(h.mem)
			h.mem.zoneReads.Store(0)
			if got := h.changed(); !slices.Equal(got, tt.again) || int(h.mem.zoneReads.Load()) != tt.reads {
				t.Errorf("looks at %v again after %d reads, want %v after %d", got, h.mem.zoneReads.Load(), tt.again, tt.reads)
			}
		})
	}
}

// The stamp of a file that was read again is remembered by the end of the run.
func TestAFileThatWasReadAgainHasItsNewStamp(t *testing.T) {
	const zone state.Path = "/etc/bind/db.shop"
	h := newHosting(t, 30)
	for _, version := range []int{1, 2} {
		h.mem.put(zone, []byte("; a zone"), version)
		h.mem.put("/etc/bind/mailsetup/shop28.example.zone", nil, version)
		known := h.knows()
		unchanged, err := store.New(h.mem).Unchanged(h.want, h.keys, known, store.Earlier{})
		if err != nil {
			t.Fatal(err)
		}
		err = store.New(h.mem).SaveFingerprints(step.Input{Spec: h.want, Facts: h.facts, Ledger: h.keys, Scope: step.Scope{}.Skip(unchanged), Now: november}, known)
		if err != nil {
			t.Fatal(err)
		}
		h.mem.zoneReads.Store(0)
		if got := h.changed(); len(got) != 0 || h.mem.zoneReads.Load() != 0 {
			t.Errorf("version %d: looks at %v again after %d reads", version, got, h.mem.zoneReads.Load())
		}
	}
}

// A file that changed a moment before it was read may change once more within the tick of
// the clock, so its content is compared each time.
func TestAFileThatWasYoungIsReadAgain(t *testing.T) {
	const zone state.Path = "/etc/bind/db.shop"
	h := newHosting(t, 30)
	h.mem.put(zone, []byte("; a zone"), int(time.Now().UnixNano()))
	young := h.mem.stamps[zone]
	h.save(step.Scope{})
	h.mem.put(zone, []byte("; b zone"), 0)
	h.mem.stamps[zone] = young
	if got := h.changed(); !slices.Equal(got, []string{"shop28.example"}) {
		t.Errorf("looks at %v again", got)
	}
}

// An edit by hand is found on a disk, though the size and the time of the file are put
// back.
func TestAnEditThatPutsTheTimeBackIsFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "db.shop")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("; a zone")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	h := newHosting(t, 30)
	h.facts.Zones[0].File = state.Path(file)
	disk := onDisk{h.mem, system.NewHost(system.Options{}), time.Hour}
	if err := store.New(disk).SaveFingerprints(step.Input{Spec: h.want, Facts: h.facts, Ledger: h.keys, Now: november}, nil); err != nil {
		t.Fatal(err)
	}
	changed := func() bool {
		unchanged, err := store.New(disk).Unchanged(h.want, h.keys, h.knows(), store.Earlier{})
		if err != nil {
			t.Fatal(err)
		}
		return !unchanged["shop28.example"]
	}
	if changed() {
		t.Error("changed before it was edited")
	}
	time.Sleep(20 * time.Millisecond) // of which the clock of any file system tells
	write("; b zone")
	if err := os.Chtimes(file, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}
	if !changed() {
		t.Error("the edit is not found")
	}
}

// onDisk is a machine of which the files of a test are on a disk, and older than they are.
type onDisk struct {
	*stamped
	host *system.Host
	age  time.Duration
}

func (m onDisk) ours(p state.Path) bool { return strings.HasPrefix(string(p), os.TempDir()) }

func (m onDisk) Read(p state.Path) (state.Object, error) {
	if m.ours(p) {
		return m.host.Read(p)
	}
	return m.stamped.Read(p)
}

func (m onDisk) Stamp(p state.Path) (system.Stamp, bool) {
	if !m.ours(p) {
		return m.stamped.Stamp(p)
	}
	s, ok := m.host.Stamp(p)
	s.Changed -= int64(m.age)
	return s, ok
}
