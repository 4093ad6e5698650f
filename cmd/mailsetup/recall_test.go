package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mailsetup/internal/keyring"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/system"
	"mailsetup/internal/system/systemtest"
)

// stamped is a machine whose files have stamps.
type stamped struct {
	*systemtest.Mem
	stamps map[state.Path]system.Stamp
	reads  atomic.Int32 // of files that have a domain's name
}

func (m *stamped) Read(p state.Path) (state.Object, error) {
	if strings.Contains(string(p), ".example.") {
		m.reads.Add(1)
	}
	return m.Mem.Read(p)
}

func (m *stamped) Stamp(p state.Path) (system.Stamp, bool) {
	s, ok := m.stamps[p]
	return s, ok
}

const recallDir state.Path = "/etc/mailsetup/domains.d"

// recallSession is a run on a server that has n files, all of which are old.
func recallSession(t *testing.T, n int) (*session, *stamped) {
	t.Helper()
	s, mem, _, _ := bareSession(t)
	m := &stamped{Mem: mem, stamps: map[state.Path]system.Stamp{}}
	mem.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	for i := range n {
		p := recallDir.Join(fmt.Sprintf("d%04d.example.toml", i))
		mem.Put(p, state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: fmt.Appendf(nil, "text %d\n", i)})
		m.stamps[p] = system.Stamp{Inode: uint64(i), Size: 6, Modified: -1, Changed: 1 << 40}
	}
	s.Sys = m
	return s, m
}

// recollect reads the files as a run does that ends well, and returns how many
// it had to read.
func recollect(t *testing.T, s *session) (fresh int, files []recalled) {
	t.Helper()
	s.recalls = nil
	r, err := s.recallFiles(recallDir, ".toml")
	if err != nil {
		t.Fatal(err)
	}
	s.remembered()
	return r.fresh, r.files
}

func TestFilesThatAreTheSameAreNotReadAgain(t *testing.T) {
	s, m := recallSession(t, 300)
	if fresh, _ := recollect(t, s); fresh != 300 {
		t.Errorf("the first run read %d files", fresh)
	}
	o, err := m.Read("/var/lib/mailsetup/read.toml")
	if err != nil || o.Mode != 0o600 || o.Owner != state.Root {
		t.Errorf("the memory: %+v, %v", o, err)
	}
	fresh, files := recollect(t, s)
	if fresh != 0 || len(files) != 300 {
		t.Fatalf("the second run read %d of %d files", fresh, len(files))
	}
	for i, f := range files {
		want := fmt.Sprintf("text %d\n", i)
		if string(f.Content) != want || f.Mode != 0o644 || f.Owner != state.Root || f.Kind != state.Regular || f.domain != fmt.Sprintf("d%04d.example", i) {
			t.Fatalf("%+v, want %s", f, want)
		}
	}
}

func TestWhatChangedIsReadAgain(t *testing.T) {
	for name, change := range map[string]func(m *stamped, p state.Path){
		"its stamp": func(m *stamped, p state.Path) {
			m.stamps[p] = system.Stamp{Inode: 7, Size: 6, Modified: -1, Changed: 1<<40 + 1}
		},
		"it has no stamp any more": func(m *stamped, p state.Path) { delete(m.stamps, p) },
	} {
		s, m := recallSession(t, 300)
		recollect(t, s)
		p := recallDir.Join("d0007.example.toml")
		m.Put(p, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: []byte("edited\n")})
		change(m, p)
		m.PutFile(recallDir.Join("d0007a.example.toml"), "new\n")
		if err := m.Remove(recallDir.Join("d0009.example.toml")); err != nil {
			t.Fatal(err)
		}
		fresh, files := recollect(t, s)
		if fresh != 2 || len(files) != 300 {
			t.Errorf("%s: read %d of %d files", name, fresh, len(files))
		}
		if got := string(files[7].Content) + string(files[8].Content); got != "edited\nnew\n" || files[7].Mode != 0o600 {
			t.Errorf("%s: %q, mode %o", name, got, files[7].Mode)
		}
		if files[10].domain != "d0010.example" || string(files[10].Content) != "text 10\n" {
			t.Errorf("%s: %+v", name, files[10])
		}
	}
}

// Two changes within a tick of the file system's clock leave the same stamp.
func TestWhatChangedJustNowIsNotRemembered(t *testing.T) {
	s, m := recallSession(t, 300)
	p := recallDir.Join("d0007.example.toml")
	st := m.stamps[p]
	st.Changed = time.Now().UnixNano()
	m.stamps[p] = st
	recollect(t, s)
	m.PutFile(p, "edited\n")
	if fresh, files := recollect(t, s); fresh != 1 || string(files[7].Content) != "edited\n" {
		t.Errorf("read %d files; %q", fresh, files[7].Content)
	}
}

