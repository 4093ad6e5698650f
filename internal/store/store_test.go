package store_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"mailsetup/internal/hint"
	"mailsetup/internal/keyring"
	"mailsetup/internal/plan"
	"mailsetup/internal/recordwatch"
	"mailsetup/internal/spec"
	"mailsetup/internal/state"
	"mailsetup/internal/store"
	"mailsetup/internal/system/systemtest"
)

var november = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

var privateDir = state.Object{Kind: state.Directory, Mode: 0o700, Owner: state.Root}

// machineWithOwnFiles is a machine that some run has changed.
func machineWithOwnFiles() *systemtest.Mem {
	mem := systemtest.NewMem()
	mem.Put("/var/lib/mailsetup", privateDir)
	return mem
}

// labSpec is the wish for the first domain of a server.
func labSpec(t *testing.T) spec.Spec {
	t.Helper()
	sp, findings := spec.Answers{
		Domain: "lab.example", Hostname: "mail.lab.example", Addresses: []string{"192.0.2.10"},
	}.Spec(nil, november)
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	return sp
}

// putSpec writes a spec as a run does.
func putSpec(mem *systemtest.Mem, sp spec.Spec) {
	text := func(p state.Path, content []byte) {
		mem.Put(p, state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: content})
	}
	text(spec.HostFile, spec.MarshalHost(sp.Host))
	for _, d := range sp.Domains {
		text(spec.DomainFile(d.Name), spec.MarshalDomain(d))
	}
}

// full is a disk that has room for some files only, and renames some.
type full struct {
	*systemtest.Mem
	creates, renames int
}

var errFull = errors.New("no space left on device")

func (f *full) Create(p state.Path, o state.Object) error {
	if f.creates--; f.creates < 0 {
		return errFull
	}
	return f.Mem.Create(p, o)
}

func (f *full) Rename(from, to state.Path) error {
	if f.renames--; f.renames < 0 {
		return errFull
	}
	return f.Mem.Rename(from, to)
}

// Files of ours are written together or not at all, and leave no drafts.
func TestAFullDiskLeavesNoDraftsAndNothingHalf(t *testing.T) {
	looks := func(found string) map[string]keyring.LastCheck {
		all := map[string]keyring.LastCheck{}
		for _, name := range []string{"a.example", "b.example", "c.example"} {
			all[name] = keyring.LastCheck{At: november, Found: found}
		}
		return all
	}
	for creates := range 3 {
		mem := machineWithOwnFiles()
		if err := store.New(mem).SaveChecks(looks("first"), nil); err != nil {
			t.Fatal(err)
		}
		err := store.New(&full{mem, creates, 3}).SaveChecks(looks("second"), nil)
		if !errors.Is(err, errFull) {
			t.Errorf("room for %d files: error %v", creates, err)
		}
		checks, err := store.New(mem).LastChecks()
		if err != nil || len(checks) != 3 {
			t.Errorf("room for %d files: %v, %v", creates, checks, err)
		}
		for name, c := range checks {
			if c.Found != "first" {
				t.Errorf("room for %d files: %s is %q", creates, name, c.Found)
			}
		}
		if names, _ := mem.List("/var/lib/mailsetup/dns-checks"); len(names) != 3 {
			t.Errorf("room for %d files: there are %q", creates, names)
		}
	}
	mem := machineWithOwnFiles()
	if err := store.New(&full{mem, 3, 1}).SaveChecks(looks("first"), nil); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if names, _ := mem.List("/var/lib/mailsetup/dns-checks"); len(names) != 1 || strings.HasSuffix(names[0], "~") {
		t.Errorf("after a rename that failed there are %q", names)
	}
}

func TestOwnFilesAreForRootAlone(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	err := errors.Join(
		s.SaveFailureMail(november),
		s.SaveElapsed(keyring.Elapsed{}),
		s.SaveSchedule(recordwatch.Schedule{Last: november}),
		s.SaveChecks(map[string]keyring.LastCheck{"lab.example": {At: november}}, nil),
	)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for p, o := range mem.Files() {
		if !strings.HasPrefix(string(p), "/var/lib/mailsetup") {
			continue
		}
		n++
		if o.Owner != state.Root || o.Mode&0o077 != 0 {
			t.Errorf("%s: mode %o, owner %v", p, o.Mode, o.Owner)
		}
	}
	if n < 5 {
		t.Errorf("only %d files", n)
	}
}

