package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// stamped is a machine that tells whether files of domains may have changed, and
// counts how many were read.
type stamped struct {
	*systemtest.Mem
	stamps map[state.Path]system.Stamp

	reads, zoneReads atomic.Int64
}

func (m *stamped) Stamp(p state.Path) (system.Stamp, bool) {
	s, ok := m.stamps[p]
	return s, ok
}

func (m *stamped) Read(p state.Path) (state.Object, error) {
	if strings.HasSuffix(string(p), ".example.toml") || strings.HasSuffix(string(p), ".example.json") {
		m.reads.Add(1)
	}
	if p.Dir() == "/etc/bind" {
		m.zoneReads.Add(1)
	}
	return m.Mem.Read(p)
}

// put writes a file, with a stamp of its own for each version.
func (m *stamped) put(p state.Path, content []byte, version int) {
	mode := state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: content}
	if strings.HasSuffix(string(p), ".json") {
		mode.Mode = 0o600
	}
	m.Put(p, mode)
	m.stamps[p] = system.Stamp{Inode: uint64(len(p)), Size: int64(len(content)), Modified: -1, Changed: int64(version)}
}

// shops is a server with n domains and their keys.
func shops(t *testing.T, n int) (*stamped, spec.Spec) {
	t.Helper()
	m := &stamped{Mem: machineWithOwnFiles(), stamps: map[state.Path]system.Stamp{}}
	want := labSpec(t)
	for i := range n - 1 {
		d := want.Domains[0]
		d.Name, d.SPF.Include = fmt.Sprintf("shop%03d.example", i), []string{"_spf.example.net"}
		want.Domains = append(want.Domains, d)
	}
	m.PutFile(spec.HostFile, string(spec.MarshalHost(want.Host)))
	for _, d := range want.Domains {
		m.put(spec.DomainFile(d.Name), spec.MarshalDomain(d), 1)
		m.put(keyring.File(d.Name), keyring.MarshalDomain([]keyring.Key{{
			Selector: "202611", Bits: 1024, Public: "MIIB", Fingerprint: "SHA256:x", File: "/etc/dkimkeys/x", Stage: keyring.Staged,
			Since: map[keyring.Stage]time.Time{keyring.Staged: november},
		}}), 1)
	}
	return m, want
}

// load reads everything as the beginning of a run does, and returns how many files
// of domains it opened.
func (m *stamped) load(t *testing.T) (spec.Spec, keyring.Ledger, int) {
	t.Helper()
	m.reads.Store(0)
	s := store.New(m).WithCache(func(err error) { t.Error(err) })
	keys, onDiskKeys, err := s.LoadLedger()
	if err != nil {
		t.Fatal(err)
	}
	sp, onDisk, err := s.LoadSpec()
	if err != nil {
		t.Fatal(err)
	}
	if len(onDisk) != len(sp.Domains) || len(onDiskKeys) != len(keys) {
		t.Errorf("%d of %d domains and %d of %d ledgers have the right mode", len(onDisk), len(sp.Domains), len(onDiskKeys), len(keys))
	}
	return *sp, keys, int(m.reads.Load())
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s differ:\n%.300s\nwant\n%.300s", what, g, w)
	}
}

func TestFilesThatAreTheSameAreNotReadAgain(t *testing.T) {
	m, _ := shops(t, 300)
	first, keys, read := m.load(t)
	if read != 600 {
		t.Errorf("the first run read %d files", read)
	}
	for _, p := range []state.Path{"/var/lib/mailsetup/cache/domains", "/var/lib/mailsetup/cache/ledgers"} {
		if o, err := m.Read(p); err != nil || o.Mode != 0o600 || o.Owner != state.Root {
			t.Errorf("%s: %+v, %v", p, o, err)
		}
	}
	second, keysAgain, read := m.load(t)
	if read != 0 {
		t.Errorf("the second run read %d files", read)
	}
	same(t, "the domains", second, first)
	same(t, "the keys", keysAgain, keys)
	if len(second.Domains) != 300 || second.Domains[5].SPF.Include[0] != "_spf.example.net" {
		t.Errorf("%d domains, %+v", len(second.Domains), second.Domains[5])
	}
}

func TestWhatChangedIsReadAgain(t *testing.T) {
	for name, change := range map[string]func(m *stamped, p state.Path, text []byte){
		"its stamp":                func(m *stamped, p state.Path, text []byte) { m.put(p, text, 2) },
		"it has no stamp any more": func(m *stamped, p state.Path, text []byte) { m.put(p, text, 1); delete(m.stamps, p) },
	} {
		m, want := shops(t, 300)
		m.load(t)
		edited := strings.Replace(string(spec.MarshalDomain(want.Domains[4])), `all = "softfail"`, `all = "fail"`, 1)
		change(m, spec.DomainFile(want.Domains[4].Name), []byte(edited))
		fresh := want.Domains[4]
		fresh.Name = "shop003a.example"
		m.put(spec.DomainFile(fresh.Name), spec.MarshalDomain(fresh), 1)
		if err := m.Remove(spec.DomainFile("shop010.example")); err != nil {
			t.Fatal(err)
		}
		sp, _, read := m.load(t)
		if read != 2 || len(sp.Domains) != 300 {
			t.Errorf("%s: read %d files of %d domains", name, read, len(sp.Domains))
		}
		if d := sp.Domains[4]; d.Name != "shop003.example" || d.SPF.All != "fail" {
			t.Errorf("%s: %s says %q", name, d.Name, d.SPF.All)
		}
		if d := sp.Domains[5]; d.Name != "shop003a.example" || sp.Has("shop010.example") {
			t.Errorf("%s: %s, or a domain that is gone", name, d.Name)
		}
	}
}