// A memory is no more than that: one that is damaged costs time only.
func TestADamagedMemory(t *testing.T) {
	for name, damage := range map[string]func(text []byte) []byte{
		"cut": func(text []byte) []byte { return text[:len(text)-3] },
		"no number": func(text []byte) []byte {
			return bytes.Replace(text, []byte("d0001.example "), []byte("d0001.example z"), 1)
		},
		"too long": func(text []byte) []byte {
			return bytes.Replace(text, []byte(" root root 8\n"), []byte(" root root 99999999\n"), 1)
		},
		"other": func([]byte) []byte { return []byte("\x00\n\n junk") },
		"none":  func([]byte) []byte { return nil },
	} {
		s, m := recallSession(t, 300)
		recollect(t, s)
		o, err := m.Read("/var/lib/mailsetup/read.toml")
		if err != nil {
			t.Fatal(err)
		}
		o.Content = damage(bytes.Clone(o.Content))
		m.Put("/var/lib/mailsetup/read.toml", o)
		fresh, files := recollect(t, s)
		if fresh == 0 || len(files) != 300 {
			t.Errorf("%s: read %d of %d files", name, fresh, len(files))
		}
		for i, f := range files {
			if want := fmt.Sprintf("text %d\n", i); string(f.Content) != want {
				t.Fatalf("%s: %q, want %s", name, f.Content, want)
			}
		}
	}
}

func TestFewFilesNeedNoMemory(t *testing.T) {
	s, m := recallSession(t, 100)
	recollect(t, s)
	if o, err := m.Read("/var/lib/mailsetup/read.toml"); err != nil || o.Kind != state.Absent {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestADryRunRemembersNothing(t *testing.T) {
	s, m := recallSession(t, 300)
	s.o.dryRun = true
	recollect(t, s)
	if o, err := m.Read("/var/lib/mailsetup/read.toml"); err != nil || o.Kind != state.Absent {
		t.Errorf("%+v, %v", o, err)
	}
}

// A run that takes domains from the memory knows the same of them, and adopts an
// edit.
func TestASpecFromMemory(t *testing.T) {
	s, mem, _, want := bareSession(t)
	m := &stamped{Mem: mem, stamps: map[state.Path]system.Stamp{}}
	s.Sys = m
	mem.Put("/var/lib/mailsetup", state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root})
	put := func(p state.Path, mode uint32, text []byte, n int) {
		mem.Put(p, state.Object{Kind: state.Regular, Mode: 0o600, Owner: state.Root, Content: text})
		m.stamps[p] = system.Stamp{Inode: uint64(n), Size: int64(len(text)), Changed: int64(mode)}
	}
	put(spec.HostFile, 1, spec.MarshalHost(want.Host), 1)
	want.Domains = want.Domains[:1]
	for i := range 300 {
		d := want.Domains[0]
		d.Name, d.SPF.Include = fmt.Sprintf("shop%03d.example", i), []string{"_spf.example.net"}
		want.Domains = append(want.Domains, d)
	}
	for i, d := range want.Domains {
		put(spec.DomainFile(d.Name), 1, spec.MarshalDomain(d), i)
		put(keyring.File(d.Name), 1, keyring.MarshalDomain([]keyring.Key{{
			Selector: "202611", Bits: 1024, Public: "MIIB", Fingerprint: "SHA256:x", File: "/etc/dkimkeys/x", Stage: keyring.Staged,
			Since: map[keyring.Stage]time.Time{keyring.Staged: s.Now},
		}}), i)
	}
	run := func() (spec.Spec, int) {
		t.Helper()
		m.reads.Store(0)
		s.recalls = nil
		if err := s.remember(); err != nil {
			t.Fatal(err)
		}
		sp, err := s.storedSpec()
		if err != nil {
			t.Fatal(err)
		}
		s.remembered()
		return *sp, int(m.reads.Load())
	}
	first, read := run()
	keys := s.keys
	second, again := run()
	if read != 602 || again != 0 {
		t.Errorf("read %d files, then %d", read, again)
	}
	if fmt.Sprintf("%+v", first) != fmt.Sprintf("%+v", second) || len(second.Domains) != 301 || second.Domains[5].SPF.Include[0] != "_spf.example.net" {
		t.Errorf("the domains differ")
	}
	if fmt.Sprintf("%+v", keys) != fmt.Sprintf("%+v", s.keys) || len(s.keys) != 301 {
		t.Errorf("the keys differ")
	}
	edited := strings.Replace(string(spec.MarshalDomain(want.Domains[4])), `all = "softfail"`, `all = "fail"`, 1)
	put(spec.DomainFile(want.Domains[4].Name), 2, []byte(edited), 4)
	third, read := run()
	if i := 3; read != 1 || third.Domains[i+1].SPF.All != "fail" && third.Domains[i].SPF.All != "fail" {
		t.Errorf("read %d files after the edit", read)
	}
}

// Later in a run the files are mostly what the run wrote: all are read, and
// nothing of that is remembered.
func TestALaterLookReadsAll(t *testing.T) {
	s, m := recallSession(t, 300)
	recollect(t, s)
	s.recalls = nil
	for range 2 {
		if _, err := s.recallFiles(recallDir, ".toml"); err != nil {
			t.Fatal(err)
		}
	}
	if n := m.reads.Load(); n != 600 { // 300 by the run before
		t.Errorf("read %d files", n)
	}
	for path, r := range s.recalls {
		if r != nil {
			t.Errorf("%s is still held", path)
		}
	}
}