func TestASpecIsReadAsItWasWritten(t *testing.T) {
	mem := machineWithOwnFiles()
	if sp, onDisk, err := store.New(mem).LoadSpec(); sp != nil || onDisk != nil || err != nil {
		t.Errorf("nothing is set up: %v, %v, %v", sp, onDisk, err)
	}
	want := labSpec(t)
	for i := range 30 {
		d := want.Domains[0]
		d.Name = fmt.Sprintf("shop%02d.example", i)
		want.Domains = append(want.Domains, d)
	}
	putSpec(mem, want)
	mem.PutFile("/etc/mailsetup/domains.d/README", "not a domain\n")
	s := store.New(mem)
	sp, onDisk, err := s.LoadSpec()
	if err != nil || len(sp.Domains) != 31 || len(onDisk) != 31 || string(spec.MarshalHost(sp.Host)) != string(spec.MarshalHost(want.Host)) {
		t.Fatalf("%d domains, %d as written, %v", len(sp.Domains), len(onDisk), err)
	}
	for i, d := range sp.Domains {
		if want := string(spec.MarshalDomain(want.Domains[i])); string(spec.MarshalDomain(d)) != want || onDisk[d.Name] != &sp.Domains[i] {
			t.Errorf("%s is\n%s\nwant\n%s", d.Name, spec.MarshalDomain(d), want)
		}
	}
	names, err := s.Domains()
	if err != nil || len(names) != 31 || !slices.IsSorted(names) || names[0] != "lab.example" {
		t.Errorf("domains %q, %v", names, err)
	}
	host, err := s.Host()
	if err != nil || host.Hostname != "mail.lab.example" {
		t.Errorf("host %+v, %v", host, err)
	}
}

func TestAFileThatCannotBeReadIsNotRewritten(t *testing.T) {
	mem := machineWithOwnFiles()
	putSpec(mem, labSpec(t))
	mem.PutFile("/etc/mailsetup/domains.d/bad.example.toml", "spf = [\n")
	_, _, err := store.New(mem).LoadSpec()
	if err == nil || !strings.Contains(err.Error(), "bad.example") || !hint.IsUsage(err) {
		t.Fatalf("error %v", err)
	}
	if hints := hint.Of(err); len(hints) != 1 || !strings.HasPrefix(hints[0], "correct the file") {
		t.Errorf("hints %q", hints)
	}
	if _, err := store.New(mem).Host(); err != nil {
		t.Errorf("host.toml alone is right: %v", err)
	}
}