// Two changes within a tick of the file system's clock leave the same stamp.
func TestWhatChangedJustNowIsNotCached(t *testing.T) {
	m, want := shops(t, 300)
	p := spec.DomainFile(want.Domains[4].Name)
	st := m.stamps[p]
	st.Changed = time.Now().UnixNano()
	m.stamps[p] = st
	m.load(t)
	edited := strings.Replace(string(spec.MarshalDomain(want.Domains[4])), `all = "softfail"`, `all = "fail"`, 1)
	o, _ := m.Mem.Read(p)
	o.Content = []byte(edited)
	m.Put(p, o)
	if sp, _, read := m.load(t); read != 1 || sp.Domains[4].SPF.All != "fail" {
		t.Errorf("read %d files; it says %q", read, sp.Domains[4].SPF.All)
	}
}

// A cache is no more than that: one that is damaged costs time only.
func TestADamagedCache(t *testing.T) {
	const file = "/var/lib/mailsetup/cache/domains"
	for name, damage := range map[string]func(text []byte) []byte{
		"cut": func(text []byte) []byte { return text[:len(text)-3] },
		"no number": func(text []byte) []byte {
			return bytes.Replace(text, []byte("shop001.example "), []byte("shop001.example z"), 1)
		},
		"too long": func(text []byte) []byte {
			return bytes.Replace(text, []byte(" root root "), []byte(" root root 9999999"), 1)
		},
		"other": func([]byte) []byte { return []byte("\x00\n\n junk") },
		"none":  func([]byte) []byte { return nil },
	} {
		m, _ := shops(t, 300)
		want, _, _ := m.load(t)
		o, err := m.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		o.Content = damage(bytes.Clone(o.Content))
		m.Put(file, o)
		got, _, read := m.load(t)
		if read == 0 {
			t.Errorf("%s: read no file", name)
		}
		same(t, name+": the domains", got, want)
	}
}

func TestTheCacheIsNotWritten(t *testing.T) {
	ignore := func(err error) { t.Error(err) }
	for _, tt := range []struct {
		name    string
		domains int
		change  func(m *stamped)
		open    func(m *stamped) store.Store
	}{
		{"few files", 100, nil, func(m *stamped) store.Store { return store.New(m).WithCache(ignore) }},
		{"a dry run", 300, nil, func(m *stamped) store.Store { return store.New(m).WithCache(nil) }},
		{"later in a run", 300, nil, func(m *stamped) store.Store { return store.New(m) }},
		{"a system without stamps", 300, nil, func(m *stamped) store.Store { return store.New(m.Mem).WithCache(ignore) }},
		{"nothing was ever set up", 300, func(m *stamped) {
			for p := range m.Files() {
				if strings.HasPrefix(string(p), "/var/lib/mailsetup") {
					m.Delete(p)
				}
			}
		}, func(m *stamped) store.Store { return store.New(m).WithCache(ignore) }},
	} {
		m, _ := shops(t, tt.domains)
		if tt.change != nil {
			tt.change(m)
		}
		s := tt.open(m)
		if _, _, err := s.LoadLedger(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.LoadSpec(); err != nil {
			t.Fatal(err)
		}
		if o, err := m.Mem.Read("/var/lib/mailsetup/cache"); err != nil || o.Kind != state.Absent {
			t.Errorf("%s: %+v, %v", tt.name, o, err)
		}
	}
}

func TestLaterInARunAllFilesAreRead(t *testing.T) {
	m, _ := shops(t, 300)
	m.load(t)
	m.reads.Store(0)
	if _, _, err := store.New(m).LoadLedger(); err != nil || m.reads.Load() != 300 {
		t.Errorf("read %d files, %v", m.reads.Load(), err)
	}
}

// fullCache is a disk without room for another file.
type fullCache struct{ *stamped }

func (fullCache) Create(state.Path, state.Object) error { return errFull }

func TestACacheThatCannotBeWrittenIsNoError(t *testing.T) {
	m, _ := shops(t, 300)
	var failed []error
	s := store.New(fullCache{m}).WithCache(func(err error) { failed = append(failed, err) })
	all, _, err := s.LoadLedger()
	if err != nil || len(all) != 300 {
		t.Errorf("%d ledgers, %v", len(all), err)
	}
	if len(failed) != 1 || !errors.Is(failed[0], errFull) {
		t.Errorf("told of %v", failed)
	}
}