// A run over all domains goes on without those with whose files something is wrong.
func TestReadableDomains(t *testing.T) {
	mem := machineWithOwnFiles()
	sp := labSpec(t)
	d := sp.Domains[0]
	d.Name = "shop.example"
	sp.Domains = append(sp.Domains, d)
	putSpec(mem, sp)
	s := store.New(mem)
	if got, onDisk, bad, err := s.LoadReadable(); err != nil || len(got.Domains) != 2 || len(onDisk) != 2 || len(bad) != 0 {
		t.Fatalf("%+v, %v, %v, %v", got, onDisk, bad, err)
	}
	mem.PutFile("/etc/mailsetup/domains.d/bad.example.toml", "domain = \"bad.example\"\nttl = \"5\"\n")
	mem.PutFile("/etc/mailsetup/domains.d/worse.example.toml", "domain = \"worse.example\"\nselector = \"a\"\nnew_zone = true\n")
	got, onDisk, bad, err := s.LoadReadable()
	if err != nil || len(got.Domains) != 2 || !got.Has("shop.example") || len(onDisk) != 0 || len(bad) != 2 {
		t.Fatalf("%+v, %v, %v, %v", got, onDisk, bad, err)
	}
	want := "/etc/mailsetup/domains.d/bad.example.toml:2: ttl: takes a whole number, and not \"5\""
	if e := bad["bad.example"]; e == nil || e.Error() != want || !slices.Equal(hint.Of(e), []string{"write: ttl = 5"}) {
		t.Errorf("%v, %q", e, hint.Of(e))
	}
	if e := bad["worse.example"]; e == nil || !strings.HasPrefix(e.Error(), "worse.example: ") || len(hint.Of(e)) != 1 {
		t.Errorf("%v, %q", e, hint.Of(e))
	}
	// The name of a link is no content, and a pipe has none.
	mem.Put("/etc/mailsetup/domains.d/bad.example.toml", state.Object{Kind: state.Symlink, Content: []byte("/root/bad.toml")})
	mem.Put("/etc/mailsetup/domains.d/worse.example.toml", state.Object{Kind: state.Special})
	got, _, bad, err = s.LoadReadable()
	if err != nil || len(got.Domains) != 2 || len(bad) != 2 ||
		bad["bad.example"].Error() != "/etc/mailsetup/domains.d/bad.example.toml: is a symbolic link to /root/bad.toml, expected a file" ||
		bad["worse.example"].Error() != "/etc/mailsetup/domains.d/worse.example.toml: is a device, pipe or socket, expected a file" {
		t.Errorf("%+v, %v, %v", got, bad, err)
	}
	// Without the host's own domain nothing can be told of its mail.
	mem.PutFile("/etc/mailsetup/domains.d/lab.example.toml", "domain = 5\n")
	if _, _, _, err := s.LoadReadable(); err == nil || !strings.Contains(err.Error(), "lab.example.toml:1: domain") {
		t.Errorf("error %v", err)
	}
}

// Of a file that says what is wanted and has the right mode nothing is written;
// another one keeps what the administrator wrote.
func TestSpecFilesChangeSingleLines(t *testing.T) {
	mem := machineWithOwnFiles()
	want := labSpec(t)
	shop := want.Domains[0]
	shop.Name = "shop.example"
	want.Domains = append(want.Domains, shop)
	putSpec(mem, want)
	remark := "# as agreed with the owner\n" + string(spec.MarshalDomain(shop))
	mem.Put(spec.DomainFile("shop.example"), state.Object{Kind: state.Regular, Mode: 0o644, Owner: state.Root, Content: []byte(remark)})
	s := store.New(mem)
	sp, onDisk, err := s.LoadSpec()
	if err != nil {
		t.Fatal(err)
	}
	files, err := s.SpecFiles(sp.Host, sp.Domains, onDisk)
	if err != nil || len(files) != 1 || string(files[spec.HostFile]) != string(spec.MarshalHost(want.Host)) {
		t.Errorf("nothing changed: %d files, %v", len(files), err)
	}
	fresh := shop
	fresh.Name = "new.example"
	changed := slices.Clone(sp.Domains)
	i := slices.IndexFunc(changed, func(d spec.Domain) bool { return d.Name == "shop.example" })
	changed[i].SPF.All = "fail"
	files, err = s.SpecFiles(sp.Host, append(changed, fresh), onDisk)
	if err != nil || len(files) != 3 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	if got := string(files[spec.DomainFile("shop.example")]); !strings.HasPrefix(got, "# as agreed with the owner\n") || !strings.Contains(got, `all = "fail"`) {
		t.Errorf("shop.example is\n%s", got)
	}
	if got := string(files[spec.DomainFile("new.example")]); got != string(spec.MarshalDomain(fresh)) {
		t.Errorf("new.example is\n%s", got)
	}
}

// A file that others may write is not known to be right, whatever it says.
func TestAFileWithAnotherModeIsWrittenAgain(t *testing.T) {
	mem := machineWithOwnFiles()
	want := labSpec(t)
	putSpec(mem, want)
	o, _ := mem.Read(spec.DomainFile("lab.example"))
	o.Mode = 0o666
	mem.Put(spec.DomainFile("lab.example"), o)
	s := store.New(mem)
	sp, onDisk, err := s.LoadSpec()
	if err != nil || len(onDisk) != 0 {
		t.Fatalf("%v, %v", onDisk, err)
	}
	files, err := s.SpecFiles(sp.Host, sp.Domains, onDisk)
	if err != nil || len(files) != 2 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

func TestTheLedgerIsReadFromAFileForEachDomain(t *testing.T) {
	mem := machineWithOwnFiles()
	key := keyring.Key{
		Selector: "202611", Bits: 2048, Public: "MIIB", Fingerprint: "SHA256:x", File: "/etc/dkimkeys/x", Stage: keyring.Staged,
		Since: map[keyring.Stage]time.Time{keyring.Staged: november},
	}
	for i, mode := range []fs.FileMode{0o600, 0o640} {
		mem.Put(keyring.File(fmt.Sprintf("shop%d.example", i)), state.Object{
			Kind: state.Regular, Mode: mode, Owner: state.Root, Content: keyring.MarshalDomain([]keyring.Key{key}),
		})
	}
	all, onDisk, err := store.New(mem).LoadLedger()
	if err != nil || len(all) != 2 || fmt.Sprintf("%+v", all["shop1.example"][0]) != fmt.Sprintf("%+v", key) {
		t.Errorf("ledger %+v, %v", all, err)
	}
	if len(onDisk) != 1 || len(onDisk["shop0.example"]) != 1 {
		t.Errorf("with the right mode: %+v", onDisk)
	}
	mem.PutFile(keyring.File("bad.example"), "{")
	if _, _, err := store.New(mem).LoadLedger(); err == nil || !strings.HasPrefix(err.Error(), "/var/lib/mailsetup/keyring/bad.example.json: cannot be used: ") {
		t.Errorf("error %v", err)
	}
	if all, onDisk, err := store.New(systemtest.NewMem()).LoadLedger(); err != nil || all == nil || onDisk == nil || len(all) != 0 {
		t.Errorf("no ledger: %v, %v, %v", all, onDisk, err)
	}
}

func TestHashesOfWrittenFiles(t *testing.T) {
	mem := machineWithOwnFiles()
	s := store.New(mem)
	if r, err := s.LoadWritten(); err != nil || r == nil || len(r) != 0 {
		t.Errorf("nothing was written: %v, %v", r, err)
	}
	want := plan.FileHashes{"/etc/opendkim.conf": plan.Hash([]byte("Syslog yes\n"))}
	mem.PutFile(state.WrittenFile, string(want.Marshal()))
	if r, err := s.LoadWritten(); err != nil || len(r) != 1 || r["/etc/opendkim.conf"] != want["/etc/opendkim.conf"] {
		t.Errorf("%v, %v", r, err)
	}
	mem.PutFile(state.WrittenFile, `{"version":9}`)
	if _, err := s.LoadWritten(); err == nil || !strings.Contains(err.Error(), "version 9 is not known") {
		t.Errorf("error %v", err)
	}
}

// A damaged disk is no empty one.
func TestAnErrorOfTheDiskIsNotTakenForNoFile(t *testing.T) {
	mem := machineWithOwnFiles()
	putSpec(mem, labSpec(t))
	s := store.New(&unreadable{mem})
	_, _, spec := s.LoadSpec()
	_, host := s.Host()
	_, written := s.LoadWritten()
	_, prints := s.LoadFingerprints()
	_, _, schedule := s.LoadSchedule()
	for name, err := range map[string]error{"spec": spec, "host": host, "written": written, "fingerprints": prints, "schedule": schedule} {
		if !errors.Is(err, errDisk) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// unreadable is a machine of whose files none can be read.
type unreadable struct{ *systemtest.Mem }

var errDisk = errors.New("input/output error")

func (*unreadable) Read(state.Path) (state.Object, error) { return state.Object{}, errDisk }

func (u *unreadable) Evaluate(ctx context.Context, e state.Edit, current state.Object) ([]byte, error) {
	return u.Mem.Evaluate(ctx, e, current)
}
